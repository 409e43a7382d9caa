//! Sizes on the command line and in files: `1048576`, `64k`, `1.5 GiB`; SI and IEC suffixes.

/// Parses a size in bytes. `k M G T P` count in thousands, `Ki Mi Gi Ti Pi` in 1024s; a final `B`
/// and a space before the suffix change nothing, and neither does case, except that `i` makes 1024.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor = factor(suffix.trim()).ok_or_else(|| {
        format!("`{suffix}` is no unit of size: use k, M, G, T or Ki, Mi, Gi, Ti")
    })?;
    scaled(number, factor).ok_or_else(|| {
        format!(
            "`{text}` is no size: write bytes, or a number with a suffix as in 64Ki, 1M, 1.5GiB"
        )
    })
}

/// As [`parse`], refusing zero and what is above the memory that one can address.
pub(crate) fn parse_positive(text: &str) -> Result<usize, String> {
    match parse(text)? {
        0 => Err("a size of at least one byte is needed".to_owned()),
        bytes => usize::try_from(bytes).map_err(|_| format!("`{text}` is too large")),
    }
}

fn factor(suffix: &str) -> Option<u64> {
    let lower = suffix.to_ascii_lowercase();
    let unit = lower.strip_suffix('b').unwrap_or(&lower);
    let (unit, base) = unit.strip_suffix('i').map_or((unit, 1000), |unit| (unit, 1024));
    let power = match unit {
        "" if base == 1000 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some(u64::pow(base, power))
}

/// `number` times `factor`, exactly, a fraction of a byte dropped.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 12 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let bytes = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if fraction.is_empty() {
        return Some(bytes);
    }
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
    let part = part / 10u128.pow(u32::try_from(fraction.len()).ok()?);
    bytes.checked_add(u64::try_from(part).ok()?)
}

/// A size for people: `1.5 GB`, in thousands as storage is sold.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::{human, parse, parse_positive};

    #[test]
    fn si_and_iec_suffixes_are_told_apart() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("64k", 64_000),
            ("64K", 64_000),
            ("64Ki", 65_536),
            ("1M", 1_000_000),
            ("1MB", 1_000_000),
            ("1 MiB", 1 << 20),
            ("1mib", 1 << 20),
            ("1.5GiB", 3 << 29),
            ("0.5k", 500),
            ("2T", 2_000_000_000_000),
            ("7B", 7),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_text() {
        for text in
            ["", "k", "-1", "1.", ".5", "1x", "1Kib2", "1e3", "99999999999999999999", "20000P"]
        {
            let message = parse(text).expect_err(text);
            assert!(message.contains("is no"), "{text}: {message}");
        }
        assert!(parse_positive("0").is_err());
    }

    #[test]
    fn sizes_for_people_have_three_digits_at_most() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_950, "100 kB"),
            (999_600, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
