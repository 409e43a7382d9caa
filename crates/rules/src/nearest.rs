//! The nearest of several names, for error messages.

/// The candidate with the fewest edits from `word`, when one is near enough to have been meant:
/// at most a third of the word's length, rounded up, and at least two edits are allowed. Of equals the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST).collect();
    let mut bound = word.len().div_ceil(3).max(2) + 1;
    let mut best = None;
    let mut row = Vec::new();
    for candidate in candidates {
        if let Some(edits) = edits_below(&word, candidate, bound, &mut row) {
            bound = edits;
            best = Some(candidate);
        }
    }
    best
}

/// Longer words are compared by their start: a message does not need more.
const LONGEST: usize = 400;

/// The edit distance when it is less than `bound`. Work is cut off as soon as it cannot be.
fn edits_below(a: &[char], b: &str, bound: usize, row: &mut Vec<usize>) -> Option<usize> {
    let length = b.chars().take(LONGEST).count();
    if a.len().abs_diff(length) >= bound {
        return None;
    }
    row.clear();
    row.extend(0..=a.len());
    for (i, right) in b.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        let mut least = row[0];
        for (j, left) in a.iter().enumerate() {
            let changed = diagonal + usize::from(*left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
            least = least.min(row[j + 1]);
        }
        if least >= bound {
            return None;
        }
    }
    row.last().copied().filter(|edits| *edits < bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let kinds = ["nest", "all-prefix", "digests"];
        assert_eq!(nearest("digest", kinds), Some("digests"));
        assert_eq!(nearest("all_prefix", kinds), Some("all-prefix"));
        assert_eq!(nearest("completely-else", kinds), None);
        assert_eq!(nearest("", ["", "x"]), Some(""));
    }

    #[test]
    fn the_distance_is_exact_below_the_bound() {
        let count = |a: &str, b| {
            edits_below(&a.chars().collect::<Vec<_>>(), b, usize::MAX, &mut Vec::new())
        };
        assert_eq!(count("kitten", "sitting"), Some(3));
        assert_eq!(count("", "abc"), Some(3));
        assert_eq!(count("abc", ""), Some(3));
        assert_eq!(count("same", "same"), Some(0));
    }
}
