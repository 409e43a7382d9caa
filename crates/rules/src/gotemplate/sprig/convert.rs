//! Conversions to numbers, and sequences of them.

use crate::gotemplate::fmt;
use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::parse_number::{parse_int_base, parse_int_clamped};
use crate::gotemplate::value::{Elem, Fail, List, Out, Value, to_float, to_int};

const I: Ty = Ty::Int;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Ty::Str], |_, args| {
        Ok(Value::Int(parse_int_clamped(&String::from_utf8_lossy(args.text(0)), 10)))
    }),
    fixed("int", &[Ty::Any], |_, args| Ok(Value::Int(to_int(args.value(0))))),
    fixed("int64", &[Ty::Any], |_, args| Ok(Value::Int64(to_int(args.value(0))))),
    fixed("float64", &[Ty::Any], |_, args| Ok(Value::Float(to_float(args.value(0))))),
    fixed("toDecimal", &[Ty::Any], |env, args| {
        let text = fmt::sprint(&[args.value(0).clone()], &env.budget)?;
        Ok(Value::Int64(parse_int_base(&String::from_utf8_lossy(&text), 8).unwrap_or(0)))
    }),
    fixed("until", &[I], |env, args| {
        let stop = args.int(0);
        ints(steps(env, 0, stop, if stop < 0 { -1 } else { 1 })?)
    }),
    fixed("untilStep", &[I, I, I], |env, args| {
        ints(steps(env, args.int(0), args.int(1), args.int(2))?)
    }),
    variadic("seq", &[], I, sequence),
];

fn ints(numbers: Vec<i64>) -> Out {
    Ok(Value::List(List::appended(Elem::Int, numbers.into_iter().map(Value::Int).collect(), 0)))
}

/// The numbers from `start` until `stop`, where the step leads there.
fn steps(env: &Env<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Fail> {
    let mut numbers = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop && stop < start) {
        env.budget.elements(1)?;
        numbers.push(at);
        let Some(next) = at.checked_add(step) else {
            return Err(Fail::Limit("the numbers of a sequence overflow".to_owned()));
        };
        at = next;
    }
    Ok(numbers)
}

fn sequence(env: &Env<'_>, args: Args<'_>) -> Out {
    let (start, step, end) = match args.0.len() {
        1 => (1, None, args.int(0)),
        2 => (args.int(0), None, args.int(1)),
        3 => (args.int(0), Some(args.int(1)), args.int(2)),
        _ => return Ok(Value::str("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok(Value::str(""));
    }
    let numbers = steps(env, start, end.wrapping_add(direction), step.unwrap_or(direction))?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::str(texts.join(" ")))
}
