//! `time.ParseInLocation`, where the location is local time.

use super::layout::{Element, Offset, next_chunk};
use super::{Date, MONTHS, Time, WEEKDAYS, Zone, days_in, is_leap};
use crate::gotemplate::fmt::quote;

/// Why an element does not fit the text.
enum Mismatch {
    Form,
    Range(&'static str),
}

type Parsed<T> = Result<T, Mismatch>;

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    am: bool,
    pm: bool,
    utc: bool,
    offset: Option<i64>,
    zone_name: Option<Vec<u8>>,
}

/// Reads a time; the error is Go's.
pub(crate) fn parse(layout: &[u8], text: &[u8]) -> Result<Time, String> {
    let mut fields = Fields::default();
    let (mut layout_rest, mut rest) = (layout, text);
    loop {
        let chunk = next_chunk(layout_rest);
        skip(&mut rest, chunk.prefix).map_err(|()| mismatch(layout, text, chunk.prefix, rest))?;
        let Some((element, written)) = chunk.element else {
            break;
        };
        layout_rest = chunk.suffix;
        let held = rest;
        fields.read(element, &mut rest, layout_rest).map_err(|why| match why {
            Mismatch::Form => mismatch(layout, text, written, held),
            Mismatch::Range(what) => problem(text, &format!("{what} out of range")),
        })?;
    }
    if !rest.is_empty() {
        return Err(problem(text, &format!("extra text: {}", quoted(rest))));
    }
    fields.finish().map_err(|what| problem(text, what))
}

fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(&quote(text)).into_owned()
}

fn problem(text: &[u8], what: &str) -> String {
    format!("parsing time {}: {what}", quoted(text))
}

fn mismatch(layout: &[u8], text: &[u8], element: &[u8], rest: &[u8]) -> String {
    let (text, layout, rest, element) =
        (quoted(text), quoted(layout), quoted(rest), quoted(element));
    format!("parsing time {text} as {layout}: cannot parse {rest} as {element}")
}

/// Takes the literal part of a layout off the text; runs of spaces match runs of spaces.
fn skip(rest: &mut &[u8], literal: &[u8]) -> Result<(), ()> {
    let mut literal = literal;
    while let Some((&wanted, after)) = literal.split_first() {
        if wanted == b' ' {
            if rest.first().is_some_and(|&byte| byte != b' ') {
                return Err(());
            }
            literal = cut_spaces(literal);
            *rest = cut_spaces(rest);
            continue;
        }
        match rest.split_first() {
            Some((&byte, tail)) if byte == wanted => *rest = tail,
            _ => return Err(()),
        }
        literal = after;
    }
    Ok(())
}

fn cut_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|&&byte| byte == b' ').count();
    text.get(spaces..).unwrap_or_default()
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Parsed<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count).ok_or(Mismatch::Form)?;
    *rest = tail;
    Ok(head)
}

fn digit_at(text: &[u8], at: usize) -> Option<i64> {
    text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'))
}

/// A number of one to `most` digits; exactly `most` where it is fixed.
fn digits(rest: &mut &[u8], most: usize, fixed: bool) -> Parsed<i64> {
    let count = (0..most).take_while(|&at| digit_at(rest, at).is_some()).count();
    if count == 0 || (fixed && count != most) {
        return Err(Mismatch::Form);
    }
    Ok(take(rest, count)?.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

fn in_range(value: i64, low: i64, high: i64, what: &'static str) -> Parsed<i64> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Mismatch::Range(what)) }
}

/// One of the names, or its first `length` letters, whatever their case; its number from 1.
fn name(rest: &mut &[u8], names: &[&str], length: usize) -> Parsed<i64> {
    for (name, number) in names.iter().zip(1..) {
        let wanted = name.get(..length.min(name.len())).unwrap_or_default().as_bytes();
        if rest.get(..wanted.len()).is_some_and(|head| head.eq_ignore_ascii_case(wanted)) {
            take(rest, wanted.len())?;
            return Ok(number);
        }
    }
    Err(Mismatch::Form)
}

/// A separator and digits, as nanoseconds.
fn fraction(rest: &mut &[u8], count: usize) -> Parsed<i64> {
    let text = take(rest, count)?;
    let (separator, digits) = text.split_first().ok_or(Mismatch::Form)?;
    let digits = digits.get(..digits.len().min(9)).unwrap_or_default();
    if !matches!(separator, b'.' | b',')
        || digits.is_empty()
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return Err(Mismatch::Form);
    }
    let value = digits.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
    Ok(value * 10_i64.pow(9 - digits.len() as u32))
}

fn starts_fraction(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'.' | b',')) && digit_at(rest, 1).is_some()
}

fn fraction_length(rest: &[u8]) -> usize {
    1 + (1..rest.len()).take_while(|&at| digit_at(rest, at).is_some()).count()
}

impl Fields {
    fn read(&mut self, element: Element, rest: &mut &[u8], layout_rest: &[u8]) -> Parsed<()> {
        match element {
            Element::ShortYear => {
                let year = digits(rest, 2, true)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::LongYear => self.year = digits(rest, 4, true)?,
            Element::ShortMonth => self.month = Some(name(rest, &MONTHS, 3)?),
            Element::LongMonth => self.month = Some(name(rest, &MONTHS, usize::MAX)?),
            Element::Month { padded } => {
                self.month = Some(in_range(digits(rest, 2, padded)?, 1, 12, "month")?);
            }
            Element::ShortWeekday => drop(name(rest, &WEEKDAYS, 3)?),
            Element::LongWeekday => drop(name(rest, &WEEKDAYS, usize::MAX)?),
            Element::Day | Element::ZeroDay => {
                self.day = Some(digits(rest, 2, element == Element::ZeroDay)?);
            }
            Element::SpacedDay => {
                *rest = rest.strip_prefix(b" ").unwrap_or(rest);
                self.day = Some(digits(rest, 2, false)?);
            }
            Element::ZeroYearDay => self.year_day = Some(digits(rest, 3, true)?),
            Element::SpacedYearDay => {
                for _ in 0..2 {
                    *rest = rest.strip_prefix(b" ").unwrap_or(rest);
                }
                self.year_day = Some(digits(rest, 3, false)?);
            }
            Element::Hour24 => self.hour = in_range(digits(rest, 2, false)?, 0, 23, "hour")?,
            Element::Hour12 { padded } => {
                self.hour = in_range(digits(rest, 2, padded)?, 0, 12, "hour")?;
            }
            Element::Minute { padded } => {
                self.minute = in_range(digits(rest, 2, padded)?, 0, 59, "minute")?;
            }
            Element::Second { padded } => self.read_second(padded, rest, layout_rest)?,
            Element::UpperPm => self.half_day(take(rest, 2)?, b"AM", b"PM")?,
            Element::LowerPm => self.half_day(take(rest, 2)?, b"am", b"pm")?,
            Element::ZoneName => self.read_zone_name(rest)?,
            Element::Offset(form) => self.read_offset(form, rest)?,
            Element::Fraction { digits, cut: false, .. } => {
                self.nanos = fraction(rest, digits + 1)?;
            }
            Element::Fraction { cut: true, .. } if starts_fraction(rest) => {
                self.nanos = fraction(rest, fraction_length(rest))?;
            }
            Element::Fraction { .. } => {}
        }
        Ok(())
    }

    /// A second may have a fraction that the layout does not mention.
    /// A layout may ask twice: then both halves can be set.
    fn half_day(&mut self, text: &[u8], am: &[u8], pm: &[u8]) -> Parsed<()> {
        match text {
            _ if text == pm => self.pm = true,
            _ if text == am => self.am = true,
            _ => return Err(Mismatch::Form),
        }
        Ok(())
    }

    fn read_second(&mut self, padded: bool, rest: &mut &[u8], layout_rest: &[u8]) -> Parsed<()> {
        self.second = in_range(digits(rest, 2, padded)?, 0, 59, "second")?;
        let mentioned =
            matches!(next_chunk(layout_rest).element, Some((Element::Fraction { .. }, _)));
        if starts_fraction(rest) && !mentioned {
            self.nanos = fraction(rest, fraction_length(rest))?;
        }
        Ok(())
    }

    fn read_offset(&mut self, form: Offset, rest: &mut &[u8]) -> Parsed<()> {
        if form.iso && rest.first() == Some(&b'Z') {
            *rest = rest.get(1..).unwrap_or_default();
            self.utc = true;
            return Ok(());
        }
        let pairs = 1 + usize::from(form.minutes) + usize::from(form.seconds);
        let colons = if form.colon { pairs - 1 } else { 0 };
        let mut text = take(rest, 1 + 2 * pairs + colons)?;
        let sign = take(&mut text, 1)?;
        let mut parts = [0; 3];
        for (index, part) in parts.iter_mut().enumerate().take(pairs) {
            if index > 0 && form.colon && take(&mut text, 1)? != b":" {
                return Err(Mismatch::Form);
            }
            *part = digits(&mut text, 2, true)?;
        }
        let [hours, minutes, seconds] = parts;
        in_range(hours, 0, 24, "time zone offset hour")?;
        in_range(minutes, 0, 60, "time zone offset minute")?;
        in_range(seconds, 0, 60, "time zone offset second")?;
        let offset = (hours * 60 + minutes) * 60 + seconds;
        self.offset = Some(match sign {
            b"+" => offset,
            b"-" => -offset,
            _ => return Err(Mismatch::Form),
        });
        Ok(())
    }

    fn read_zone_name(&mut self, rest: &mut &[u8]) -> Parsed<()> {
        if let Some(after) = rest.strip_prefix(b"UTC") {
            *rest = after;
            self.utc = true;
            return Ok(());
        }
        let length = zone_name_length(rest).ok_or(Mismatch::Form)?;
        self.zone_name = Some(take(rest, length)?.to_vec());
        Ok(())
    }

    fn finish(mut self) -> Result<Time, &'static str> {
        if self.pm && self.hour < 12 {
            self.hour += 12;
        } else if self.am && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = match self.year_day {
            Some(year_day) => self.month_and_day(year_day)?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range");
        }
        let second_of_day = (self.hour * 60 + self.minute) * 60 + self.second;
        let nanos = u32::try_from(self.nanos).unwrap_or(0);
        let time = |shift: i64, zone| {
            let date = Date { year: self.year, month, day };
            Ok(Time::from_civil(date, second_of_day - shift, nanos, zone))
        };
        if self.utc {
            return time(0, Zone::Utc);
        }
        let name = self.zone_name.clone().unwrap_or_default();
        match self.offset {
            Some(0) if name.is_empty() || name == b"UTC" => time(0, Zone::Local),
            // Go takes an offset of one second west for none at all.
            Some(offset) if offset != -1 => time(offset, Zone::Fixed(name.into(), offset)),
            // A zone of unknown offset: Go keeps the moment and shows it elsewhere.
            _ if !name.is_empty() => {
                let offset = name.strip_prefix(b"GMT").map_or(0, gmt_offset);
                time(0, Zone::Fixed(name.into(), offset))
            }
            _ => time(0, Zone::Local),
        }
    }

    fn month_and_day(&self, year_day: i64) -> Result<(i64, i64), &'static str> {
        let limit = 365 + i64::from(is_leap(self.year));
        if !(1..=limit).contains(&year_day) {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|given| given != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|given| given != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

fn gmt_offset(digits: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(digits);
    text.parse::<i64>().unwrap_or(0) * 3600
}

/// How much of the text looks like the abbreviation of a zone.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_offset_length(after));
    }
    if matches!(text.first(), Some(b'+' | b'-')) {
        return Some(signed_offset_length(text)).filter(|&length| length > 0);
    }
    let letters = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match letters {
        5 if text.get(4) == Some(&b'T') => Some(5),
        4 if text.get(3) == Some(&b'T') || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// The length of a sign and hours up to 23, or 0.
fn signed_offset_length(text: &[u8]) -> usize {
    if !matches!(text.first(), Some(b'+' | b'-')) {
        return 0;
    }
    let count = text.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text.get(1..=count).unwrap_or_default();
    let hours = digits
        .iter()
        .fold(0_u64, |value, byte| value.saturating_mul(10).saturating_add(u64::from(byte - b'0')));
    if count == 0 || hours > 23 { 0 } else { count + 1 }
}
