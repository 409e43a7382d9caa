//! Functions that read and write JSON, with the escaping of Go's encoder.

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::json::{decode, encode, indent};
use crate::gotemplate::value::{Fail, Out, Value};

const A: &[Ty] = &[Ty::Any];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("fromJson", &[Ty::Str], |env, args| match decode(args.text(0), &env.budget) {
        Ok(decoded) => Ok(decoded.value),
        Err(Fail::Error(_)) => Ok(Value::Nil),
        Err(limit) => Err(limit),
    }),
    fixed("mustFromJson", &[Ty::Str], |env, args| {
        let decoded = decode(args.text(0), &env.budget)?;
        decoded.problem.map_or(Ok(decoded.value), |problem| Err(problem.into()))
    }),
    fixed("toJson", A, |env, args| or_empty(compact(env, args))),
    fixed("mustToJson", A, |env, args| compact(env, args).map(Value::str)),
    fixed("toPrettyJson", A, |env, args| or_empty(pretty(env, args))),
    fixed("mustToPrettyJson", A, |env, args| pretty(env, args).map(Value::str)),
    fixed("toRawJson", A, raw),
    fixed("mustToRawJson", A, raw),
];

fn compact(env: &Env<'_>, args: Args<'_>) -> Result<Vec<u8>, Fail> {
    encode(args.value(0), true, &env.budget)
}

fn pretty(env: &Env<'_>, args: Args<'_>) -> Result<Vec<u8>, Fail> {
    indent(&compact(env, args)?, &env.budget)
}

fn raw(env: &Env<'_>, args: Args<'_>) -> Out {
    encode(args.value(0), false, &env.budget).map(Value::str)
}

/// What cannot be written as JSON is no text at all.
fn or_empty(result: Result<Vec<u8>, Fail>) -> Out {
    match result {
        Err(Fail::Error(_)) => Ok(Value::str("")),
        other => other.map(Value::str),
    }
}
