//! `strconv.Quote` and its kin.

use crate::gotemplate::text::{RUNE_ERROR, push_rune, runes};
use crate::gotemplate::unicode::is_print;

/// `strconv.Quote`
pub(crate) fn quote(text: &[u8]) -> Vec<u8> {
    quote_with(text, '"', false)
}

/// `strconv.QuoteRune`, or `QuoteRuneToASCII`
pub(super) fn quote_rune(rune: char, ascii: bool) -> Vec<u8> {
    let mut out = vec![b'\''];
    escape(&mut out, rune, '\'', ascii);
    out.push(b'\'');
    out
}

/// `strconv.Quote`, or `QuoteToASCII`
pub(super) fn quote_with(text: &[u8], mark: char, ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_rune(&mut out, mark);
    for (at, rune, width) in runes(text) {
        if rune == RUNE_ERROR && width == 1 {
            let byte = text.get(at).copied().unwrap_or_default();
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            escape(&mut out, rune, mark, ascii);
        }
    }
    push_rune(&mut out, mark);
    out
}

fn escape(out: &mut Vec<u8>, rune: char, mark: char, ascii: bool) {
    if rune == mark || rune == '\\' {
        out.push(b'\\');
        push_rune(out, rune);
        return;
    }
    if (rune.is_ascii() || !ascii) && is_print(rune) {
        push_rune(out, rune);
        return;
    }
    let text = match rune {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\0'..=' ' | '\u{7f}' => format!("\\x{:02x}", u32::from(rune)),
        '\u{80}'..='\u{ffff}' => format!("\\u{:04x}", u32::from(rune)),
        _ => format!("\\U{:08x}", u32::from(rune)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// `strconv.CanBackquote`
pub(super) fn can_backquote(text: &[u8]) -> bool {
    runes(text).all(|(_, rune, width)| match rune {
        '\u{feff}' => false,
        _ if width > 1 => true,
        RUNE_ERROR | '`' | '\u{7f}' => false,
        _ => rune >= ' ' || rune == '\t',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_go_does() {
        assert_eq!(quote(b"a\"\\\n\x01\xff\xc3\xa9"), "\"a\\\"\\\\\\n\\x01\\xffé\"".as_bytes());
        assert_eq!(quote_with("日😀".as_bytes(), '"', true), b"\"\\u65e5\\U0001f600\"");
        assert_eq!(quote_rune('\'', false), b"'\\''");
        assert!(can_backquote(b"a\tb") && !can_backquote(b"a`b") && !can_backquote(b"\xff"));
    }
}
