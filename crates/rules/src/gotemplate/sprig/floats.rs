//! Arithmetic of floats, the basic operations on their decimal digits.

use crate::gotemplate::decimal::Decimal;
use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::value::{Fail, Out, Value, to_float};

const A: Ty = Ty::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("add1f", &[A], |env, args| {
        fold(env, args.value(0), &[Value::Int(1)], |a, b| Ok(a.add(b)))
    }),
    variadic("addf", &[], A, |env, args| {
        fold(env, &Value::Float(0.0), args.0, |a, b| Ok(a.add(b)))
    }),
    variadic("subf", &[A], A, |env, args| {
        fold(env, args.value(0), args.rest(1), |a, b| Ok(a.sub(b)))
    }),
    variadic("divf", &[A], A, |env, args| {
        fold(env, args.value(0), args.rest(1), |a, b| {
            a.div(b).ok_or_else(|| "decimal division by 0".into())
        })
    }),
    variadic("mulf", &[A], A, |env, args| {
        fold(env, args.value(0), args.rest(1), |a, b| Ok(a.mul(b)))
    }),
    variadic("maxf", &[A], A, |_, args| {
        extreme(args, f64::INFINITY, |a, b| if a > b { a } else { b })
    }),
    variadic("minf", &[A], A, |_, args| {
        extreme(args, f64::NEG_INFINITY, |a, b| if a < b { a } else { b })
    }),
    fixed("ceil", &[A], |_, args| Ok(Value::Float(to_float(args.value(0)).ceil()))),
    fixed("floor", &[A], |_, args| Ok(Value::Float(to_float(args.value(0)).floor()))),
    variadic("round", &[A, Ty::Int], Ty::Float, round),
];

type Operation = fn(&Decimal, &Decimal) -> Result<Decimal, Fail>;

/// Applies an operation to decimals, one argument after the other.
fn fold(env: &Env<'_>, first: &Value, rest: &[Value], operation: Operation) -> Out {
    let mut result = decimal(first)?;
    for value in rest {
        env.budget.step(result.digits())?;
        result = operation(&result, &decimal(value)?)?;
    }
    Ok(Value::Float(result.to_float()))
}

fn decimal(value: &Value) -> Result<Decimal, Fail> {
    let float = to_float(value);
    Decimal::from_float(float).ok_or_else(|| {
        let shown = crate::gotemplate::fmt::format_float(float, 'g', None);
        format!("Cannot create a Decimal from {shown}").into()
    })
}

#[allow(clippy::float_cmp, reason = "infinities are equal or not")]
/// `math.Max` or `math.Min` of all: an infinity that decides wins over NaN, NaN over the rest.
fn extreme(args: Args<'_>, deciding: f64, better: fn(f64, f64) -> f64) -> Out {
    let mut result = to_float(args.value(0));
    for next in args.rest(1).iter().map(to_float) {
        result = if result == deciding || next == deciding {
            deciding
        } else if result.is_nan() || next.is_nan() {
            f64::NAN
        } else if result == 0.0 && next == 0.0 {
            let negative = if deciding > 0.0 {
                result.is_sign_negative() && next.is_sign_negative()
            } else {
                result.is_sign_negative() || next.is_sign_negative()
            };
            if negative { -0.0 } else { 0.0 }
        } else {
            better(result, next)
        };
    }
    Ok(Value::Float(result))
}

fn round(_: &Env<'_>, args: Args<'_>) -> Out {
    let threshold = match args.value(2) {
        Value::Float(threshold) => *threshold,
        _ => 0.5,
    };
    let power = power_of_ten(args.int(1));
    let scaled = power * to_float(args.value(0));
    let rounded = if scaled.fract() >= threshold { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / power))
}

/// `math.Pow(10, n)`, squared step by step as Go does: beyond `1e22` its last bit is not that of the nearest float.
fn power_of_ten(exponent: i64) -> f64 {
    let (mut fraction, mut scale) = (1.0, 0);
    let (mut square, mut square_scale) = (0.625, 4);
    let mut left = exponent.unsigned_abs();
    while left > 0 {
        if square_scale > 4096 {
            scale += square_scale;
            break;
        }
        if left & 1 == 1 {
            fraction *= square;
            scale += square_scale;
        }
        square *= square;
        square_scale *= 2;
        if square < 0.5 {
            square *= 2.0;
            square_scale -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        times_power_of_two(1.0 / fraction, -scale)
    } else {
        times_power_of_two(fraction, scale)
    }
}

/// `math.Ldexp`: rounded once, where the result is too small for all its bits.
fn times_power_of_two(value: f64, exponent: i32) -> f64 {
    let first = exponent.clamp(-1000, 1000);
    let second = (exponent - first).clamp(-1000, 1000);
    value * 2.0_f64.powi(first) * 2.0_f64.powi(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)]
    fn powers_of_ten_are_those_of_go() {
        assert_eq!((power_of_ten(3), power_of_ten(-3), power_of_ten(0)), (1000.0, 0.001, 1.0));
        assert_eq!((power_of_ten(400), power_of_ten(-400)), (f64::INFINITY, 0.0));
        assert_eq!((power_of_ten(i64::MAX), power_of_ten(i64::MIN)), (f64::INFINITY, 0.0));
    }
}
