//! Prefix tables: which lines match a source, found by one binary search.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Line;

/// Which of the matching lines count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matching {
    /// Every line, in the order of the file.
    All,
    /// The first line.
    First,
    /// The longest prefix; of equal ones the last line.
    Longest,
}

/// The lines of a table, sorted by prefix.
///
/// All prefixes of a text form a chain in which each is a prefix of the next. Every entry knows
/// the next shorter one of its chain, so that a search finds one end of the chain and walks it.
#[derive(Debug)]
pub(crate) struct PrefixTable {
    matching: Matching,
    lines: Vec<Line>,
    entries: Vec<Entry>,
    /// Where the last search ended. Sources come sorted, so the next one mostly ends there too;
    /// what is found does not depend on it.
    hint: AtomicUsize,
}

/// All lines of one prefix.
#[derive(Debug)]
struct Entry {
    prefix: Box<str>,
    /// Indices into `lines`, ascending.
    lines: Vec<usize>,
    /// The longest entry whose prefix is a proper prefix of this one.
    shorter: Option<usize>,
    /// The first line of this entry and all shorter ones of the chain.
    first: usize,
}

impl PrefixTable {
    /// Sorts the table. Blank prefixes match nothing, except everything in `Longest`.
    pub(crate) fn new(lines: Vec<Line>, matching: Matching) -> Self {
        let mut order: Vec<usize> = (0..lines.len())
            .filter(|at| matching == Matching::Longest || !lines[*at].key.text.is_empty())
            .collect();
        order.sort_by(|a, b| lines[*a].key.text.cmp(&lines[*b].key.text));
        let mut entries: Vec<Entry> = Vec::new();
        let mut chain: Vec<usize> = Vec::new();
        for at in order {
            let prefix = lines[at].key.text.as_str();
            if let Some(last) = entries.last_mut().filter(|last| *last.prefix == *prefix) {
                last.lines.push(at);
                continue;
            }
            while chain.last().is_some_and(|top| !prefix.starts_with(&*entries[*top].prefix)) {
                chain.pop();
            }
            let shorter = chain.last().copied();
            let first = shorter.map_or(at, |top| at.min(entries[top].first));
            chain.push(entries.len());
            entries.push(Entry { prefix: prefix.into(), lines: vec![at], shorter, first });
        }
        PrefixTable { matching, lines, entries, hint: AtomicUsize::new(0) }
    }

    /// Whether a destination names a digest itself.
    pub(crate) fn names_digests(&self) -> bool {
        self.lines.iter().any(|line| line.destination.text.contains('@'))
    }

    /// The lines that count for `source`.
    pub(crate) fn find(&self, source: &str) -> Vec<&Line> {
        let Some(longest) = self.longest(source) else { return Vec::new() };
        let found = match self.matching {
            Matching::First => vec![longest.first],
            Matching::Longest => longest.lines.last().copied().into_iter().collect(),
            Matching::All => {
                let mut found = Vec::new();
                let mut entry = Some(longest);
                while let Some(at) = entry {
                    found.extend_from_slice(&at.lines);
                    entry = at.shorter.map(|shorter| &self.entries[shorter]);
                }
                found.sort_unstable();
                found
            }
        };
        found.into_iter().map(|at| &self.lines[at]).collect()
    }

    /// The entry with the longest prefix of `source`.
    ///
    /// Every text between a prefix of `source` and `source` starts with that prefix, so the
    /// greatest entry that is not greater than `source` is at or beyond the end of the chain.
    fn longest(&self, source: &str) -> Option<&Entry> {
        let behind = self.behind(source);
        let mut entry = self.entries.get(behind.checked_sub(1)?)?;
        let common = common_length(&entry.prefix, source);
        while entry.prefix.len() > common {
            entry = &self.entries[entry.shorter?];
        }
        Some(entry)
    }

    /// How many entries are not greater than `source`.
    fn behind(&self, source: &str) -> usize {
        let hint = self.hint.load(Ordering::Relaxed);
        let not_greater = |at: usize| self.entries.get(at).is_some_and(|e| *e.prefix <= *source);
        if hint.checked_sub(1).is_some_and(not_greater) && !not_greater(hint) {
            return hint;
        }
        let behind = self.entries.partition_point(|entry| *entry.prefix <= *source);
        self.hint.store(behind, Ordering::Relaxed);
        behind
    }
}

fn common_length(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::Field;

    fn table(prefixes: &[String], matching: Matching) -> PrefixTable {
        let field = |text: &str| Field { column: 1, text: text.to_owned() };
        let line = |(number, prefix): (u32, &String)| {
            let destination = field(&number.to_string());
            Line { number, key: field(prefix), destination }
        };
        PrefixTable::new((1..).zip(prefixes).map(line).collect(), matching)
    }

    fn numbers(prefixes: &[String], matching: Matching, source: &str) -> Vec<u32> {
        table(prefixes, matching).find(source).iter().map(|line| line.number).collect()
    }

    /// What the kinds mean, by looking at every line.
    fn naive(prefixes: &[String], matching: Matching, source: &str) -> Vec<u32> {
        let blank = matching == Matching::Longest;
        let all: Vec<(usize, u32)> = (1..)
            .zip(prefixes)
            .filter(|(_, p)| source.starts_with(p.as_str()) && (blank || !p.is_empty()))
            .map(|(number, p)| (p.len(), number))
            .collect();
        match matching {
            Matching::All => all.into_iter().map(|(_, number)| number).collect(),
            Matching::First => all.first().map(|(_, number)| *number).into_iter().collect(),
            Matching::Longest => all.iter().max().map(|(_, number)| *number).into_iter().collect(),
        }
    }

    #[test]
    fn a_neighbour_in_the_order_hides_no_shorter_prefix() {
        let prefixes = ["a", "ab", "abc/x", "abd"].map(str::to_owned);
        assert_eq!(numbers(&prefixes, Matching::Longest, "abc/y"), [2]);
        assert_eq!(numbers(&prefixes, Matching::Longest, "ac"), [1]);
        assert_eq!(numbers(&prefixes, Matching::Longest, "b"), [0; 0]);
        assert_eq!(numbers(&prefixes, Matching::All, "abdz"), [1, 2, 4]);
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_looking_at_every_line(
            prefixes in prop::collection::vec("[ab/é]{0,5}", 0..30),
            sources in prop::collection::vec("[ab/é]{0,8}", 1..6),
        ) {
            for matching in [Matching::All, Matching::First, Matching::Longest] {
                let table = table(&prefixes, matching);
                for source in &sources {
                    let found = table.find(source);
                    let found: Vec<u32> = found.iter().map(|line| line.number).collect();
                    prop_assert_eq!(found, naive(&prefixes, matching, source));
                }
            }
        }
    }
}
