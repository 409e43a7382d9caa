//! Patterns of repository names.

use std::fmt;
use std::str::FromStr;

/// A pattern: a repository's name in which `*` stands for anything within one component and `**`
/// for anything at all. `team/*` is every repository right under `team`, `team/**` every one below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// Any number of bytes within a component.
    Some,
    /// Any number of bytes.
    Any,
}

/// A pattern that no repository's name could match.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no pattern of repository names: {reason}")]
pub struct PatternError {
    text: String,
    reason: &'static str,
}

impl Pattern {
    /// The pattern of every repository.
    pub fn all() -> Self {
        Pattern { text: "**".to_owned(), tokens: vec![Token::Any] }
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        if self.tokens == [Token::Any] {
            return true;
        }
        // The positions in the pattern that the bytes so far may have led to.
        let mut reached = vec![false; self.tokens.len() + 1];
        reached[0] = true;
        self.pass_over(&mut reached);
        for byte in name.bytes() {
            let mut next = vec![false; reached.len()];
            for (position, token) in self.tokens.iter().enumerate() {
                if !reached[position] {
                    continue;
                }
                match token {
                    Token::Byte(wanted) if *wanted == byte => next[position + 1] = true,
                    Token::Some if byte != b'/' => next[position] = true,
                    Token::Any => next[position] = true,
                    _ => {}
                }
            }
            reached = next;
            self.pass_over(&mut reached);
        }
        reached.last().copied().unwrap_or(false)
    }

    /// A wildcard may stand for nothing.
    fn pass_over(&self, reached: &mut [bool]) {
        for (position, token) in self.tokens.iter().enumerate() {
            if reached[position] && !matches!(token, Token::Byte(_)) {
                reached[position + 1] = true;
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = |reason| PatternError { text: text.to_owned(), reason };
        if text.is_empty() || text.split('/').any(str::is_empty) {
            return Err(wrong("it has an empty component; * stands for anything"));
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
        if !text.chars().all(fits) {
            return Err(wrong("names hold lower-case letters, digits and . _ - / only"));
        }
        if text.contains("***") {
            return Err(wrong("write ** for anything at all"));
        }
        let mut tokens = Vec::new();
        for byte in text.bytes() {
            match (byte, tokens.last()) {
                (b'*', Some(Token::Some)) => {
                    tokens.pop();
                    tokens.push(Token::Any);
                }
                (b'*', _) => tokens.push(Token::Some),
                (byte, _) => tokens.push(Token::Byte(byte)),
            }
        }
        Ok(Pattern { text: text.to_owned(), tokens })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, matching, others) in [
            ("a/b", &["a/b"][..], &["a", "a/b/c", "a/bc", "xa/b"][..]),
            ("team/*", &["team/a", "team/ab"], &["team", "team/a/b", "teams/a"]),
            ("team/**", &["team/a", "team/a/b"], &["team", "teams/a"]),
            ("**", &["a", "a/b/c"], &[]),
            ("*", &["a"], &["a/b"]),
            ("*/prod-*", &["x/prod-1", "x/prod-"], &["x/y/prod-1", "x/prod-1/y", "prod-1"]),
            ("**/nginx", &["a/nginx", "a/b/nginx"], &["nginx", "a/nginx/b"]),
            ("a**b*c", &["abc", "a/x/bxc"], &["a/x/b/c"]),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.to_string(), pattern);
            for name in matching {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        for bad in ["", "/", "a/", "/a", "a//b", "A", "a b", "a:1", "***"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }
}
