//! Go's layouts: a date written as the reference time would be, cut into its elements.

/// One element of a layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Element {
    LongMonth,
    ShortMonth,
    Month {
        padded: bool,
    },
    LongWeekday,
    ShortWeekday,
    Day,
    SpacedDay,
    ZeroDay,
    SpacedYearDay,
    ZeroYearDay,
    Hour24,
    Hour12 {
        padded: bool,
    },
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    LongYear,
    ShortYear,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(Offset),
    /// A fraction of a second; trailing zeros are cut where it was written with nines.
    Fraction {
        digits: usize,
        cut: bool,
        separator: u8,
    },
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offset {
    /// `Z` stands for UTC.
    pub(super) iso: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// What precedes the first element, the element with its text, and what follows.
pub(super) struct Chunk<'a> {
    pub(super) prefix: &'a [u8],
    pub(super) element: Option<(Element, &'a [u8])>,
    pub(super) suffix: &'a [u8],
}

/// Finds the first element of a layout.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for at in 0..layout.len() {
        let rest = layout.get(at..).unwrap_or_default();
        if let Some((skip, element, len)) = element_at(rest) {
            let (start, end) = (at + skip, at + skip + len);
            return Chunk {
                prefix: layout.get(..start).unwrap_or_default(),
                element: Some((element, layout.get(start..end).unwrap_or_default())),
                suffix: layout.get(end..).unwrap_or_default(),
            };
        }
    }
    Chunk { prefix: layout, element: None, suffix: b"" }
}

/// An element at the very start: bytes before it that are literal, the element, its length.
fn element_at(rest: &[u8]) -> Option<(usize, Element, usize)> {
    let found = |element, len| Some((0, element, len));
    match rest.first()? {
        b'J' if rest.starts_with(b"January") => found(Element::LongMonth, 7),
        b'J' if rest.starts_with(b"Jan") && !lower_at(rest, 3) => found(Element::ShortMonth, 3),
        b'M' if rest.starts_with(b"Monday") => found(Element::LongWeekday, 6),
        b'M' if rest.starts_with(b"Mon") && !lower_at(rest, 3) => found(Element::ShortWeekday, 3),
        b'M' if rest.starts_with(b"MST") => found(Element::ZoneName, 3),
        b'0' => zero_padded(rest).map(|(element, len)| (0, element, len)),
        b'1' if rest.starts_with(b"15") => found(Element::Hour24, 2),
        b'1' => found(Element::Month { padded: false }, 1),
        b'2' if rest.starts_with(b"2006") => found(Element::LongYear, 4),
        b'2' => found(Element::Day, 1),
        b'_' if rest.starts_with(b"_2006") => Some((1, Element::LongYear, 4)),
        b'_' if rest.starts_with(b"_2") => found(Element::SpacedDay, 2),
        b'_' if rest.starts_with(b"__2") => found(Element::SpacedYearDay, 3),
        b'3' => found(Element::Hour12 { padded: false }, 1),
        b'4' => found(Element::Minute { padded: false }, 1),
        b'5' => found(Element::Second { padded: false }, 1),
        b'P' if rest.starts_with(b"PM") => found(Element::UpperPm, 2),
        b'p' if rest.starts_with(b"pm") => found(Element::LowerPm, 2),
        b'-' | b'Z' => offset(rest).map(|(element, len)| (0, element, len)),
        b'.' | b',' => fraction(rest).map(|(element, len)| (0, element, len)),
        _ => None,
    }
}

fn lower_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_lowercase)
}

fn zero_padded(rest: &[u8]) -> Option<(Element, usize)> {
    let element = match rest.get(1)? {
        b'1' => Element::Month { padded: true },
        b'2' => Element::ZeroDay,
        b'3' => Element::Hour12 { padded: true },
        b'4' => Element::Minute { padded: true },
        b'5' => Element::Second { padded: true },
        b'6' => Element::ShortYear,
        b'0' if rest.get(2) == Some(&b'2') => return Some((Element::ZeroYearDay, 3)),
        _ => return None,
    };
    Some((element, 2))
}

fn offset(rest: &[u8]) -> Option<(Element, usize)> {
    let (first, digits) = rest.split_first()?;
    let forms: [(&[u8], bool, bool, bool); 5] = [
        (b"070000", false, true, true),
        (b"07:00:00", true, true, true),
        (b"0700", false, true, false),
        (b"07:00", true, true, false),
        (b"07", false, false, false),
    ];
    let (text, colon, minutes, seconds) =
        forms.into_iter().find(|(text, ..)| digits.starts_with(text))?;
    let offset = Offset { iso: *first == b'Z', colon, minutes, seconds };
    Some((Element::Offset(offset), text.len() + 1))
}

fn fraction(rest: &[u8]) -> Option<(Element, usize)> {
    let (&separator, digits) = rest.split_first()?;
    let &kind = digits.first().filter(|digit| matches!(digit, b'0' | b'9'))?;
    let count = digits.iter().take_while(|&&digit| digit == kind).count();
    if digits.get(count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((Element::Fraction { digits: count, cut: kind == b'9', separator }, count + 1))
}
