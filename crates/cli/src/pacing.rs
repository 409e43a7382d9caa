//! How fast a run may go, and how patient it is: the options, and the forms of their values.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use airlift_oci::registry::Hours;
use clap::Args;

use crate::{duration, size};

/// Options of every command that talks to registries.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Pacing {
    /// Bytes a second in each direction over the whole run, such as 50MB/s [env: AIRLIFT_RATE]
    #[arg(long, global = true, value_name = "SIZE", value_parser = rate)]
    pub(crate) rate: Option<u64>,
    /// Requests a second to one registry [env: AIRLIFT_REQUESTS_PER_SECOND]
    #[arg(long, global = true, value_name = "N", value_parser = requests)]
    pub(crate) requests_per_second: Option<f64>,
    /// Hours of the local day in which bytes move, such as 20:00-06:00 [env: AIRLIFT_BETWEEN]
    #[arg(long, global = true, value_name = "FROM-TO")]
    pub(crate) between: Option<Between>,
    /// Longest wait that a registry may ask for [env: AIRLIFT_PATIENCE] [default: 1h]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) patience: Option<Duration>,
    /// Break off and resume what moves no byte for TIME [env: AIRLIFT_STALL_TIMEOUT] [default: 30s]
    #[arg(long, global = true, value_name = "TIME", value_parser = stall)]
    pub(crate) stall_timeout: Option<Duration>,
}

/// Hours of the day, both ends in minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between {
    from: u64,
    to: u64,
}

impl Between {
    /// The hours by the clock of this machine.
    pub(crate) fn hours(self) -> Hours {
        let minutes = |number: u64| Duration::from_secs(number * 60);
        Hours::new(minutes(self.from), minutes(self.to), Arc::new(since_midnight))
    }
}

/// The local time.
fn since_midnight() -> Duration {
    let now = jiff::Zoned::now();
    let seconds = i64::from(now.hour()) * 3600 + i64::from(now.minute()) * 60;
    let seconds = seconds + i64::from(now.second());
    Duration::from_secs(seconds.unsigned_abs())
}

impl FromStr for Between {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` are no hours of the day: write 20:00-06:00");
        let minutes = |time: &str| {
            let (hour, minute) = time.trim().split_once(':')?;
            let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
            let valid = hour < 24 && minute < 60 || hour == 24 && minute == 0;
            valid.then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minutes(from).ok_or_else(wrong)?, minutes(to).ok_or_else(wrong)?);
        // Both ends of the day are midnight.
        if from == to || (from, to) == (24 * 60, 0) {
            return Err(format!("`{text}` is no time at all: from and to are the same"));
        }
        Ok(Between { from, to })
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Between { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// A rate: a size, with `/s` or without.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let size = text.trim();
    match size::parse(size.strip_suffix("/s").unwrap_or(size))? {
        0 => Err("a rate of 0 would never end".to_owned()),
        rate => Ok(rate),
    }
}

/// Requests a second: a number above 0, fractions allowed.
pub(crate) fn requests(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.001);
    number.ok_or_else(|| format!("`{text}` is no number of requests: write 10 or 0.5"))
}

/// A time-out: at least a second.
pub(crate) fn stall(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("a time-out of 0 would break off everything".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_shown() {
        for text in ["20:00-06:00", "00:00-24:00", "09:30-17:05"] {
            assert_eq!(text.parse::<Between>().map(|hours| hours.to_string()), Ok(text.to_owned()));
        }
        for bad in [
            "",
            "20:00",
            "20-06",
            "25:00-06:00",
            "20:60-06:00",
            "24:01-1:00",
            "8:00-8:00",
            "24:00-00:00",
        ] {
            assert!(bad.parse::<Between>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_and_requests() {
        assert_eq!(rate("50MB/s"), Ok(50_000_000));
        assert_eq!(rate("1MiB"), Ok(1 << 20));
        assert!(rate("0").is_err() && rate("fast").is_err());
        assert_eq!(requests("0.5"), Ok(0.5));
        for bad in ["0", "-1", "inf", "NaN", "many"] {
            assert!(requests(bad).is_err(), "{bad}");
        }
    }
}
