//! Conversions to numbers as sprig makes them (package cast): what cannot be converted is zero.

use super::Value;
use crate::gotemplate::parse_number::{parse_float, parse_int};

/// Go's conversion of a float to `int64` on amd64: the lowest integer where it does not fit.
fn float_to_int(float: f64) -> i64 {
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
        return i64::MIN;
    }
    float as i64
}

/// `cast.ToInt64`
pub(crate) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(n) | Value::Int64(n) | Value::Month(n) | Value::Weekday(n) => *n,
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => *n as i64,
        Value::Float(f) => float_to_int(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(text) => std::str::from_utf8(trim_zero_decimal(text))
            .ok()
            .and_then(|t| parse_int(t).ok())
            .unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`
pub(crate) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(n) | Value::Int64(n) | Value::Month(n) | Value::Weekday(n) => *n as f64,
        Value::Uint8(n) => f64::from(*n),
        Value::Uint64(n) => *n as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => {
            std::str::from_utf8(text).ok().and_then(|t| parse_float(t).ok()).unwrap_or(0.0)
        }
        _ => 0.0,
    }
}

/// Cuts a fraction of zeros off.
fn trim_zero_decimal(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|&&byte| byte == b'0').count();
    match text.split_at_checked(text.len() - zeros) {
        Some((head, _)) if zeros > 0 => head.strip_suffix(b".").unwrap_or(text),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_become_numbers_as_cast_has_it() {
        let int = |text: &str| to_int(&Value::str(text));
        assert_eq!((int("5.00"), int("5."), int(".0"), int("3.7")), (5, 0, 0, 0));
        assert_eq!((int("0o17"), int("-0x10"), int("1_000"), int("08")), (15, -16, 1000, 0));
        assert_eq!(to_int(&Value::Float(f64::NAN)), i64::MIN);
    }
}
