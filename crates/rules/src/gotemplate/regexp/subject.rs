//! The text an expression is run on, which need not be UTF-8.

use std::borrow::Cow;

use crate::gotemplate::text::{RUNE_ERROR, runes};

/// Bytes of [`RUNE_ERROR`] in UTF-8.
const SHOWN: usize = RUNE_ERROR.len_utf8();

/// A text in which every stray byte reads as U+FFFD, and its bytes as they are.
pub(crate) struct Subject<'t> {
    bytes: &'t [u8],
    shown: Cow<'t, str>,
    /// Where in `shown` the stray bytes stand.
    strays: Vec<usize>,
}

impl<'t> Subject<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self { bytes, shown: Cow::Borrowed(text), strays: Vec::new() };
        }
        let (mut shown, mut strays) = (String::with_capacity(bytes.len()), Vec::new());
        for (_, rune, width) in runes(bytes) {
            if rune == RUNE_ERROR && width == 1 {
                strays.push(shown.len());
            }
            shown.push(rune);
        }
        Self { bytes, shown: Cow::Owned(shown), strays }
    }

    /// What expressions see; offsets into the subject are offsets into this text.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The bytes between two offsets.
    pub(crate) fn part(&self, start: usize, end: usize) -> &'t [u8] {
        self.bytes.get(self.original(start)..self.original(end)).unwrap_or_default()
    }

    /// The bytes from an offset on.
    pub(crate) fn tail(&self, start: usize) -> &'t [u8] {
        self.bytes.get(self.original(start)..).unwrap_or_default()
    }

    fn original(&self, at: usize) -> usize {
        at - (SHOWN - 1) * self.strays.partition_point(|&stray| stray < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_bytes_are_given_back_as_they_are() {
        let subject = Subject::new(b"a\xff\xe4b\xef\xbf\xbdc");
        assert_eq!(subject.shown(), "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!((subject.part(0, 4), subject.part(4, 7)), (&b"a\xff"[..], &b"\xe4"[..]));
        assert_eq!((subject.part(7, 11), subject.tail(11)), (&b"b\xef\xbf\xbd"[..], &b"c"[..]));
    }
}
