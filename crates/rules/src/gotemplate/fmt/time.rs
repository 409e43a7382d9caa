//! `time.Time` under a verb its `String` method does not answer: the fields behind it.

use super::{Printed, Printer};
use crate::gotemplate::time::{Time, Zone};
use crate::gotemplate::value::{Elem, Hash, List, Value};

const LOCATION: &str = "*time.Location";

impl Printer<'_> {
    /// The fields of a time.
    pub(super) fn time(&mut self, time: &Time, verb: char, depth: usize) -> Printed {
        let fields = [
            ("wall", Value::Uint64(u64::from(time.nanos))),
            ("ext", Value::Int64(time.seconds_of_year_one())),
        ];
        let named = self.flags.plus_v;
        self.write(b"{")?;
        for (name, value) in &fields {
            if named {
                self.write(format!("{name}:"))?;
            }
            self.value_at(value, verb, depth + 1)?;
            self.write(b" ")?;
        }
        if named {
            self.write(b"loc:")?;
        }
        self.location(time.zone != Zone::Utc, verb)?;
        self.write(b"}")
    }

    /// The pointer to the zone, nil for UTC.
    fn location(&mut self, known: bool, verb: char) -> Printed {
        match verb {
            'v' if known => self.hex_literal(Hash::ADDRESS),
            'v' => self.pad(b"<nil>"),
            'b' | 'o' | 'd' | 'x' | 'X' => {
                let address = if known { Hash::ADDRESS } else { 0 };
                self.integer(address.into(), verb).map(drop)
            }
            _ => self.wrong_location(known, verb),
        }
    }

    /// Where the verb is none for pointers, `time.Local` is shown with its fields.
    fn wrong_location(&mut self, known: bool, verb: char) -> Printed {
        self.write(format!("%!{verb}({LOCATION}="))?;
        let outer = std::mem::replace(&mut self.erroring, true);
        if known {
            let none = || Value::List(List::nil(Elem::Any));
            let fields = [
                ("name", Value::str("UTC")),
                ("zone", none()),
                ("tx", none()),
                ("extend", Value::str("")),
                ("cacheStart", Value::Int64(0)),
                ("cacheEnd", Value::Int64(0)),
                ("cacheZone", Value::Platform(None)),
            ];
            self.write(b"&")?;
            self.structure("time.Location", &fields, 'v', 1)?;
        } else {
            self.pad(b"<nil>")?;
        }
        self.erroring = outer;
        self.write(b")")
    }
}
