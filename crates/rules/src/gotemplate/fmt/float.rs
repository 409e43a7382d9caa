//! `strconv.FormatFloat`, and floats under verbs.

use super::{Printed, Printer};

/// `strconv.FormatFloat(value, verb, precision, 64)`; no precision is the shortest text that gives the value.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb {
        'e' | 'E' => exponential(value, verb, precision),
        'f' => fixed(value, precision),
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, verb, precision),
        _ => general(value, verb, precision),
    }
}

/// More digits than any float has after the point; all that follow are zeros.
const ALL_DIGITS: usize = 1100;

/// The zeros of a precision beyond what is worth computing.
fn zeros(precision: Option<usize>) -> String {
    "0".repeat(precision.unwrap_or(0).saturating_sub(ALL_DIGITS))
}

fn fixed(value: f64, precision: Option<usize>) -> String {
    let Some(digits) = precision else {
        return format!("{value}");
    };
    let digits = digits.min(ALL_DIGITS);
    format!("{value:.digits$}") + &zeros(precision)
}

/// Rust's exponential form, with at most [`ALL_DIGITS`] of the digits asked for.
fn scientific(value: f64, precision: Option<usize>) -> String {
    precision.map_or_else(
        || format!("{value:e}"),
        |digits| format!("{value:.*e}", digits.min(ALL_DIGITS)),
    )
}

fn exponential(value: f64, verb: char, precision: Option<usize>) -> String {
    let text = scientific(value, precision);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    let letter = if verb == 'E' || verb == 'G' { 'E' } else { 'e' };
    format!("{mantissa}{}{letter}{sign}{exponent:0>2}", zeros(precision))
}

/// `%g`: exponential for very small and very large values, without trailing zeros.
fn general(value: f64, verb: char, precision: Option<usize>) -> String {
    let precision = precision.map(|digits| digits.max(1));
    let text = scientific(value, precision.map(|digits| digits - 1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let shown_digits = match precision {
        None => 6,
        Some(most)
            if most > digits && i32::try_from(digits).is_ok_and(|digits| digits > exponent) =>
        {
            digits
        }
        Some(most) => most,
    };
    if exponent < -4 || i32::try_from(shown_digits).is_ok_and(|most| exponent >= most) {
        let fraction = digits.saturating_sub(1);
        return exponential(value, verb, Some(fraction));
    }
    let fraction = i32::try_from(digits).unwrap_or(i32::MAX).saturating_sub(exponent + 1);
    let fraction = usize::try_from(fraction).unwrap_or(0);
    let plain: f64 = text.parse().unwrap_or(value);
    format!("{plain:.fraction$}")
}

fn parts(value: f64) -> (bool, u64, i32) {
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let negative = value.is_sign_negative();
    if exponent == 0 {
        (negative, fraction, -1074)
    } else {
        (negative, fraction | 1 << 52, exponent - 1075)
    }
}

fn binary(value: f64) -> String {
    let (negative, mantissa, exponent) = parts(value);
    format!("{}{mantissa}p{exponent:+}", if negative { "-" } else { "" })
}

fn hexadecimal(value: f64, verb: char, precision: Option<usize>) -> String {
    let (negative, mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - shift as i32;
    }
    if let Some(digits) = precision.filter(|&digits| digits < 15) {
        let drop = 60 - 4 * digits as u32;
        let (rest, half) = (mantissa & ((1 << drop) - 1), 1 << (drop - 1));
        mantissa >>= drop;
        mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
        mantissa <<= drop;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
        Some(digits) => {
            fraction.truncate(digits);
            fraction += &"0".repeat(digits.saturating_sub(15));
        }
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    let (sign, exponent_sign) =
        (if negative { "-" } else { "" }, if exponent < 0 { '-' } else { '+' });
    let text =
        format!("{sign}0x{}{dot}{fraction}p{exponent_sign}{:02}", mantissa >> 60, exponent.abs());
    if verb == 'X' { text.to_uppercase() } else { text }
}

impl Printer<'_> {
    /// A float under a verb; `false` where the verb is none for floats.
    pub(super) fn float(&mut self, value: f64, verb: char) -> Result<bool, super::Fail> {
        match verb {
            'v' => self.float_text(value, 'g', None)?,
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_text(value, verb, None)?,
            'f' | 'e' | 'E' => self.float_text(value, verb, Some(6))?,
            'F' => self.float_text(value, 'f', Some(6))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A complex number under a verb; `false` where the verb is none for them.
    pub(super) fn complex(&mut self, re: f64, im: f64, verb: char) -> Result<bool, super::Fail> {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return Ok(false);
        }
        let plus = self.flags.plus;
        self.write(b"(")?;
        self.float(re, verb)?;
        self.flags.plus = true;
        self.float(im, verb)?;
        self.write(b"i)")?;
        self.flags.plus = plus;
        Ok(true)
    }

    fn float_text(&mut self, value: f64, verb: char, precision: Option<usize>) -> Printed {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        self.budget.bytes(precision.unwrap_or(0))?;
        let text = format_float(value, verb, precision);
        let (sign, mut digits) = match text.strip_prefix(['-', '+']) {
            Some(rest) if text.starts_with('-') => ("-", rest.to_owned()),
            Some(rest) => ("+", rest.to_owned()),
            None => ("+", text),
        };
        let sign = if sign == "+" && flags.space && !flags.plus { " " } else { sign };
        if !value.is_finite() {
            let bare = value.is_nan() && !flags.space && !flags.plus;
            let sign =
                if bare || (sign == "+" && !flags.plus && value.is_nan()) { "" } else { sign };
            return self.pad_with_spaces(format!("{sign}{digits}"));
        }
        if flags.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        if !flags.plus && sign == "+" {
            return self.pad(digits);
        }
        if let Some(width) =
            flags.width.filter(|&width| flags.zero && !flags.minus && width > digits.len() + 1)
        {
            self.write(sign)?;
            self.write_padding(width - digits.len() - 1)?;
            return self.write(digits);
        }
        self.pad(format!("{sign}{digits}"))
    }
}

/// The `#` flag: always a decimal point, and for `%g` trailing zeros up to the precision.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let hexadecimal = matches!(verb, 'x' | 'X');
    let tail_at = text
        .find(|c| matches!(c, 'p' | 'P') || (!hexadecimal && matches!(c, 'e' | 'E')))
        .unwrap_or(text.len());
    let (number, tail) = text.split_at(tail_at);
    let wanted = if matches!(verb, 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    let significant = number.trim_start_matches(['0', '.']).bytes().filter(|&b| b != b'.').count();
    let mut digits = wanted.saturating_sub(significant);
    let mut out = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            digits = digits.saturating_sub(1);
        }
        out.push('.');
    }
    out + &"0".repeat(digits) + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_does() {
        let g = |value: f64, precision| format_float(value, 'g', precision);
        assert_eq!(g(1e6, None), "1e+06");
        assert_eq!(g(123_456.0, None), "123456");
        assert_eq!(g(1e-5, None), "1e-05");
        assert_eq!(g(123_456.789, Some(3)), "1.23e+05");
        assert_eq!(g(0.1, Some(10)), "0.1");
        assert_eq!(g(100.0, Some(3)), "100");
        assert_eq!(g(-0.0, None), "-0");
        assert_eq!(format_float(1e-10, 'G', None), "1E-10");
        assert_eq!(format_float(1.0, 'x', None), "0x1p+00");
        assert_eq!(format_float(3.5, 'x', Some(1)), "0x1.cp+01");
        assert_eq!(format_float(1.0, 'b', None), "4503599627370496p-52");
        assert_eq!(format_float(2.5, 'f', Some(0)), "2");
        assert_eq!(with_point("1", 'g', None), "1.00000");
    }
}
