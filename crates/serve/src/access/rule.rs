//! Rules of access: `WHO:RIGHT[:PATTERN]`.

use std::str::FromStr;

use http::Method;

use super::pattern::{Pattern, PatternError};

/// Grants a right. What no rule grants is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// To whom.
    pub who: Who,
    /// What.
    pub right: Right,
    /// In which repositories.
    pub pattern: Pattern,
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Anybody, with or without a password.
    Anonymous,
    /// Every user.
    Everyone,
    /// One user.
    User(String),
}

/// What may be done; the greater holds the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Pull and list.
    Read,
    /// Pull, list, push and delete.
    ReadWrite,
}

/// A rule that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// It has not the form.
    #[error(
        "{0:?} is no rule: write WHO:RIGHT or WHO:RIGHT:PATTERN, as ci:read-write:team/**, \
         *:read or anonymous:read"
    )]
    Form(String),
    /// There is no such right.
    #[error("{0:?} is no right: it is read or read-write")]
    Right(String),
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Right {
    /// The right that a request with this method needs.
    pub fn for_method(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD) { Right::Read } else { Right::ReadWrite }
    }
}

impl Rule {
    /// Whether it is about `user`, or, without one, about whoever comes.
    pub(super) fn is_about(&self, user: Option<&str>) -> bool {
        match &self.who {
            Who::Anonymous => true,
            Who::Everyone => user.is_some(),
            Who::User(name) => user == Some(name),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut parts = text.splitn(3, ':').map(str::trim);
        let who = match parts.next() {
            Some("") | None => return Err(RuleError::Form(text.to_owned())),
            Some("anonymous") => Who::Anonymous,
            Some("*") => Who::Everyone,
            Some(name) => Who::User(name.to_owned()),
        };
        let right = match parts.next() {
            None => return Err(RuleError::Form(text.to_owned())),
            Some("read") => Right::Read,
            Some("read-write") => Right::ReadWrite,
            Some(other) => return Err(RuleError::Right(other.to_owned())),
        };
        let pattern = parts.next().map_or_else(|| Ok(Pattern::all()), str::parse)?;
        Ok(Rule { who, right, pattern })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule: Rule = "ci:read-write:team/**".parse().unwrap();
        assert_eq!(rule.who, Who::User("ci".to_owned()));
        assert_eq!((rule.right, rule.pattern.to_string().as_str()), (Right::ReadWrite, "team/**"));
        let rule: Rule = "*:read".parse().unwrap();
        assert_eq!((rule.who, rule.pattern), (Who::Everyone, Pattern::all()));
        for (bad, part) in [
            ("ci", "WHO:RIGHT"),
            (":read", "WHO:RIGHT"),
            ("ci:write", "no right"),
            ("ci:read:", "empty component"),
            ("ci:read:Team", "lower-case"),
        ] {
            let error = bad.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
