//! Integers, runes and bytes.

use super::quoting::{can_backquote, quote_rune, quote_with};
use super::{Printed, Printer};
use crate::gotemplate::text::{RUNE_ERROR, push_rune};
use crate::gotemplate::unicode::is_print;

/// An integer of either sign.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub(super) magnitude: u64,
    pub(super) negative: bool,
    pub(super) signed: bool,
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self { magnitude: value.unsigned_abs(), negative: value < 0, signed: true }
    }
}

impl From<u64> for Integer {
    fn from(value: u64) -> Self {
        Self { magnitude: value, negative: false, signed: false }
    }
}

fn digits(value: u64, base: u32, upper: bool) -> String {
    match (base, upper) {
        (2, _) => format!("{value:b}"),
        (8, _) => format!("{value:o}"),
        (16, false) => format!("{value:x}"),
        (16, true) => format!("{value:X}"),
        _ => value.to_string(),
    }
}

impl Printer<'_> {
    /// An integer under a verb; `false` where the verb is none for integers.
    pub(super) fn integer(&mut self, value: Integer, verb: char) -> Result<bool, super::Fail> {
        match verb {
            'v' if self.flags.sharp_v && !value.signed => self.hex_literal(value.magnitude)?,
            'v' | 'd' => self.based(value, 10, verb)?,
            'b' => self.based(value, 2, verb)?,
            'o' | 'O' => self.based(value, 8, verb)?,
            'x' | 'X' => self.based(value, 16, verb)?,
            'c' => {
                let mut text = Vec::new();
                push_rune(&mut text, as_rune(value));
                self.pad(text)?;
            }
            'q' => self.pad(quote_rune(as_rune(value), self.flags.plus))?,
            'U' => self.code_point(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `0x` and digits.
    pub(super) fn hex_literal(&mut self, value: u64) -> Printed {
        let sharp = std::mem::replace(&mut self.flags.sharp, true);
        let printed = self.based(value.into(), 16, 'v');
        self.flags.sharp = sharp;
        printed
    }

    pub(super) fn based(&mut self, value: Integer, base: u32, verb: char) -> Printed {
        let flags = self.flags;
        if flags.precision == Some(0) && value.magnitude == 0 {
            let zero = std::mem::replace(&mut self.flags.zero, false);
            let printed = self.write_padding(flags.width.unwrap_or(0));
            self.flags.zero = zero;
            return printed;
        }
        let signed = value.negative || flags.plus || flags.space;
        let least = match (flags.precision, flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => {
                width.saturating_sub(usize::from(signed))
            }
            _ => 0,
        };
        self.budget.bytes(least)?;
        let mut text = digits(value.magnitude, base, verb == 'X');
        if text.len() < least {
            text = "0".repeat(least - text.len()) + &text;
        }
        let prefix = match base {
            2 if flags.sharp => "0b",
            8 if flags.sharp && !text.starts_with('0') => "0",
            16 if flags.sharp && verb == 'X' => "0X",
            16 if flags.sharp => "0x",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        let sign = match (value.negative, flags.plus, flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        };
        self.pad_with_spaces(format!("{sign}{octal}{prefix}{text}"))
    }

    fn code_point(&mut self, value: Integer) -> Printed {
        let bits = if value.negative { value.magnitude.wrapping_neg() } else { value.magnitude };
        let least = self.flags.precision.unwrap_or(4).max(4);
        self.budget.bytes(least)?;
        let shown = format!("{bits:X}");
        let mut text = format!("U+{}{shown}", "0".repeat(least.saturating_sub(shown.len())));
        if self.flags.sharp
            && let Some(rune) =
                u32::try_from(bits).ok().and_then(char::from_u32).filter(|&rune| is_print(rune))
        {
            text += &format!(" '{rune}'");
        }
        self.pad_with_spaces(text)
    }

    /// A string under a verb; `false` where the verb is none for strings.
    pub(super) fn string(&mut self, text: &[u8], verb: char) -> Result<bool, super::Fail> {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text)?,
            'v' | 's' => self.pad(self.truncate(text))?,
            'x' => self.hex_bytes(text, false)?,
            'X' => self.hex_bytes(text, true)?,
            'q' => self.quoted(text)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn quoted(&mut self, text: &[u8]) -> Printed {
        let text = self.truncate(text);
        if self.flags.sharp && can_backquote(text) {
            return self.pad([b"`", text, b"`"].concat());
        }
        self.pad(quote_with(text, '"', self.flags.plus))
    }

    pub(super) fn hex_bytes(&mut self, bytes: &[u8], upper: bool) -> Printed {
        let flags = self.flags;
        let shown =
            bytes.get(..flags.precision.unwrap_or(usize::MAX).min(bytes.len())).unwrap_or(bytes);
        if shown.is_empty() {
            return self.write_padding(flags.width.unwrap_or(0));
        }
        self.budget.bytes(shown.len() * 5)?;
        let prefix = match (flags.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut text = prefix.to_owned();
        for (index, byte) in shown.iter().enumerate() {
            if flags.space && index > 0 {
                text.push(' ');
                text += prefix;
            }
            text += &if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        }
        self.pad(text)
    }
}

fn as_rune(value: Integer) -> char {
    let bits = if value.negative { value.magnitude.wrapping_neg() } else { value.magnitude };
    u32::try_from(bits).ok().and_then(char::from_u32).unwrap_or(RUNE_ERROR)
}
