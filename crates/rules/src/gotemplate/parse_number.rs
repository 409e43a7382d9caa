//! Go's `strconv`: integers and floats from text, with base prefixes and underscores.

/// Why a text is no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NumberError {
    /// It has not the form of one.
    Syntax,
    /// It is one, but too large. The nearest value is kept by those who need it.
    Range,
}

/// `strconv.ParseUint(text, 0, 64)`
pub(crate) fn parse_uint(text: &str) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Syntax);
    }
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (base, digits) = match lower.as_deref() {
        Some("0x") => (16, text.get(2..)),
        Some("0b") => (2, text.get(2..)),
        Some("0o") => (8, text.get(2..)),
        _ if text.starts_with('0') => (8, text.get(1..)),
        _ => (10, Some(text)),
    };
    let digits = digits.unwrap_or_default();
    if digits.is_empty() {
        return if text == "0" { Ok(0) } else { Err(NumberError::Syntax) };
    }
    let value = accumulate(digits, base)?;
    if digits.contains('_') && !underscores_ok(text) {
        return Err(NumberError::Syntax);
    }
    value.ok_or(NumberError::Range)
}

/// The value of the digits, or `None` where it does not fit.
fn accumulate(digits: &str, base: u32) -> Result<Option<u64>, NumberError> {
    let mut value = Some(0_u64);
    for digit in digits.chars().filter(|&digit| digit != '_') {
        let digit = digit.to_digit(base).ok_or(NumberError::Syntax)?;
        value = value.and_then(|v| v.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
    }
    Ok(value)
}

/// `strconv.ParseInt(text, 0, 64)`
pub(crate) fn parse_int(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = split_sign(text);
    signed(negative, parse_uint(digits)?)
}

/// `strconv.ParseInt(text, base, 64)` for a base that is given.
pub(crate) fn parse_int_base(text: &str, base: u32) -> Result<i64, NumberError> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || digits.contains('_') {
        return Err(NumberError::Syntax);
    }
    signed(negative, accumulate(digits, base)?.ok_or(NumberError::Range)?)
}

/// As [`parse_int_base`], but what is too large becomes the largest value, as Go returns it beside the error.
pub(crate) fn parse_int_clamped(text: &str, base: u32) -> i64 {
    match parse_int_base(text, base) {
        Ok(value) => value,
        Err(NumberError::Syntax) => 0,
        Err(NumberError::Range) if text.starts_with('-') => i64::MIN,
        Err(NumberError::Range) => i64::MAX,
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn signed(negative: bool, magnitude: u64) -> Result<i64, NumberError> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
        .ok_or(NumberError::Range)
}

/// Whether underscores stand only between digits or after a base prefix.
fn underscores_ok(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let bytes = text.as_bytes();
    let second = bytes.get(1).map(u8::to_ascii_lowercase);
    let prefixed = bytes.first() == Some(&b'0') && matches!(second, Some(b'b' | b'o' | b'x'));
    let hex = prefixed && second == Some(b'x');
    let mut last = if prefixed { b'0' } else { b'^' };
    for &byte in bytes.iter().skip(if prefixed { 2 } else { 0 }) {
        last = match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'f' | b'A'..=b'F' if hex => b'0',
            b'_' if last == b'0' => b'_',
            _ if byte == b'_' || last == b'_' => return false,
            _ => b'!',
        };
    }
    last != b'_'
}

/// `strconv.ParseFloat(text, 64)`
pub(crate) fn parse_float(text: &str) -> Result<f64, NumberError> {
    let (negative, magnitude) = split_sign(text);
    let sign = if negative { -1.0 } else { 1.0 };
    match magnitude.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(sign * f64::INFINITY),
        "nan" if magnitude.len() == text.len() => return Ok(f64::NAN),
        _ => {}
    }
    if magnitude.contains('_') && !underscores_ok(magnitude) {
        return Err(NumberError::Syntax);
    }
    let plain: String = magnitude.chars().filter(|&c| c != '_').collect();
    let value = match plain.get(..2) {
        Some("0x" | "0X") => {
            hex_float(plain.get(2..).unwrap_or_default()).ok_or(NumberError::Syntax)?
        }
        _ => decimal_float(&plain).ok_or(NumberError::Syntax)?,
    };
    if value.is_infinite() {
        return Err(NumberError::Range);
    }
    Ok(sign * value)
}

fn decimal_float(text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'.') {
        return None;
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse().ok()
}

/// A hexadecimal float after its `0x`: a mantissa and a binary exponent, rounded once.
fn hex_float(text: &str) -> Option<f64> {
    let at = text.find(['p', 'P'])?;
    let (mantissa, exponent) = (text.get(..at)?, text.get(at + 1..)?);
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut exponent: i64 = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') {
        -100_000
    } else {
        100_000
    });
    exponent = exponent.clamp(-100_000, 100_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    let mut sticky = false;
    let mut shift = 0_i64;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let fractional = index >= whole.len();
        if value >> 59 == 0 {
            value = value * 16 + digit;
            shift -= if fractional { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            shift += if fractional { 0 } else { 4 };
        }
    }
    Some(scale(value | u64::from(sticky), exponent + shift))
}

/// `mantissa * 2^exponent`, rounded once to the nearest float.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    let lowest = (exponent).max(-1074).max(exponent + bits - 53);
    let drop = lowest - exponent;
    if drop >= 64 + 2 {
        return 0.0;
    }
    let mantissa = u128::from(mantissa) << 2;
    let drop_bits = u32::try_from(drop).unwrap_or(0) + 2;
    let (kept, rest) = (mantissa >> drop_bits, mantissa & ((1_u128 << drop_bits) - 1));
    let half = 1_u128 << (drop_bits - 1);
    let rounded = kept + u128::from(rest > half || (rest == half && kept & 1 == 1));
    let power = i32::try_from(lowest).unwrap_or(i32::MAX);
    if power > 1024 {
        return f64::INFINITY;
    }
    let half_power = power / 2;
    rounded as f64 * 2_f64.powi(half_power) * 2_f64.powi(power - half_power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(parse_int("0x1F"), Ok(31));
        assert_eq!(parse_int("017"), Ok(15));
        assert_eq!(parse_int("08"), Err(NumberError::Syntax));
        assert_eq!(parse_int("1__0"), Err(NumberError::Syntax));
        assert_eq!(parse_int("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(parse_int("9223372036854775808"), Err(NumberError::Range));
        assert_eq!(parse_int_clamped("-99999999999999999999", 10), i64::MIN);
    }

    #[test]
    fn floats() {
        assert_eq!(parse_float("0x1.8p1"), Ok(3.0));
        assert_eq!(parse_float("0x1p-1074"), Ok(5e-324));
        assert_eq!(parse_float("0x1p-1080"), Ok(0.0));
        assert_eq!(parse_float("1_0.5"), Ok(10.5));
        assert_eq!(parse_float("1e400"), Err(NumberError::Range));
        assert_eq!(parse_float("0x1p5000"), Err(NumberError::Range));
        assert_eq!(parse_float("1.5 "), Err(NumberError::Syntax));
        assert_eq!(parse_float("-Inf"), Ok(f64::NEG_INFINITY));
    }
}
