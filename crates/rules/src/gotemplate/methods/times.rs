//! `time.Time`, `time.Duration` and their parts.

use std::rc::Rc;

use super::{Method, method, unusable};
use crate::gotemplate::functions::{Args, Ty};
use crate::gotemplate::time::{
    Time, Zone, format_duration, month_name, round_duration, weekday_name,
};
use crate::gotemplate::value::{Fail, Out, Value};

const MILLION: i64 = 1_000_000;
const BILLION: i64 = 1_000_000_000;

fn time(value: &Value) -> Result<&Time, Fail> {
    match value {
        Value::Time(time) => Ok(time),
        _ => Err("no time".into()),
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Month(n) | Value::Weekday(n) | Value::Duration(n) => *n,
        _ => 0,
    }
}

fn make(time: Time) -> Out {
    Ok(Value::Time(Rc::new(time)))
}

fn shown_in(receiver: &Value, zone: Zone) -> Out {
    make(Time { zone, ..time(receiver)?.clone() })
}

fn json(receiver: &Value, what: &str) -> Result<Vec<u8>, Fail> {
    time(receiver)?.rfc3339().map_err(|problem| format!("Time.{what}: {problem}").into())
}

pub(super) static TIME: &[Method] = &[
    method("String", &[], |_, t, _| Ok(Value::str(time(t)?.text()))),
    method("GoString", &[], |_, t, _| Ok(Value::str(time(t)?.go_string()))),
    method("Format", &[Ty::Str], |_, t, args| Ok(Value::str(time(t)?.format(args.text(0))))),
    method("AppendFormat", &[Ty::Bytes, Ty::Str], |_, t, args| {
        let mut bytes = match args.value(0) {
            Value::Bytes(Some(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        };
        bytes.extend(time(t)?.format(args.text(1)));
        Ok(Value::Bytes(Some(bytes.into())))
    }),
    method("IsZero", &[], |_, t, _| Ok(Value::Bool(time(t)?.is_zero()))),
    method("IsDST", &[], |_, _, _| Ok(Value::Bool(false))),
    method("After", &[Ty::Time], |_, t, args| {
        Ok(Value::Bool(time(t)?.nanoseconds() > other(args)?))
    }),
    method("Before", &[Ty::Time], |_, t, args| {
        Ok(Value::Bool(time(t)?.nanoseconds() < other(args)?))
    }),
    method("Equal", &[Ty::Time], |_, t, args| {
        Ok(Value::Bool(time(t)?.nanoseconds() == other(args)?))
    }),
    method("Compare", &[Ty::Time], |_, t, args| {
        Ok(Value::Int(time(t)?.nanoseconds().cmp(&other(args)?) as i64))
    }),
    method("Sub", &[Ty::Time], |_, t, args| {
        Ok(Value::Duration(time(t)?.since(time(args.value(0))?)))
    }),
    method("Add", &[Ty::Duration], |_, t, args| make(time(t)?.add(args.int(0)))),
    method("AddDate", &[Ty::Int, Ty::Int, Ty::Int], |_, t, args| {
        make(time(t)?.add_date(args.int(0), args.int(1), args.int(2)))
    }),
    method("Truncate", &[Ty::Duration], |_, t, args| {
        let (time, step) = (time(t)?, args.int(0));
        make(if step <= 0 { time.clone() } else { time.add(-time.remainder(step)) })
    }),
    method("Round", &[Ty::Duration], |_, t, args| {
        let (time, step) = (time(t)?, args.int(0));
        if step <= 0 {
            return make(time.clone());
        }
        let rest = time.remainder(step);
        let below_half = rest.unsigned_abs() * 2 < step.unsigned_abs();
        make(time.add(if below_half { -rest } else { step - rest }))
    }),
    method("UTC", &[], |_, t, _| shown_in(t, Zone::Utc)),
    method("Local", &[], |_, t, _| shown_in(t, Zone::Local)),
    method("In", &[Ty::Location], |_, t, args| match args.value(0) {
        Value::Location(name) if **name == *b"UTC" => shown_in(t, Zone::Utc),
        Value::Location(name) if **name == *b"Local" => shown_in(t, Zone::Local),
        Value::Location(_) => Err("the zone of another time is not known here".into()),
        _ => Err("time: missing Location in call to Time.In".into()),
    }),
    method("Location", &[], |_, t, _| Ok(Value::Location(time(t)?.location()))),
    method("MarshalText", &[], |_, t, _| Ok(Value::Bytes(Some(json(t, "MarshalText")?.into())))),
    method("MarshalJSON", &[], |_, t, _| {
        let quoted = [b"\"", json(t, "MarshalJSON")?.as_slice(), b"\""].concat();
        Ok(Value::Bytes(Some(quoted.into())))
    }),
    unusable("Date", &[]),
    unusable("Clock", &[]),
    unusable("ISOWeek", &[]),
    unusable("Zone", &[]),
    unusable("ZoneBounds", &[]),
];

fn other(args: Args<'_>) -> Result<i128, Fail> {
    Ok(time(args.value(0))?.nanoseconds())
}

fn fits(nanos: i128) -> Value {
    Value::Int64(nanos as i64)
}

pub(super) static TIME_PARTS: &[Method] = &[
    method("Year", &[], |_, t, _| Ok(Value::Int(time(t)?.date().year))),
    method("Month", &[], |_, t, _| Ok(Value::Month(time(t)?.date().month))),
    method("Day", &[], |_, t, _| Ok(Value::Int(time(t)?.date().day))),
    method("Weekday", &[], |_, t, _| Ok(Value::Weekday(time(t)?.weekday()))),
    method("YearDay", &[], |_, t, _| Ok(Value::Int(time(t)?.year_day()))),
    method("Hour", &[], |_, t, _| Ok(Value::Int(time(t)?.clock().0))),
    method("Minute", &[], |_, t, _| Ok(Value::Int(time(t)?.clock().1))),
    method("Second", &[], |_, t, _| Ok(Value::Int(time(t)?.clock().2))),
    method("Nanosecond", &[], |_, t, _| Ok(Value::Int(i64::from(time(t)?.nanos)))),
    method("Unix", &[], |_, t, _| Ok(Value::Int64(time(t)?.secs))),
    method("UnixMilli", &[], |_, t, _| Ok(fits(time(t)?.nanoseconds().div_euclid(1_000_000)))),
    method("UnixMicro", &[], |_, t, _| Ok(fits(time(t)?.nanoseconds().div_euclid(1_000)))),
    method("UnixNano", &[], |_, t, _| Ok(fits(time(t)?.nanoseconds()))),
];

pub(super) static MONTH: &[Method] =
    &[method("String", &[], |_, month, _| Ok(Value::str(month_name(number(month)))))];

pub(super) static WEEKDAY: &[Method] =
    &[method("String", &[], |_, day, _| Ok(Value::str(weekday_name(number(day)))))];

pub(super) static LOCATION: &[Method] = &[method("String", &[], |_, location, _| match location {
    Value::Location(name) => Ok(Value::Str(name.clone())),
    _ => Ok(Value::Invalid),
})];

/// A duration in a unit, its whole part and its fraction converted apart as Go does.
fn in_unit(duration: &Value, unit: i64) -> Value {
    let nanos = number(duration);
    Value::Float((nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64)
}

pub(super) static DURATION: &[Method] = &[
    method("String", &[], |_, d, _| Ok(Value::str(format_duration(number(d))))),
    method("Nanoseconds", &[], |_, d, _| Ok(Value::Int64(number(d)))),
    method("Microseconds", &[], |_, d, _| Ok(Value::Int64(number(d) / 1000))),
    method("Milliseconds", &[], |_, d, _| Ok(Value::Int64(number(d) / MILLION))),
    method("Seconds", &[], |_, d, _| Ok(in_unit(d, BILLION))),
    method("Minutes", &[], |_, d, _| Ok(in_unit(d, 60 * BILLION))),
    method("Hours", &[], |_, d, _| Ok(in_unit(d, 3600 * BILLION))),
    method("Abs", &[], |_, d, _| Ok(Value::Duration(number(d).checked_abs().unwrap_or(i64::MAX)))),
    method("Round", &[Ty::Duration], |_, d, args| {
        Ok(Value::Duration(round_duration(number(d), args.int(0))))
    }),
    method("Truncate", &[Ty::Duration], |_, d, args| {
        let (nanos, step) = (number(d), args.int(0));
        Ok(Value::Duration(if step <= 0 { nanos } else { nanos - nanos % step }))
    }),
];
