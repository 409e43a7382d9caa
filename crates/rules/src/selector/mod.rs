//! Label selectors: which items a run is about.
//!
//! The syntax is Kubernetes': `key=value`, `key==value`, `key!=value`, `key in (a,b)`,
//! `key notin (a,b)`, `key`, `!key`, `key>1`, `key<1`, joined by commas, which mean *and*. Several
//! selectors mean *or*. A label that is missing is not equal to anything: `!=` and `notin` match.

mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use parser::SelectorError;

/// Selectors of which one must match. None at all matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selectors(Vec<Selector>);

/// Requirements that must all be met. None at all matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl Selectors {
    /// Reads every text as one selector.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, SelectorError> {
        texts.iter().map(|text| Selector::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of the selectors, or there is none, matches `labels`.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.is_empty() || self.0.iter().any(|selector| selector.matches(labels))
    }
}

impl Selector {
    /// Reads a selector. Quotes around the whole, which ace-dt needs where a comma stands in a
    /// selector, are allowed. An empty text matches everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parser::parse(text).map(Selector)
    }

    /// Whether all requirements are met by `labels`.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::Greater(bound) => number().is_some_and(|number| number > *bound),
            Test::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}
