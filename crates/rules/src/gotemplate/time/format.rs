//! `Time.Format` and its kin.

use super::layout::{Element, Offset, next_chunk};
use super::{MONTHS, Time, WEEKDAYS, Zone, name_of};
use crate::gotemplate::fmt::quote;

impl Time {
    /// `Time.Format`
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let chunk = next_chunk(rest);
            out.extend_from_slice(chunk.prefix);
            let Some((element, _)) = chunk.element else {
                break;
            };
            self.write(&mut out, element);
            rest = chunk.suffix;
        }
        out
    }

    /// `Time.String`
    pub(crate) fn text(&self) -> Vec<u8> {
        self.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }

    /// RFC 3339, or why JSON has no such time.
    pub(crate) fn rfc3339(&self) -> Result<Vec<u8>, &'static str> {
        if !(0..=9999).contains(&self.date().year) {
            return Err("year outside of range [0,9999]");
        }
        if self.offset().abs() >= 24 * 3600 {
            return Err("timezone hour outside of range [0,23]");
        }
        Ok(self.format(b"2006-01-02T15:04:05.999999999Z07:00"))
    }

    /// `Time.GoString`
    pub(crate) fn go_string(&self) -> String {
        let date = self.date();
        let (hour, minute, second) = self.clock();
        let month = name_of(&MONTHS, date.month - 1).unwrap_or_default();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local => "time.Local".to_owned(),
            Zone::Fixed(name, _) => {
                format!("time.Location({})", String::from_utf8_lossy(&quote(name)))
            }
        };
        let nanos = self.nanos;
        format!(
            "time.Date({}, time.{month}, {}, {hour}, {minute}, {second}, {nanos}, {zone})",
            date.year, date.day
        )
    }

    fn write(&self, out: &mut Vec<u8>, element: Element) {
        let date = self.date();
        let (hour, minute, second) = self.clock();
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let month = name_of(&MONTHS, date.month - 1).unwrap_or_default();
        let weekday = name_of(&WEEKDAYS, self.weekday()).unwrap_or_default();
        let text = match element {
            Element::LongMonth => month.to_owned(),
            Element::ShortMonth => month.get(..3).unwrap_or_default().to_owned(),
            Element::Month { padded } => number(date.month, padded),
            Element::LongWeekday => weekday.to_owned(),
            Element::ShortWeekday => weekday.get(..3).unwrap_or_default().to_owned(),
            Element::Day => date.day.to_string(),
            Element::SpacedDay => format!("{:2}", date.day),
            Element::ZeroDay => format!("{:02}", date.day),
            Element::SpacedYearDay => format!("{:3}", self.year_day()),
            Element::ZeroYearDay => format!("{:03}", self.year_day()),
            Element::Hour24 => format!("{hour:02}"),
            Element::Hour12 { padded } => number(hour12, padded),
            Element::Minute { padded } => number(minute, padded),
            Element::Second { padded } => number(second, padded),
            Element::LongYear if date.year < 0 => format!("-{:04}", -date.year),
            Element::LongYear => format!("{:04}", date.year),
            Element::ShortYear => format!("{:02}", date.year.abs() % 100),
            Element::UpperPm => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
            Element::LowerPm => if hour >= 12 { "pm" } else { "am" }.to_owned(),
            Element::ZoneName => return self.write_zone_name(out),
            Element::Offset(form) => offset_text(self.offset(), form),
            Element::Fraction { digits, cut, separator } => {
                return self.write_fraction(out, digits, cut, separator);
            }
        };
        out.extend_from_slice(text.as_bytes());
    }

    fn write_zone_name(&self, out: &mut Vec<u8>) {
        let name = self.zone_name();
        if !name.is_empty() {
            out.extend_from_slice(&name);
            return;
        }
        let form = Offset { iso: false, colon: false, minutes: true, seconds: false };
        out.extend_from_slice(offset_text(self.offset(), form).as_bytes());
    }

    fn write_fraction(&self, out: &mut Vec<u8>, digits: usize, cut: bool, separator: u8) {
        let all = format!("{:09}", self.nanos);
        let mut shown = all.get(..digits.min(9)).unwrap_or_default();
        if cut {
            shown = shown.trim_end_matches('0');
            if shown.is_empty() {
                return;
            }
        }
        out.push(separator);
        out.extend_from_slice(shown.as_bytes());
    }
}

fn number(value: i64, padded: bool) -> String {
    if padded { format!("{value:02}") } else { value.to_string() }
}

fn offset_text(offset: i64, form: Offset) -> String {
    if form.iso && offset == 0 {
        return "Z".to_owned();
    }
    let minutes = offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let seconds = if minutes < 0 { -offset } else { offset } % 60;
    let minutes = minutes.abs();
    let colon = if form.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}{colon}", minutes / 60);
    if form.minutes {
        text += &format!("{:02}", minutes % 60);
    }
    if form.seconds {
        text += &format!("{colon}{seconds:02}");
    }
    text
}
