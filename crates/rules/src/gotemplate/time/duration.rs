//! `time.Duration`: nanoseconds, written as `1h2m3.5s`.

use crate::gotemplate::fmt::quote;
use crate::gotemplate::text::GoStr;

/// `Duration.String`
pub(crate) fn format_duration(duration: i64) -> String {
    let nanos = duration.unsigned_abs();
    let sign = if duration < 0 { "-" } else { "" };
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", with_fraction(nanos, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", with_fraction(nanos, 6)),
        _ => long(nanos),
    };
    sign.to_owned() + &text
}

fn long(nanos: u64) -> String {
    let minutes = nanos / 60_000_000_000;
    let seconds = with_fraction(nanos % 60_000_000_000, 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / 10^digits`, without trailing zeros.
fn with_fraction(value: u64, digits: u32) -> String {
    let unit = 10_u64.pow(digits);
    let fraction = format!("{:0width$}", value % unit, width = digits as usize);
    match fraction.trim_end_matches('0') {
        "" => (value / unit).to_string(),
        fraction => format!("{}.{fraction}", value / unit),
    }
}

/// `Duration.Round`
pub(crate) fn round_duration(duration: i64, step: i64) -> i64 {
    if step <= 0 {
        return duration;
    }
    let rest = duration % step;
    let below_half = rest.unsigned_abs().saturating_mul(2) < step.unsigned_abs();
    match (below_half, duration < 0) {
        (true, _) => duration - rest,
        (false, true) => duration.checked_sub(step + rest).unwrap_or(i64::MIN),
        (false, false) => duration.checked_add(step - rest).unwrap_or(i64::MAX),
    }
}

fn unit_nanos(unit: &[u8]) -> Option<u64> {
    Some(match unit {
        b"ns" => 1,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `time.ParseDuration`
pub(crate) fn parse_duration(text: &[u8]) -> Result<i64, String> {
    let quoted = |what: &[u8]| GoStr::from(quote(what)).lossy().into_owned();
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let negative = text.first() == Some(&b'-');
    let mut rest = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = leading_digits(rest);
        let (fraction, after) = after.strip_prefix(b".").map_or((&b""[..], after), leading_digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let length = after.iter().take_while(|&&b| b != b'.' && !b.is_ascii_digit()).count();
        let (unit, after) = after.split_at(length);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let Some(nanos) = unit_nanos(unit) else {
            return Err(format!(
                "time: unknown unit {} in duration {}",
                quoted(unit),
                quoted(text)
            ));
        };
        let part = part_nanos(whole, fraction, nanos).ok_or_else(invalid)?;
        total = total.checked_add(part).filter(|&total| total <= 1 << 63).ok_or_else(invalid)?;
        rest = after;
    }
    let magnitude =
        if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    magnitude.ok_or_else(invalid)
}

fn leading_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count())
}

fn part_nanos(whole: &[u8], fraction: &[u8], unit: u64) -> Option<u64> {
    let mut value = 0_u64;
    for digit in whole {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))
            .filter(|&v| v <= 1 << 63)?;
    }
    value = value.checked_mul(unit).filter(|&v| v <= 1 << 63)?;
    let (mut numerator, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction {
        if numerator > ((1 << 63) - 1) / 10 {
            break;
        }
        numerator = numerator * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    value.checked_add((numerator as f64 * (unit as f64 / scale)) as u64).filter(|&v| v <= 1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, nanos) in [
            ("1h30m", 5_400_000_000_000),
            ("-1.5s", -1_500_000_000),
            ("1us", 1000),
            ("0", 0),
            (".5m", 30_000_000_000),
        ] {
            assert_eq!(parse_duration(text.as_bytes()), Ok(nanos));
        }
        for text in ["", "-", "1", "1x", ".s", "99999999999h"] {
            assert!(parse_duration(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(format_duration(3_661_500_000_000), "1h1m1.5s");
        assert_eq!(format_duration(-1_500), "-1.5µs");
        assert_eq!(format_duration(i64::MIN), "-2562047h47m16.854775808s");
        assert_eq!(round_duration(-90, 60), -120);
    }
}
