//! Go's `fmt`: `Sprint`, `Sprintln`, `Sprintf`, and the formatting of every kind of value.

mod float;
mod number;
mod printf;
mod quoting;
mod time;
mod value;
mod version;

pub(crate) use float::format_float;
pub(crate) use quoting::quote;
pub(crate) use value::method_text;

use super::limits::Budget;
use super::text::{rune_count, runes};
use super::value::{Fail, Value};

/// The largest width and precision Go accepts.
const MAX_WIDTH: i64 = 1_000_000;

/// Flags, width and precision of one verb.
#[derive(Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    plus_v: bool,
    sharp_v: bool,
}

/// Collects formatted text, within the budget.
struct Printer<'b> {
    out: Vec<u8>,
    flags: Flags,
    budget: &'b Budget,
    /// Inside the report of a wrong verb, where methods are not called.
    erroring: bool,
}

type Printed = Result<(), Fail>;

impl<'b> Printer<'b> {
    fn new(budget: &'b Budget) -> Self {
        Self { out: Vec::new(), flags: Flags::default(), budget, erroring: false }
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) -> Printed {
        let bytes = bytes.as_ref();
        self.budget.bytes(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn write_padding(&mut self, count: usize) -> Printed {
        self.budget.bytes(count)?;
        let byte = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.resize(self.out.len() + count, byte);
        Ok(())
    }

    /// Writes bytes, padded to the width.
    fn pad(&mut self, bytes: impl AsRef<[u8]>) -> Printed {
        let bytes = bytes.as_ref();
        let Some(width) = self.flags.width else {
            return self.write(bytes);
        };
        let padding = width.saturating_sub(rune_count(bytes));
        if self.flags.minus {
            self.write(bytes)?;
            self.write_padding(padding)
        } else {
            self.write_padding(padding)?;
            self.write(bytes)
        }
    }

    /// Writes bytes, padded with spaces whatever the flags say.
    fn pad_with_spaces(&mut self, bytes: impl AsRef<[u8]>) -> Printed {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        let printed = self.pad(bytes);
        self.flags.zero = zero;
        printed
    }

    /// Cuts text to as many runes as the precision allows.
    fn truncate<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        match runes(text).nth(precision) {
            Some((at, ..)) => text.get(..at).unwrap_or(text),
            None => text,
        }
    }
}

/// `fmt.Sprint`: spaces between operands of which neither is a string.
pub(crate) fn sprint(args: &[Value], budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut printer = Printer::new(budget);
    let mut after_text = true;
    for (index, arg) in args.iter().enumerate() {
        let text = arg.text().is_some();
        if index > 0 && !text && !after_text {
            printer.write(b" ")?;
        }
        printer.arg(arg, 'v')?;
        after_text = text;
    }
    Ok(printer.out)
}

/// `fmt.Sprintln`
pub(crate) fn sprintln(args: &[Value], budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut printer = Printer::new(budget);
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.write(b" ")?;
        }
        printer.arg(arg, 'v')?;
    }
    printer.write(b"\n")?;
    Ok(printer.out)
}

/// `fmt.Sprintf`
pub(crate) fn sprintf(format: &[u8], args: &[Value], budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut printer = Printer::new(budget);
    printer.printf(format, args)?;
    Ok(printer.out)
}

/// What an action prints: pointers are followed, no value has a text of its own.
pub(crate) fn print_value(value: &Value, budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut printer = Printer::new(budget);
    match value {
        Value::Invalid => printer.write(b"<no value>")?,
        Value::Platform(Some(platform)) => {
            printer.structure("v1.Platform", &platform.fields(), 'v', 0)?;
        }
        other => printer.arg(other, 'v')?,
    }
    Ok(printer.out)
}
