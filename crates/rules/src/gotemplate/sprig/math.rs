//! Integer arithmetic.

use rand::Rng;

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::value::{Out, Value, to_int};

const A: Ty = Ty::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("add1", &[A], |_, args| Ok(Value::Int64(to_int(args.value(0)).wrapping_add(1)))),
    variadic("add", &[], A, |_, args| {
        Ok(Value::Int64(args.0.iter().map(to_int).fold(0, i64::wrapping_add)))
    }),
    fixed("sub", &[A, A], |_, args| {
        Ok(Value::Int64(to_int(args.value(0)).wrapping_sub(to_int(args.value(1)))))
    }),
    fixed("div", &[A, A], |_, args| divide(args, i64::wrapping_div)),
    fixed("mod", &[A, A], |_, args| divide(args, i64::wrapping_rem)),
    variadic("mul", &[A], A, |_, args| {
        Ok(Value::Int64(args.0.iter().map(to_int).fold(1, i64::wrapping_mul)))
    }),
    variadic("biggest", &[A], A, |_, args| {
        Ok(Value::Int64(args.0.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("max", &[A], A, |_, args| {
        Ok(Value::Int64(args.0.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("min", &[A], A, |_, args| {
        Ok(Value::Int64(args.0.iter().map(to_int).min().unwrap_or(0)))
    }),
    fixed("randInt", &[Ty::Int, Ty::Int], random),
];

fn divide(args: Args<'_>, operation: fn(i64, i64) -> i64) -> Out {
    match to_int(args.value(1)) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::Int64(operation(to_int(args.value(0)), divisor))),
    }
}

fn random(_: &Env<'_>, args: Args<'_>) -> Out {
    let (low, high) = (args.int(0), args.int(1));
    let width = high.wrapping_sub(low);
    if width <= 0 {
        return Err("invalid argument to Intn".into());
    }
    Ok(Value::Int(rand::rng().random_range(0..width).wrapping_add(low)))
}
