//! Format strings: flags, width, precision, explicit argument indexes.

use super::{Flags, MAX_WIDTH, Printed, Printer};
use crate::gotemplate::text::{decode_rune, push_rune};
use crate::gotemplate::value::Value;

/// Where a format and its arguments stand.
struct Cursor<'f> {
    format: &'f [u8],
    at: usize,
    args: &'f [Value],
    arg: usize,
    /// An explicit index stood before what comes next.
    after_index: bool,
    /// Every index of this verb was good.
    good: bool,
    reordered: bool,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Digits as a number; too large a number is none.
    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut value = 0_i64;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            if value > MAX_WIDTH {
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        if self.at == start { None } else { usize::try_from(value).ok() }
    }

    /// `[n]`
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let Some(close) = rest.iter().position(|&b| b == b']').filter(|_| rest.len() >= 3) else {
            self.good = false;
            self.at += 1;
            return;
        };
        let end = self.at + close + 1;
        self.at += 1;
        let number = self.number().filter(|_| self.at + 1 == end);
        self.at = end;
        match number {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.arg = number - 1;
                self.after_index = true;
            }
            Some(_) => {
                self.good = false;
                self.after_index = true;
            }
            None => self.good = false,
        }
    }

    /// The next argument as a width or precision.
    fn star(&mut self) -> Option<i64> {
        let value = match self.args.get(self.arg)? {
            Value::Int(n)
            | Value::Int64(n)
            | Value::Month(n)
            | Value::Weekday(n)
            | Value::Duration(n) => Some(*n),
            Value::Uint8(n) => Some(i64::from(*n)),
            Value::Uint64(n) => i64::try_from(*n).ok(),
            _ => None,
        };
        self.arg += 1;
        value.filter(|n| (-MAX_WIDTH..=MAX_WIDTH).contains(n))
    }
}

impl Printer<'_> {
    pub(super) fn printf(&mut self, format: &[u8], args: &[Value]) -> Printed {
        let mut cursor = Cursor {
            format,
            at: 0,
            args,
            arg: 0,
            after_index: false,
            good: true,
            reordered: false,
        };
        loop {
            let rest = format.get(cursor.at..).unwrap_or_default();
            let literal = rest.iter().position(|&b| b == b'%').unwrap_or(rest.len());
            self.write(rest.get(..literal).unwrap_or_default())?;
            cursor.at += literal + 1;
            if literal == rest.len() {
                break;
            }
            self.budget.step(1)?;
            if !self.verb(&mut cursor)? {
                break;
            }
        }
        self.extra(&cursor)
    }

    /// One verb; `false` where the format ends before it.
    fn verb(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, super::Fail> {
        cursor.good = true;
        self.flags = Flags::default();
        self.read_flags(cursor);
        cursor.index();
        self.read_width(cursor)?;
        self.read_precision(cursor)?;
        if !cursor.after_index {
            cursor.index();
        }
        let (verb, width) = decode_rune(cursor.format.get(cursor.at..).unwrap_or_default());
        if width == 0 {
            self.write(b"%!(NOVERB)")?;
            return Ok(false);
        }
        cursor.at += width;
        if verb == '%' {
            self.write(b"%")?;
            return Ok(true);
        }
        if !cursor.good {
            self.complain(verb, b"(BADINDEX)")?;
            return Ok(true);
        }
        let Some(arg) = cursor.args.get(cursor.arg) else {
            self.complain(verb, b"(MISSING)")?;
            return Ok(true);
        };
        cursor.arg += 1;
        if matches!(verb, 'v' | 'w') {
            self.flags.sharp_v = std::mem::replace(&mut self.flags.sharp, false);
            self.flags.plus_v = std::mem::replace(&mut self.flags.plus, false);
        }
        self.arg(arg, verb)?;
        Ok(true)
    }

    fn read_flags(&mut self, cursor: &mut Cursor<'_>) {
        while let Some(byte) = cursor.peek() {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            cursor.at += 1;
        }
    }

    fn read_width(&mut self, cursor: &mut Cursor<'_>) -> Printed {
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            cursor.after_index = false;
            let Some(width) = cursor.star() else {
                return self.write(b"%!(BADWIDTH)");
            };
            if width < 0 {
                self.flags.minus = true;
                self.flags.zero = false;
            }
            self.flags.width = usize::try_from(width.unsigned_abs()).ok();
            return Ok(());
        }
        self.flags.width = cursor.number();
        if cursor.after_index && self.flags.width.is_some() {
            cursor.good = false;
        }
        Ok(())
    }

    fn read_precision(&mut self, cursor: &mut Cursor<'_>) -> Printed {
        if cursor.peek() != Some(b'.') || cursor.at + 1 >= cursor.format.len() {
            return Ok(());
        }
        cursor.at += 1;
        if cursor.after_index {
            cursor.good = false;
        }
        cursor.index();
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            cursor.after_index = false;
            self.flags.precision =
                cursor.star().and_then(|precision| usize::try_from(precision).ok());
            if self.flags.precision.is_none() {
                return self.write(b"%!(BADPREC)");
            }
            return Ok(());
        }
        self.flags.precision = Some(cursor.number().unwrap_or(0));
        Ok(())
    }

    fn complain(&mut self, verb: char, what: &[u8]) -> Printed {
        let mut text = b"%!".to_vec();
        push_rune(&mut text, verb);
        text.extend_from_slice(what);
        self.write(text)
    }

    /// Arguments that no verb took.
    fn extra(&mut self, cursor: &Cursor<'_>) -> Printed {
        if cursor.reordered || cursor.arg >= cursor.args.len() {
            return Ok(());
        }
        self.flags = Flags::default();
        self.write(b"%!(EXTRA ")?;
        for (index, arg) in cursor.args.iter().skip(cursor.arg).enumerate() {
            if index > 0 {
                self.write(b", ")?;
            }
            if arg.is_nothing() {
                self.write(b"<nil>")?;
            } else {
                self.write(arg.type_name())?;
                self.write(b"=")?;
                self.arg(arg, 'v')?;
            }
        }
        self.write(b")")
    }
}
