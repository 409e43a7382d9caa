//! Labels of sources, by the rules of Kubernetes ("Labels and Selectors", syntax and character set).

use std::collections::BTreeMap;

/// Labels, sorted.
pub type Labels = BTreeMap<String, String>;

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// There is no `=`.
    #[error("{0:?} is no label: expected key=value")]
    NoEquals(String),
    /// The key breaks the rules.
    #[error(
        "invalid label key {0:?}: expected [PREFIX/]NAME, NAME up to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends; PREFIX a DNS name"
    )]
    Key(String),
    /// The value breaks the rules.
    #[error(
        "invalid value {value:?} of label {key:?}: expected up to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends, or nothing"
    )]
    Value {
        /// Whose value.
        key: String,
        /// What it is.
        value: String,
    },
}

/// Reads `key=value`; white space around both is dropped.
pub fn parse_label(text: &str) -> Result<(String, String), LabelError> {
    let (key, value) = text.split_once('=').ok_or_else(|| LabelError::NoEquals(text.to_owned()))?;
    let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
    if !valid_key(&key) {
        return Err(LabelError::Key(key));
    }
    if !value.is_empty() && !valid_name(&value) {
        return Err(LabelError::Value { key, value });
    }
    Ok((key, value))
}

fn valid_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => valid_prefix(prefix) && valid_name(name),
        None => valid_name(key),
    }
}

fn valid_name(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    (1..=63).contains(&text.len())
        && ends.into_iter().flatten().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn valid_prefix(text: &str) -> bool {
    let label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().next_back()];
        let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        (1..=63).contains(&label.len())
            && ends.into_iter().flatten().all(alnum)
            && label.bytes().all(|b| alnum(b) || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_labels() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            (" team = core ", "team", "core"),
            ("tier=", "tier", ""),
            ("example.com/env=prod-1.x_y", "example.com/env", "prod-1.x_y"),
        ] {
            assert_eq!(parse_label(text).unwrap(), (key.to_owned(), value.to_owned()));
        }
    }

    #[test]
    fn bad_labels() {
        let long = format!("k={}", "v".repeat(64));
        for text in
            ["", "a", "=b", "-a=b", "a=-b", "a b=c", "Example.com/a=b", "a/b/c=d", &long, "a=b=c"]
        {
            assert!(parse_label(text).is_err(), "{text}");
        }
    }
}
