//! Sizes of source files: printed, and refused beyond the limit.

use super::Source;

/// Lines above which a file is listed.
const NOTED: usize = 350;
/// Lines above which a file is refused.
const REFUSED: usize = 500;

/// Prints what the sizes are; a fault for each file that is too long.
pub(super) fn faults(sources: &[Source]) -> Vec<String> {
    let mut sizes: Vec<(usize, &str)> =
        sources.iter().map(|source| (source.text.lines().count(), source.path.as_str())).collect();
    sizes.sort_unstable();
    let at = |percent: usize| {
        let last = sizes.len().saturating_sub(1);
        sizes.get(last * percent / 100).map_or(0, |(lines, _)| *lines)
    };
    println!("lines a file: median {}, 90 % up to {}, most {}", at(50), at(90), at(100));
    let long: Vec<_> = sizes.iter().rev().filter(|(lines, _)| *lines > NOTED).collect();
    for (lines, path) in &long {
        println!("  {lines:4} {path}");
    }
    long.iter()
        .filter(|(lines, _)| *lines > REFUSED)
        .map(|(lines, path)| {
            format!("{path}: {lines} lines are more than {REFUSED}: split it by purpose")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{REFUSED, Source, faults};

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let source =
            |lines: usize| Source { path: format!("{lines}.rs"), text: "x\n".repeat(lines) };
        assert!(faults(&[source(1), source(REFUSED)]).is_empty());
        assert_eq!(faults(&[source(1), source(REFUSED + 1)]).len(), 1);
        assert!(faults(&[]).is_empty());
    }
}
