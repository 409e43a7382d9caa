//! Times on the command line: `30`, `30s`, `5m`, `1h`.

use std::time::Duration;

/// Parses a time; a number alone counts seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{unit}` is no unit of time: use s, m or h")),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("`{text}` is no time: write 30s or 5m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds) in [("0", 0), ("30", 30), ("30s", 30), ("5m", 300), (" 1 h", 3600)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "s", "-1", "1d", "99999999999999999999", "18446744073709551615m"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
