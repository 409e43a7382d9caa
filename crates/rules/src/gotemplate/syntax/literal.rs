//! Strings, characters and numbers as a template writes them.

use super::ast::Number;
use super::token::Kind;
use crate::gotemplate::parse_number::{parse_float, parse_int, parse_uint};
use crate::gotemplate::text::push_rune;

const SYNTAX: &str = "invalid syntax";

/// The bytes of a string literal, quotes included in `written`.
pub(super) fn unquote(written: &str) -> Result<Vec<u8>, String> {
    if let Some(raw) = written.strip_prefix('`') {
        let raw = raw.strip_suffix('`').ok_or(SYNTAX)?;
        return Ok(raw.bytes().filter(|&b| b != b'\r').collect());
    }
    let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(SYNTAX)?;
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (unit, after) = unquote_char(rest, '"')?;
        match unit {
            Unit::Byte(byte) => out.push(byte),
            Unit::Rune(rune) => push_rune(&mut out, rune),
        }
        rest = after;
    }
    Ok(out)
}

enum Unit {
    Byte(u8),
    Rune(char),
}

/// The first character of a literal, escapes resolved, and the rest.
fn unquote_char(text: &str, mark: char) -> Result<(Unit, &str), String> {
    let mut runes = text.chars();
    let rune = runes.next().ok_or(SYNTAX)?;
    if rune == mark {
        return Err(SYNTAX.to_owned());
    }
    if rune != '\\' {
        return Ok((Unit::Rune(rune), runes.as_str()));
    }
    let escape = runes.next().ok_or(SYNTAX)?;
    let rest = runes.as_str();
    let byte = match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        _ if escape == mark => mark as u8,
        'x' => return numeric(rest, 2, 16).map(|(value, rest)| (Unit::Byte(value as u8), rest)),
        'u' => return code_point(rest, 4),
        'U' => return code_point(rest, 8),
        '0'..='7' => {
            let digits = text.get(1..).unwrap_or_default();
            let (value, rest) = numeric(digits, 3, 8)?;
            return u8::try_from(value)
                .map(|byte| (Unit::Byte(byte), rest))
                .map_err(|_| SYNTAX.to_owned());
        }
        _ => return Err(SYNTAX.to_owned()),
    };
    Ok((Unit::Rune(char::from(byte)), rest))
}

fn numeric(text: &str, length: usize, base: u32) -> Result<(u32, &str), String> {
    let (digits, rest) = text.split_at_checked(length).ok_or(SYNTAX)?;
    if !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err(SYNTAX.to_owned());
    }
    u32::from_str_radix(digits, base).map(|value| (value, rest)).map_err(|_| SYNTAX.to_owned())
}

fn code_point(text: &str, length: usize) -> Result<(Unit, &str), String> {
    let (value, rest) = numeric(text, length, 16)?;
    char::from_u32(value).map(|rune| (Unit::Rune(rune), rest)).ok_or_else(|| SYNTAX.to_owned())
}

/// A number, character or complex constant.
pub(super) fn number(text: &str, kind: Kind) -> Result<Number, String> {
    match kind {
        Kind::Character => character(text),
        Kind::Complex => {
            let (re, im) =
                complex_parts(text).ok_or_else(|| format!("bad number syntax: {text:?}"))?;
            Ok(complex(text, re, im))
        }
        _ => match text.strip_suffix('i').map(parse_float) {
            Some(Ok(im)) => Ok(complex(text, 0.0, im)),
            _ => real(text),
        },
    }
}

fn character(text: &str) -> Result<Number, String> {
    let (unit, tail) = unquote_char(text.get(1..).unwrap_or_default(), '\'')?;
    if tail != "'" {
        return Err(format!("malformed character constant: {text}"));
    }
    let value = match unit {
        Unit::Byte(byte) => u32::from(byte),
        Unit::Rune(rune) => u32::from(rune),
    };
    Ok(Number {
        text: text.to_owned(),
        int: Some(i64::from(value)),
        uint: Some(u64::from(value)),
        float: Some(f64::from(value)),
        complex: None,
    })
}

fn complex_parts(text: &str) -> Option<(f64, f64)> {
    let inner = text.strip_suffix('i')?;
    inner.rmatch_indices(['+', '-']).filter(|&(at, _)| at > 0).find_map(|(at, _)| {
        let (re, im) = inner.split_at_checked(at)?;
        Some((parse_float(re).ok()?, parse_float(im).ok()?))
    })
}

fn as_int(float: f64) -> Option<i64> {
    ((-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float)
        && float.fract() == 0.0)
        .then_some(float as i64)
}

fn as_uint(float: f64) -> Option<u64> {
    ((0.0..18_446_744_073_709_551_616.0).contains(&float) && float.fract() == 0.0)
        .then_some(float as u64)
}

fn complex(text: &str, re: f64, im: f64) -> Number {
    let real = (im == 0.0).then_some(re);
    Number {
        text: text.to_owned(),
        int: real.and_then(as_int),
        uint: real.and_then(as_uint),
        float: real,
        complex: Some((re, im)),
    }
}

fn real(text: &str) -> Result<Number, String> {
    let mut number = Number {
        text: text.to_owned(),
        int: parse_int(text).ok(),
        uint: parse_uint(text).ok(),
        ..Number::default()
    };
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Ok(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {text:?}"));
        }
        number.float = Some(float);
        number.int = as_int(float);
        number.uint = as_uint(float);
    } else {
        return Err(format!("illegal number syntax: {text:?}"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_unquoted() {
        assert_eq!(unquote(r#""a\x41\101\u00e9\n\"""#).unwrap(), "aAAé\n\"".as_bytes());
        assert_eq!(unquote("`a\\n\r\n`").unwrap(), b"a\\n\n");
        for bad in [r#""\z""#, r#""\'""#, r#""\400""#, r#""\ud800""#, r#""\x4""#] {
            assert!(unquote(bad).is_err(), "{bad}");
        }
        assert_eq!(unquote(r#""\xff""#).unwrap(), [0xff]);
    }

    #[test]
    fn numbers_are_kept_in_every_type() {
        let n = |text| number(text, Kind::Number).unwrap();
        assert_eq!((n("3e0").int, n("-0").uint, n("1.5").int), (Some(3), Some(0), None));
        assert_eq!(n("0xFFFFFFFFFFFFFFFF").uint, Some(u64::MAX));
        assert!(number("08", Kind::Number).is_err() && number("1e400", Kind::Number).is_err());
        assert_eq!(number("1e+2-3.5i", Kind::Complex).unwrap().complex, Some((100.0, -3.5)));
        assert_eq!(number("'世'", Kind::Character).unwrap().int, Some(0x4e16));
        assert!(number("''", Kind::Character).is_err());
    }
}
