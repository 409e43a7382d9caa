//! Percent escapes, which differ from part to part.

use crate::gotemplate::fmt::quote;

/// Which part of a URL a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

impl Part {
    /// Whether a byte stands for itself.
    pub(super) fn allows(self, byte: u8) -> bool {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => true,
            b'$' | b'&' | b'+' | b'=' => true,
            b'!' | b'(' | b')' | b'*' => matches!(self, Self::Fragment | Self::Zone | Self::Host),
            b'"' | b'\'' | b'<' | b'>' | b'[' | b']' => matches!(self, Self::Zone | Self::Host),
            b',' | b';' => true,
            b':' => self != Self::User,
            b'/' => matches!(self, Self::Fragment | Self::Path),
            b'?' => self == Self::Fragment,
            b'@' => matches!(self, Self::Fragment | Self::Path),
            _ => false,
        }
    }
}

/// Writes a part with escapes.
pub(super) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if part.allows(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&quote(text)).into_owned()
}

/// Resolves the escapes of a part.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            if matches!(part, Part::Host | Part::Zone) && byte < 0x80 && !part.allows(byte) {
                return Err(format!("invalid character {} in host name", shown(&[byte])));
            }
            out.push(byte);
            rest = after;
            continue;
        }
        let escape = rest.get(..3.min(rest.len())).unwrap_or_default();
        let refused = || Err(format!("invalid URL escape {}", shown(escape)));
        let Some(value) = hex_value(after) else {
            return refused();
        };
        let literal_percent = escape == b"%25";
        match part {
            Part::Host if value < 0x80 && !literal_percent => return refused(),
            Part::Zone if !literal_percent && value != b' ' && !Part::Host.allows(value) => {
                return refused();
            }
            _ => out.push(value),
        }
        rest = rest.get(3..).unwrap_or_default();
    }
    Ok(out)
}

fn hex_value(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}
