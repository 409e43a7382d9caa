//! Points in time as the reference program writes them into its record.

use std::time::{Duration, SystemTime};

/// `now` with the time since the process began, in UTC, as Go prints a time with a monotonic clock:
/// `2026-11-22 08:31:16.071694977 +0000 UTC m=+0.159618751`.
pub fn timestamp(now: SystemTime, running: Duration) -> String {
    // A clock beyond the year 9999 has other problems than this record.
    let now = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::MAX);
    let fraction = format!("{:09}", now.subsec_nanosecond());
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    let whole = now.strftime("%Y-%m-%d %H:%M:%S");
    format!("{whole}{fraction} +0000 UTC m=+{}.{:09}", running.as_secs(), running.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_reference_program_writes_it() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().into();
        let now = at("2026-11-22T08:31:16.071694977Z");
        let text = timestamp(now, Duration::from_nanos(159_618_751));
        assert_eq!(text, "2026-11-22 08:31:16.071694977 +0000 UTC m=+0.159618751");
        let round = timestamp(at("2026-11-22T08:31:16Z"), Duration::from_secs(2));
        assert_eq!(round, "2026-11-22 08:31:16 +0000 UTC m=+2.000000000");
    }
}
