//! Values of every type under a verb.

use super::version::version_fields;
use super::{Printed, Printer};
use crate::gotemplate::limits::check_depth;
use crate::gotemplate::text::{GoStr, push_rune};
use crate::gotemplate::time;
use crate::gotemplate::value::{Dict, Fail, Hash, Kind, List, Value};

/// What the value's `Error` or `String` method gives.
pub(crate) fn method_text(value: &Value) -> Option<GoStr> {
    Some(match value {
        Value::Error(_, text)
        | Value::Digest(text)
        | Value::Algorithm(text)
        | Value::Location(text) => text.clone(),
        Value::Month(month) => time::month_name(*month).into(),
        Value::Weekday(day) => time::weekday_name(*day).into(),
        Value::Duration(duration) => time::format_duration(*duration).into(),
        Value::Time(time) => time.text().into(),
        Value::Version(version) | Value::VersionPtr(version) => version.to_string().into(),
        _ => return None,
    })
}

impl Printer<'_> {
    /// An operand under a verb.
    pub(super) fn arg(&mut self, arg: &Value, verb: char) -> Printed {
        if arg.is_nothing() {
            return match verb {
                'T' | 'v' => self.pad(b"<nil>"),
                _ => self.bad_verb(None, verb),
            };
        }
        match verb {
            'T' => {
                let name = self.truncate(arg.type_name().as_bytes());
                return self.pad(name);
            }
            'p' => return self.pointer(arg, verb),
            _ => {}
        }
        if let (Value::Bytes(bytes), false) = (arg, matches!(verb, 's' | 'x' | 'X' | 'q')) {
            return self.bytes(arg, bytes.as_deref(), verb, "[]byte");
        }
        self.value_at(arg, verb, 0)
    }

    pub(super) fn value_at(&mut self, value: &Value, verb: char, depth: usize) -> Printed {
        self.budget.step(1)?;
        check_depth(depth)?;
        if self.by_method(value, verb)? {
            return Ok(());
        }
        let known = match value {
            Value::Bool(b) if matches!(verb, 't' | 'v') => {
                self.pad(if *b { "true" } else { "false" })?;
                true
            }
            Value::Int(n)
            | Value::Int64(n)
            | Value::Month(n)
            | Value::Weekday(n)
            | Value::Duration(n) => self.integer((*n).into(), verb)?,
            Value::Uint8(n) => self.integer(u64::from(*n).into(), verb)?,
            Value::Uint64(n) => self.integer((*n).into(), verb)?,
            Value::Float(f) => self.float(*f, verb)?,
            Value::Complex(re, im) => self.complex(*re, *im, verb)?,
            Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => {
                self.string(text, verb)?
            }
            Value::Bool(_) => false,
            _ => {
                self.composite(value, verb, depth)?;
                true
            }
        };
        if known { Ok(()) } else { self.bad_verb(Some(value), verb) }
    }

    /// Lets the value's own method print it, where the verb allows that.
    fn by_method(&mut self, value: &Value, verb: char) -> Result<bool, Fail> {
        if self.erroring {
            return Ok(false);
        }
        if verb == 'w' {
            if !is_plain(value) {
                self.bad_verb(Some(value), verb)?;
            }
            return Ok(!is_plain(value));
        }
        if self.flags.sharp_v {
            if let Value::Time(time) = value {
                let text = time.go_string();
                self.pad(self.truncate(text.as_bytes()))?;
                return Ok(true);
            }
            return Ok(false);
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return Ok(false);
        }
        match method_text(value) {
            Some(text) => self.string(&text, verb),
            None => Ok(false),
        }
    }

    fn composite(&mut self, value: &Value, verb: char, depth: usize) -> Printed {
        match value {
            Value::Invalid | Value::Nil | Value::NilError if self.flags.sharp_v => {
                self.write(b"interface {}(nil)")
            }
            Value::Invalid | Value::Nil | Value::NilError => self.write(b"<nil>"),
            Value::Bytes(bytes) if matches!(verb, 's' | 'x' | 'X' | 'q') => {
                self.bytes(value, bytes.as_deref(), verb, "[]uint8")
            }
            Value::Bytes(bytes) => {
                let items: Vec<_> =
                    bytes.as_deref().unwrap_or_default().iter().map(|&b| Value::Uint8(b)).collect();
                self.sequence(value, bytes.is_none(), &items, verb, depth)
            }
            Value::List(list) => self.list(value, list, verb, depth),
            Value::Dict(dict) => self.dict(value, dict.as_ref(), verb, depth),
            Value::StrMap(map) => {
                let entries = map.iter().flat_map(|map| map.iter());
                let entries =
                    entries.map(|(key, text)| (key.clone(), Value::Str(text.clone()))).collect();
                self.map(value, map.is_none(), entries, verb, depth)
            }
            Value::Descriptor(descriptor) => {
                self.structure(value.type_name(), &descriptor.fields(), verb, depth)
            }
            Value::Platform(Some(platform)) if depth == 0 => {
                self.write(b"&")?;
                self.structure("v1.Platform", &platform.fields(), verb, depth + 1)
            }
            Value::Version(version) => {
                self.structure("semver.Version", &version_fields(version), verb, depth)
            }
            Value::VersionPtr(version) if depth == 0 => {
                self.write(b"&")?;
                self.structure("semver.Version", &version_fields(version), verb, depth + 1)
            }
            Value::Error(_, text) if depth == 0 => {
                self.write(b"&")?;
                self.structure(
                    "errors.errorString",
                    &[("s", Value::Str(text.clone()))],
                    verb,
                    depth + 1,
                )
            }
            Value::Time(time) => self.time(time, verb, depth),
            other => self.pointer(other, verb),
        }
    }

    fn bad_verb(&mut self, value: Option<&Value>, verb: char) -> Printed {
        let mut text = b"%!".to_vec();
        push_rune(&mut text, verb);
        text.push(b'(');
        self.write(text)?;
        let outer = std::mem::replace(&mut self.erroring, true);
        match value {
            Some(value) => {
                self.write(value.type_name())?;
                self.write(b"=")?;
                self.arg(value, 'v')?;
            }
            None => self.write(b"<nil>")?,
        }
        self.erroring = outer;
        self.write(b")")
    }

    fn bytes(&mut self, value: &Value, bytes: Option<&[u8]>, verb: char, name: &str) -> Printed {
        let shown = bytes.unwrap_or_default();
        match verb {
            'v' | 'd' if self.flags.sharp_v => {
                self.write(name)?;
                if bytes.is_none() {
                    return self.write(b"(nil)");
                }
                self.joined(b"{", b", ", b"}", shown, |printer, byte| {
                    printer.hex_literal(u64::from(*byte))
                })
            }
            'v' | 'd' => self.joined(b"[", b" ", b"]", shown, |printer, byte| {
                printer.based(u64::from(*byte).into(), 10, verb)
            }),
            's' => self.pad(self.truncate(shown)),
            'x' => self.hex_bytes(shown, false),
            'X' => self.hex_bytes(shown, true),
            'q' => self.quoted(shown),
            _ => self.value_at(value, verb, 0),
        }
    }

    fn joined<T>(
        &mut self,
        open: &[u8],
        separator: &[u8],
        close: &[u8],
        items: &[T],
        mut print: impl FnMut(&mut Self, &T) -> Printed,
    ) -> Printed {
        self.write(open)?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.write(separator)?;
            }
            print(self, item)?;
        }
        self.write(close)
    }

    fn list(&mut self, value: &Value, list: &List, verb: char, depth: usize) -> Printed {
        self.budget.step(list.len())?;
        self.sequence(value, list.is_nil(), &list.to_vec(), verb, depth)
    }

    fn sequence(
        &mut self,
        value: &Value,
        nil: bool,
        items: &[Value],
        verb: char,
        depth: usize,
    ) -> Printed {
        let print = |printer: &mut Self, item: &Value| printer.value_at(item, verb, depth + 1);
        if !self.flags.sharp_v {
            return self.joined(b"[", b" ", b"]", items, print);
        }
        self.write(value.type_name())?;
        if nil {
            return self.write(b"(nil)");
        }
        self.joined(b"{", b", ", b"}", items, print)
    }

    fn dict(&mut self, value: &Value, dict: Option<&Dict>, verb: char, depth: usize) -> Printed {
        let entries = dict.map(Dict::entries).unwrap_or_default();
        self.budget.step(entries.len())?;
        self.map(value, dict.is_none(), entries, verb, depth)
    }

    fn map(
        &mut self,
        value: &Value,
        nil: bool,
        entries: Vec<(GoStr, Value)>,
        verb: char,
        depth: usize,
    ) -> Printed {
        let print = |printer: &mut Self, (key, item): &(GoStr, Value)| {
            printer.value_at(&Value::Str(key.clone()), verb, depth + 1)?;
            printer.write(b":")?;
            printer.value_at(item, verb, depth + 1)
        };
        if !self.flags.sharp_v {
            return self.joined(b"map[", b" ", b"]", &entries, print);
        }
        self.write(value.type_name())?;
        if nil {
            return self.write(b"(nil)");
        }
        self.joined(b"{", b", ", b"}", &entries, print)
    }

    pub(super) fn structure(
        &mut self,
        name: &str,
        fields: &[(&'static str, Value)],
        verb: char,
        depth: usize,
    ) -> Printed {
        let named = self.flags.sharp_v || self.flags.plus_v;
        let separator: &[u8] = if self.flags.sharp_v { b", " } else { b" " };
        if self.flags.sharp_v {
            self.write(name)?;
        }
        self.joined(b"{", separator, b"}", fields, |printer, (name, value)| {
            if named {
                printer.write(name)?;
                printer.write(b":")?;
            }
            printer.value_at(value, verb, depth + 1)
        })
    }

    /// A pointer: Go prints its address; here only nil has one that means anything.
    fn pointer(&mut self, value: &Value, verb: char) -> Printed {
        let nil = match value {
            Value::Platform(platform) => platform.is_none(),
            Value::Dict(dict) => dict.is_none(),
            Value::StrMap(map) => map.is_none(),
            Value::Bytes(bytes) => bytes.is_none(),
            Value::List(list) => list.is_nil(),
            _ => false,
        };
        let pointer = matches!(value.kind(), Kind::Ptr | Kind::Map | Kind::Slice)
            || matches!(value, Value::Hash(_));
        let address = u64::from(!nil) * Hash::ADDRESS;
        match verb {
            _ if !pointer => self.bad_verb(Some(value), verb),
            'v' if self.flags.sharp_v => {
                let address = if nil { "nil".to_owned() } else { format!("{address:#x}") };
                self.write(format!("({})({address})", value.type_name()))
            }
            'v' if nil => self.pad(b"<nil>"),
            'v' | 'p' => {
                let sharp = !self.flags.sharp;
                let outer = std::mem::replace(&mut self.flags.sharp, sharp);
                let printed = self.based(address.into(), 16, 'v');
                self.flags.sharp = outer;
                printed
            }
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(address.into(), verb).map(drop),
            _ => self.bad_verb(Some(value), verb),
        }
    }
}

/// Whether `fmt` prints a value of the type without looking for methods.
fn is_plain(value: &Value) -> bool {
    matches!(
        value,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Int64(_)
            | Value::Uint8(_)
            | Value::Uint64(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Str(_)
            | Value::Bytes(_)
    )
}
