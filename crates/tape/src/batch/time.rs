//! Points in time as the reference program writes them into its record.

use std::time::Duration;

/// `now` with the time since the process began, as Go prints a time with a monotonic clock:
/// `2026-11-22 08:31:16.071694977 +0000 UTC m=+0.159618751`.
pub fn timestamp(now: jiff::Timestamp, running: Duration) -> String {
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
        let now = "2026-11-22T08:31:16.071694977Z".parse().unwrap();
        let text = timestamp(now, Duration::from_nanos(159_618_751));
        assert_eq!(text, "2026-11-22 08:31:16.071694977 +0000 UTC m=+0.159618751");
        let round = timestamp("2026-11-22T08:31:16Z".parse().unwrap(), Duration::from_secs(2));
        assert_eq!(round, "2026-11-22 08:31:16 +0000 UTC m=+2.000000000");
    }
}
