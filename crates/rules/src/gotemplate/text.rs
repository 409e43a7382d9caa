//! Go strings: immutable bytes that are usually, but not always, UTF-8.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// What Go decodes a byte to that is no part of valid UTF-8.
pub(crate) const RUNE_ERROR: char = char::REPLACEMENT_CHARACTER;

/// A Go string. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct GoStr(Arc<[u8]>);

impl GoStr {
    /// The text, with U+FFFD for what is no UTF-8.
    pub(crate) fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Deref for GoStr {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for GoStr {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<Vec<u8>> for GoStr {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<&str> for GoStr {
    fn from(text: &str) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}

impl From<String> for GoStr {
    fn from(text: String) -> Self {
        Self(Arc::from(text.into_bytes()))
    }
}

impl std::borrow::Borrow<[u8]> for GoStr {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// The first rune and its length in bytes: `(RUNE_ERROR, 1)` where it is no UTF-8, `(RUNE_ERROR, 0)` at the end.
pub(crate) fn decode_rune(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else {
        return (RUNE_ERROR, 0);
    };
    let width = match first {
        0..=0x7f => return (char::from(first), 1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (RUNE_ERROR, 1),
    };
    bytes
        .get(..width)
        .and_then(|part| std::str::from_utf8(part).ok())
        .and_then(|part| part.chars().next())
        .map_or((RUNE_ERROR, 1), |rune| (rune, width))
}

/// Every rune with its offset and length.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (rune, width) = decode_rune(bytes.get(at..)?);
        if width == 0 {
            return None;
        }
        let start = at;
        at += width;
        Some((start, rune, width))
    })
}

/// How many runes the bytes hold, each stray byte counting as one.
pub(crate) fn rune_count(bytes: &[u8]) -> usize {
    runes(bytes).count()
}

/// Appends a rune as UTF-8.
pub(crate) fn push_rune(out: &mut Vec<u8>, rune: char) {
    out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Where `needle` first occurs in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    let last = hay.len().checked_sub(needle.len())?;
    let first = needle.first()?;
    (0..=last).find(|&at| {
        hay.get(at) == Some(first) && hay.get(at..).is_some_and(|rest| rest.starts_with(needle))
    })
}

/// `strings.Split` with a limit on the parts; a negative limit is none.
pub(crate) fn split_n<'a>(text: &'a [u8], sep: &[u8], limit: i64) -> Vec<&'a [u8]> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut rest = text;
    if sep.is_empty() {
        while !rest.is_empty() && parts.len() + 1 < limit {
            let (head, tail) = rest.split_at(decode_rune(rest).1);
            parts.push(head);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while parts.len() + 1 < limit {
        let Some(at) = find(rest, sep) else { break };
        parts.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + sep.len()..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}
