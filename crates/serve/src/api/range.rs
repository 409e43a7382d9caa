//! `Range` of a download (RFC 9110, section 14) and `Content-Range` of a chunk (distribution-spec).

use std::ops::Range;

/// What a `Range` header asks for of content of some size.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: no range, one that is malformed, or several.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that there are not.
    Unsatisfiable,
}

/// Reads a `Range` header.
pub(super) fn wanted(header: &str, size: u64) -> Wanted {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => {
            Wanted::Unsatisfiable
        }
        (Some(first), Some(last)) => Wanted::Part(first..last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Wanted::Part(first..size),
        (None, Some(0)) if first.is_empty() => Wanted::Unsatisfiable,
        (None, Some(_)) if first.is_empty() && size == 0 => Wanted::Unsatisfiable,
        (None, Some(count)) if first.is_empty() => Wanted::Part(size.saturating_sub(count)..size),
        _ => Wanted::Whole,
    }
}

/// Reads the `Content-Range` of a chunk, `FIRST-LAST`; HTTP's own form is understood too.
pub(super) fn chunk(header: &str) -> Option<Range<u64>> {
    let spec = header.strip_prefix("bytes ").or(header.strip_prefix("bytes=")).unwrap_or(header);
    let spec = spec.split('/').next()?;
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    // A chunk of nothing is written 0-0 by some clients; it cannot be told from one byte here.
    (first <= last).then(|| Some(first..last.checked_add(1)?))?
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_header_asks_for_what_there_is_not(
            header in "(bytes=)?[ 0-9,a-z+-]{0,50}|bytes=[0-9]{0,21}-[0-9]{0,21}", size: u64,
        ) {
            if let Wanted::Part(part) = wanted(&header, size) {
                prop_assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
            }
            if let Some(range) = chunk(&header) {
                prop_assert!(range.start < range.end);
            }
        }
    }

    #[test]
    fn ranges_of_downloads() {
        assert_eq!(wanted("bytes=0-0", 10), Wanted::Part(0..1));
        assert_eq!(wanted("bytes=3-", 10), Wanted::Part(3..10));
        assert_eq!(wanted("bytes=3-99", 10), Wanted::Part(3..10));
        assert_eq!(wanted("bytes=-4", 10), Wanted::Part(6..10));
        assert_eq!(wanted("bytes=-99", 10), Wanted::Part(0..10));
        for unsatisfiable in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(wanted(unsatisfiable, 10), Wanted::Unsatisfiable, "{unsatisfiable}");
        }
        assert_eq!(wanted("bytes=-5", 0), Wanted::Unsatisfiable);
        for ignored in
            ["", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=1-2", "bytes=+1-2"]
        {
            assert_eq!(wanted(ignored, 10), Wanted::Whole, "{ignored}");
        }
    }

    #[test]
    fn ranges_of_chunks() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("bytes 5-9/*"), Some(5..10));
        for bad in ["", "-", "9-0", "a-b", "0-", "-4", "0-18446744073709551615"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
