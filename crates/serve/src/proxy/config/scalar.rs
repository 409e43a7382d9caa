//! Single values: times as people write them, and text that must not be seen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use airlift_oci::registry::Secret;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_yaml::Value;

/// A length of time: `250ms`, `5s`, `2m`, `1h`, or a number of seconds. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Span(Duration::from_secs(seconds))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().ok()?;
        let span = match unit.trim() {
            "ms" => Duration::from_millis(number),
            "" | "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        // Longer than a day is a slip of the pen, and clocks must be able to hold it.
        (!span.is_zero() && span <= Duration::from_secs(86_400)).then_some(Span(span))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time above 0 and up to 24h, such as 250ms, 5s or 2m")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        Span::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
        let span = Span::parse(&seconds.to_string());
        span.ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(seconds), &self))
    }
}

/// Text that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub Secret);

impl Default for Hidden {
    fn default() -> Self {
        Hidden(Secret::new(""))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value, because the reader's own errors show what stands there.
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Hidden(Secret::new(text))),
            Value::Null => Ok(Hidden::default()),
            _ => Err(de::Error::custom("this value must be text: put it into quotes")),
        }
    }
}

/// Names and values of headers. The values may be secrets.
pub(super) fn headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Hidden>, D::Error> {
    let wrong = || de::Error::custom("headers are a map from names to texts in quotes");
    let mapping = match Value::deserialize(deserializer)? {
        Value::Mapping(mapping) => mapping,
        Value::Null => return Ok(BTreeMap::new()),
        _ => return Err(wrong()),
    };
    let pair = |(name, value)| match (name, value) {
        (Value::String(name), Value::String(value)) => Ok((name, Hidden(Secret::new(value)))),
        _ => Err(wrong()),
    };
    mapping.into_iter().map(pair).collect()
}
