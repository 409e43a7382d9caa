//! The file of hints, and what it holds in memory: many small entries.
//!
//! A line is `DIGEST DAY REPOSITORY`, the newest first, where the digest is given by its first 128
//! bits: enough to tell blobs apart, and a hint that is wrong all the same costs one request.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::types::{Digest, Name};

/// The first line of a file: another form begins otherwise.
const HEAD: &str = "airlift blob hints 2";
/// Entries kept of one registry: 24 bytes of memory each, and a line of some 60.
const MOST: usize = 250_000;
/// Repositories kept for one blob.
const MOST_HOLDERS: usize = 3;
/// More is no file of ours, in bytes.
const LARGEST: u64 = 128 << 20;

/// The first 128 bits of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    const HEX: usize = 32;

    /// That of `digest`, of whatever algorithm.
    pub(super) fn of(digest: &Digest) -> Self {
        // Shorter digests are not to be had.
        digest.hex().get(..Key::HEX).and_then(Key::parse).unwrap_or(Key([0; 16]))
    }

    fn parse(text: &str) -> Option<Self> {
        let bits = u128::from_str_radix(text, 16).ok()?;
        (text.len() == Key::HEX).then_some(Key(bits.to_be_bytes()))
    }
}

/// Repositories, by numbers from 0 in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// The number of `repository`, a new one if it has none.
    pub(super) fn number(&mut self, repository: &str) -> u32 {
        if let Some(number) = self.numbers.get(repository) {
            return *number;
        }
        let number = self.count();
        self.names.push(repository.to_owned());
        self.numbers.insert(repository.to_owned(), number);
        number
    }

    /// The number of `repository`, if it has one.
    pub(super) fn known(&self, repository: &str) -> Option<u32> {
        self.numbers.get(repository).copied()
    }

    /// The repository of this number.
    pub(super) fn get(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.names.len() as u32
    }

    /// The number of a repository in a file, unless it is no name.
    fn valid(&mut self, repository: &str) -> Option<u32> {
        let valid = || Name::new("registry.example", repository).is_ok();
        self.known(repository).or_else(|| valid().then(|| self.number(repository)))
    }
}

/// A repository has a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) name: u32,
    /// The day on which that was last true, since 1970.
    pub(super) day: u32,
}

/// Entries by key, those of one key the newest first.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Entry>);

impl Table {
    /// What a file says; lines that say nothing are passed over.
    pub(super) fn read(path: &Path, names: &mut Names) -> Self {
        let mut table = Table::default();
        // What is no file may never end, or never begin.
        if fs::metadata(path).map_or(true, |meta| !meta.is_file() || meta.len() > LARGEST) {
            return table;
        }
        let Ok(file) = File::open(path) else { return table };
        let (mut file, mut line) = (BufReader::new(file), String::new());
        if file.read_line(&mut line).is_err() || line.trim_end() != HEAD {
            return table;
        }
        while table.0.len() < MOST {
            line.clear();
            if !file.read_line(&mut line).is_ok_and(|read| read > 0) {
                break;
            }
            table.0.extend(Table::line(line.trim_end(), names));
        }
        table.sort();
        table
    }

    fn line(line: &str, names: &mut Names) -> Option<Entry> {
        let mut words = line.split(' ');
        let key = Key::parse(words.next()?)?;
        let day = words.next()?.parse().ok()?;
        Some(Entry { key, name: names.valid(words.next()?)?, day })
    }

    /// The entries of a blob, the newest first.
    pub(super) fn find(&self, key: Key) -> &[Entry] {
        let start = self.0.partition_point(|entry| entry.key < key);
        let length = self.0[start..].iter().take_while(|entry| entry.key == key).count();
        &self.0[start..start + length]
    }

    /// Leaves those that `keep` says.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.0.retain(keep);
    }

    /// Takes in more, in any order. A blob keeps its newest holders.
    pub(super) fn add(&mut self, new: impl Iterator<Item = Entry>) {
        self.0.extend(new);
        self.0.sort_unstable_by_key(|entry| (entry.key, entry.name, Reverse(entry.day)));
        self.0.dedup_by_key(|entry| (entry.key, entry.name));
        self.sort();
        let (mut last, mut holders) = (None, 0);
        self.0.retain(|entry| {
            holders = if last == Some(entry.key) { holders + 1 } else { 1 };
            last = Some(entry.key);
            holders <= MOST_HOLDERS
        });
    }

    fn sort(&mut self) {
        self.0.sort_unstable_by_key(|entry| (entry.key, Reverse(entry.day), entry.name));
    }

    /// Writes the newest entries, the newest first.
    pub(super) fn write(mut self, names: &Names, to: &mut impl io::Write) -> io::Result<()> {
        self.0.sort_unstable_by_key(|entry| (Reverse(entry.day), entry.key, entry.name));
        writeln!(to, "{HEAD}")?;
        for Entry { key, name, day } in self.0.into_iter().take(MOST) {
            writeln!(to, "{:032x} {day} {}", u128::from_be_bytes(key.0), names.get(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::of(&Digest::of(number.to_string().as_bytes()))
    }

    fn text(table: Table, names: &Names) -> String {
        let mut text = Vec::new();
        table.write(names, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn read(path: &Path) -> (Table, Names) {
        let mut names = Names::default();
        (Table::read(path, &mut names), names)
    }

    #[test]
    fn the_newest_are_kept_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let (mut table, mut names) = (Table::default(), Names::default());
        let name = names.number("team/r");
        let all = (0..MOST as u32 + 10).map(|day| Entry { key: key(day), name, day });
        table.add(all);
        let text = text(table, &names);
        assert_eq!(text.lines().count(), MOST + 1);
        fs::write(&path, text).unwrap();
        let (table, names) = read(&path);
        assert_eq!(names.get(0), "team/r");
        let found = |number| table.find(key(number)).iter().map(|e| e.day).collect::<Vec<_>>();
        assert_eq!(found(9), [0; 0], "the oldest are left out");
        for day in [10, 11, 4711, MOST as u32 + 9] {
            assert_eq!(found(day), [day]);
        }
    }

    #[test]
    fn nothing_is_made_of_nonsense() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert!(read(Path::new("/dev/zero")).0.0.is_empty(), "what is no file is not read");
        let good = format!("{:032x}", 0x4711);
        let nonsense =
            ["", "x", "zz 1 r", &format!("{good} 1 ../up"), &format!("{good} x r"), &good[1..]];
        fs::write(&path, format!("{HEAD}\n{}\n{good} 7 r\n", nonsense.join("\n"))).unwrap();
        let (table, names) = read(&path);
        assert_eq!(text(table, &names), format!("{HEAD}\n{good} 7 r\n"));
        for bytes in [&[0xff, 0xfe][..], b"", b"airlift blob hints 1\nx"] {
            fs::write(&path, bytes).unwrap();
            assert!(read(&path).0.0.is_empty());
        }
    }

    #[test]
    fn of_many_holders_the_newest_are_kept_and_each_once() {
        let (mut table, mut names) = (Table::default(), Names::default());
        let (key, other) = (key(1), key(2));
        let days = [("a", 5), ("b", 1), ("c", 3), ("d", 2), ("e", 1), ("a", 6)];
        table.add(days.into_iter().map(|(name, day)| Entry { key, name: names.number(name), day }));
        table.add([Entry { key: other, name: 1, day: 1 }].into_iter());
        let held: Vec<_> = table.find(key).iter().map(|e| (names.get(e.name), e.day)).collect();
        assert_eq!(held, [("a", 6), ("c", 3), ("d", 2)]);
        assert_eq!(table.find(other).len(), 1);
    }
}
