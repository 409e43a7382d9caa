//! Dates and durations. Time zones other than UTC are known by their offset alone.

use std::rc::Rc;

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::parse_number::parse_int_clamped;
use crate::gotemplate::time::{Time, Zone, format_duration, parse, parse_duration, round_duration};
use crate::gotemplate::value::{Out, Value};

const S: Ty = Ty::Str;
const SECOND: i64 = 1_000_000_000;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("toDate", &[S, S], |_, args| {
        Ok(Value::Time(Rc::new(parse(args.text(0), args.text(1)).unwrap_or_else(|_| Time::zero()))))
    }),
    fixed("mustToDate", &[S, S], |_, args| {
        Ok(Value::Time(Rc::new(parse(args.text(0), args.text(1))?)))
    }),
    fixed("mustDateModify", &[S, Ty::Time], modify),
    fixed("must_date_modify", &[S, Ty::Time], modify),
    fixed("unixEpoch", &[Ty::Time], |_, args| match args.value(0) {
        Value::Time(time) => Ok(Value::str(time.secs.to_string())),
        _ => Ok(Value::Invalid),
    }),
    fixed("duration", &[Ty::Any], |_, args| {
        let seconds = match args.value(0) {
            Value::Str(text) => parse_int_clamped(&text.lossy(), 10),
            Value::Int64(seconds) => *seconds,
            _ => 0,
        };
        Ok(Value::str(format_duration(seconds.wrapping_mul(SECOND))))
    }),
    fixed("durationRound", &[Ty::Any], |env, args| {
        let duration = match args.value(0) {
            Value::Str(text) => parse_duration(text).unwrap_or(0),
            Value::Int64(nanos) => *nanos,
            Value::Time(time) => env.now().since(time),
            _ => 0,
        };
        Ok(Value::str(coarse(duration.unsigned_abs())))
    }),
    fixed("ago", &[Ty::Any], ago),
];

fn modify(_: &Env<'_>, args: Args<'_>) -> Out {
    let duration = parse_duration(args.text(0))?;
    match args.value(1) {
        Value::Time(time) => Ok(Value::Time(Rc::new(time.add(duration)))),
        _ => Ok(Value::Invalid),
    }
}

fn ago(env: &Env<'_>, args: Args<'_>) -> Out {
    let at = |secs: i64| Time { secs, nanos: 0, zone: Zone::Local };
    let elapsed = match args.value(0) {
        Value::Time(time) => env.now().since(time),
        Value::Int(secs) | Value::Int64(secs) => env.now().since(&at(*secs)),
        _ => 0,
    };
    Ok(Value::str(format_duration(round_duration(elapsed, SECOND))))
}

/// A duration in its largest unit alone.
fn coarse(nanos: u64) -> String {
    let second = SECOND.unsigned_abs();
    let (hour, day) = (second * 3600, second * 86_400);
    let units = [
        (day * 365, "y"),
        (day * 30, "mo"),
        (day, "d"),
        (hour, "h"),
        (second * 60, "m"),
        (second, "s"),
    ];
    let unit = units.iter().find(|(length, _)| nanos > *length);
    unit.map_or_else(|| "0s".to_owned(), |(length, name)| format!("{}{name}", nanos / length))
}
