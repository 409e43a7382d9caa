//! Choosing tags of a repository by patterns.

use regex::Regex;

use crate::types::Tag;

/// A pattern for whole tags, as shells have them: `*` is any text, `?` any character, `[a-z]` one
/// of these, `[!a-z]` one of the others.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern {0:?}: expected letters with '*', '?' and closed '[…]'")]
pub struct PatternError(String);

/// Which tags are taken.
#[derive(Debug, Clone, Default)]
pub struct TagFilter {
    /// Take what one of these matches; none means all.
    pub include: Vec<Pattern>,
    /// But leave what one of these matches.
    pub exclude: Vec<Pattern>,
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fault = || PatternError(text.to_owned());
        let mut regex = String::from("^(?s:");
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            let mut length = char.len_utf8();
            match char {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                '[' => {
                    let end = rest[1..].find(']').filter(|end| *end > 0).ok_or_else(fault)?;
                    let class = &rest[1..=end];
                    let (not, class) = match class.strip_prefix('!') {
                        Some(class) if !class.is_empty() => ("^", class),
                        _ => ("", class),
                    };
                    let class = regex::escape(class).replace("\\-", "-");
                    regex.extend(["[", not, &class, "]"]);
                    length = end + 2;
                }
                other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
            }
            rest = &rest[length..];
        }
        regex.push_str(")$");
        Regex::new(&regex).map(Pattern).map_err(|_| fault())
    }
}

impl Pattern {
    /// Whether the whole tag is as the pattern says.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.0.is_match(tag.as_str())
    }
}

impl TagFilter {
    /// Whether a tag is taken.
    pub fn takes(&self, tag: &Tag) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(tag));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, tag: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(&tag.parse().unwrap())
    }

    #[test]
    fn patterns_are_for_the_whole_tag() {
        for (pattern, tag) in [
            ("1.2*", "1.27.3"),
            ("*-rc?", "2.0-rc1"),
            ("v[0-9].0", "v3.0"),
            ("[!v]*", "3.0"),
            ("a+b", "a+b"),
        ] {
            if tag.parse::<Tag>().is_ok() {
                assert!(matches(pattern, tag), "{pattern} {tag}");
            }
        }
        for (pattern, tag) in
            [("1.2", "1.27"), ("1.2", "1x2"), ("v[0-9]", "v10"), ("[!v]*", "v1"), ("", "a")]
        {
            assert!(!matches(pattern, tag), "{pattern} {tag}");
        }
        assert!("[a".parse::<Pattern>().is_err());
        assert!("[z-a]".parse::<Pattern>().is_err());
    }

    #[test]
    fn exclusion_wins() {
        let list = |text: &str| vec![text.parse().unwrap()];
        let filter = TagFilter { include: list("1.*"), exclude: list("*-rc*") };
        let taken = |tag: &str| filter.takes(&tag.parse().unwrap());
        assert!(taken("1.0") && !taken("2.0") && !taken("1.0-rc1"));
        assert!(TagFilter::default().takes(&"x".parse().unwrap()));
    }
}
