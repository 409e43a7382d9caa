//! Go's `time.Time`, without a clock: dates, zones, arithmetic. Local time is UTC.

mod clock;
mod duration;
mod format;
mod layout;
mod parse;

pub(crate) use clock::Clock;
pub(crate) use duration::{format_duration, parse_duration, round_duration};
pub(crate) use parse::parse;

use super::text::GoStr;

/// Seconds from the year 1 to 1970.
const UNIX_FROM_YEAR_ONE: i64 = 62_135_596_800;
const DAY: i64 = 86_400;

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Where a time is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Zone {
    Utc,
    /// Go's `time.Local`, which is UTC here.
    Local,
    /// A zone known by its offset alone.
    Fixed(GoStr, i64),
}

/// A moment and the zone it is shown in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Time {
    /// Seconds since 1970.
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
    pub(crate) zone: Zone,
}

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// Days from 1970-01-01 to the date; month and day may lie outside their ranges.
fn days_from_civil(date: Date) -> i64 {
    let months = date.year.saturating_mul(12).saturating_add(date.month - 1);
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + date.day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.saturating_mul(146_097).saturating_add(day_of_era - 719_468)
}

/// The date that many days after 1970-01-01.
fn civil_from_days(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month, day }
}

/// Whether the year has a leap day.
fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days the month has.
fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Time {
    /// Go's zero time: the first moment of the year 1.
    pub(crate) fn zero() -> Self {
        Self { secs: -UNIX_FROM_YEAR_ONE, nanos: 0, zone: Zone::Utc }
    }

    /// Seconds since the first moment of the year 1.
    pub(crate) fn seconds_of_year_one(&self) -> i64 {
        self.secs.saturating_add(UNIX_FROM_YEAR_ONE)
    }

    /// `time.Date`, in UTC.
    pub(crate) fn from_civil(date: Date, second_of_day: i64, nanos: u32, zone: Zone) -> Self {
        Self {
            secs: days_from_civil(date).saturating_mul(DAY).saturating_add(second_of_day),
            nanos,
            zone,
        }
    }

    /// Seconds east of UTC.
    pub(crate) fn offset(&self) -> i64 {
        match self.zone {
            Zone::Fixed(_, offset) => offset,
            _ => 0,
        }
    }

    /// The abbreviation of the zone.
    pub(crate) fn zone_name(&self) -> GoStr {
        match &self.zone {
            Zone::Fixed(name, _) => name.clone(),
            _ => "UTC".into(),
        }
    }

    /// The name of the location.
    pub(crate) fn location(&self) -> GoStr {
        match &self.zone {
            Zone::Utc | Zone::Local => "UTC".into(),
            Zone::Fixed(name, _) => name.clone(),
        }
    }

    fn local_secs(&self) -> i64 {
        self.secs.saturating_add(self.offset())
    }

    /// The date, in its zone.
    pub(crate) fn date(&self) -> Date {
        civil_from_days(self.local_secs().div_euclid(DAY))
    }

    /// Hour, minute and second, in its zone.
    pub(crate) fn clock(&self) -> (i64, i64, i64) {
        let second = self.local_secs().rem_euclid(DAY);
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// The day of the week; Sunday is 0.
    pub(crate) fn weekday(&self) -> i64 {
        (self.local_secs().div_euclid(DAY) + 4).rem_euclid(7)
    }

    /// The day of the year, from 1.
    pub(crate) fn year_day(&self) -> i64 {
        let date = self.date();
        days_from_civil(date) - days_from_civil(Date { month: 1, day: 1, ..date }) + 1
    }

    /// Later by some nanoseconds.
    pub(crate) fn add(&self, duration: i64) -> Self {
        let total = i64::from(self.nanos) + duration % 1_000_000_000;
        let secs = self
            .secs
            .saturating_add(duration / 1_000_000_000)
            .saturating_add(total.div_euclid(1_000_000_000));
        Self { secs, nanos: total.rem_euclid(1_000_000_000) as u32, zone: self.zone.clone() }
    }

    /// The same clock some years, months and days later.
    pub(crate) fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let date = self.date();
        let limit = 1_000_000_000;
        let moved = Date {
            year: date.year.saturating_add(years).clamp(-limit, limit),
            month: date.month.saturating_add(months).clamp(-limit, limit),
            day: date.day.saturating_add(days).clamp(-limit * 1000, limit * 1000),
        };
        let second_of_day = self.local_secs().rem_euclid(DAY) - self.offset();
        Self::from_civil(moved, second_of_day, self.nanos, self.zone.clone())
    }

    /// Nanoseconds from `earlier` to this time, as far as they fit.
    pub(crate) fn since(&self, earlier: &Self) -> i64 {
        let nanos = self.nanoseconds() - earlier.nanoseconds();
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Nanoseconds since 1970.
    pub(crate) fn nanoseconds(&self) -> i128 {
        i128::from(self.secs) * 1_000_000_000 + i128::from(self.nanos)
    }

    /// How far the time lies after a multiple of `step` since the year 1.
    pub(crate) fn remainder(&self, step: i64) -> i64 {
        let since_year_one = self.nanoseconds() + i128::from(UNIX_FROM_YEAR_ONE) * 1_000_000_000;
        i64::try_from(since_year_one.rem_euclid(i128::from(step))).unwrap_or(0)
    }

    /// Whether it is Go's zero time.
    pub(crate) fn is_zero(&self) -> bool {
        self.secs == -UNIX_FROM_YEAR_ONE && self.nanos == 0
    }
}

/// `time.Month.String`
pub(crate) fn month_name(month: i64) -> String {
    name_of(&MONTHS, month - 1).map_or_else(|| format!("%!Month({})", month as u64), str::to_owned)
}

/// `time.Weekday.String`
pub(crate) fn weekday_name(day: i64) -> String {
    name_of(&WEEKDAYS, day).map_or_else(|| format!("%!Weekday({})", day as u64), str::to_owned)
}

fn name_of(names: &[&'static str], index: i64) -> Option<&'static str> {
    names.get(usize::try_from(index).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for days in (-800_000..800_000).step_by(37) {
            assert_eq!(days_from_civil(civil_from_days(days)), days);
        }
        assert_eq!(civil_from_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(
            days_from_civil(Date { year: 2024, month: 14, day: 1 }),
            days_from_civil(Date { year: 2025, month: 2, day: 1 })
        );
        assert_eq!(Time::zero().date(), Date { year: 1, month: 1, day: 1 });
        assert_eq!(Time::zero().weekday(), 1);
    }
}
