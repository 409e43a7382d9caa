//! Semantic versions as Masterminds' package has them: lenient in form, compared by the standard's rules.

mod constraint;

pub(crate) use constraint::satisfies;

use std::cmp::Ordering;
use std::fmt;

use super::text::GoStr;

const INVALID: &str = "Invalid Semantic Version";

/// `semver.Version`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) pre: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Version {
    /// The zero value.
    pub(crate) fn zero() -> Self {
        Self {
            major: 0,
            minor: 0,
            patch: 0,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        }
    }

    /// `semver.NewVersion`: a leading `v` and one to three numbers.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = cut(bare, '+')?;
        let (numbers, pre) = cut(rest, '-')?;
        let mut segments = [0; 3];
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3
            || parts.iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(INVALID.to_owned());
        }
        if !identifiers_ok(pre) || !identifiers_ok(metadata) {
            return Err(INVALID.to_owned());
        }
        for (segment, part) in segments.iter_mut().zip(&parts) {
            *segment = part.parse().map_err(|_| {
                format!("Error parsing version segment: strconv.ParseUint: parsing \"{part}\": value out of range")
            })?;
        }
        check_prerelease(pre.unwrap_or_default())?;
        let [major, minor, patch] = segments;
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Self {
            major,
            minor,
            patch,
            pre: owned(pre),
            metadata: owned(metadata),
            original: text.to_owned(),
        })
    }

    /// `Compare`: metadata does not count.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.pre, &other.pre),
            }
        })
    }

    /// The next version of a rank: 0 major, 1 minor, 2 patch.
    pub(crate) fn increment(&self, rank: u8) -> Self {
        let mut next = Self { pre: String::new(), metadata: String::new(), ..self.clone() };
        match rank {
            0 => (next.major, next.minor, next.patch) = (self.major.wrapping_add(1), 0, 0),
            1 => (next.minor, next.patch) = (self.minor.wrapping_add(1), 0),
            _ if self.pre.is_empty() => next.patch = self.patch.wrapping_add(1),
            _ => {}
        }
        self.renamed(next)
    }

    /// `SetPrerelease`
    pub(crate) fn with_prerelease(&self, pre: &str) -> Result<Self, String> {
        check_prerelease(pre)?;
        Ok(self.renamed(Self { pre: pre.to_owned(), ..self.clone() }))
    }

    /// `SetMetadata`
    pub(crate) fn with_metadata(&self, metadata: &str) -> Result<Self, String> {
        if !metadata.split('.').all(allowed) {
            return Err("Invalid Metadata string".to_owned());
        }
        Ok(self.renamed(Self { metadata: metadata.to_owned(), ..self.clone() }))
    }

    /// Writes the original of a changed version as this one was written.
    fn renamed(&self, mut changed: Self) -> Self {
        let v = if self.original.starts_with('v') { "v" } else { "" };
        changed.original = format!("{v}{changed}");
        changed
    }

    /// The version as a Go string.
    pub(crate) fn text(&self) -> GoStr {
        self.to_string().into()
    }
}

fn cut(text: &str, mark: char) -> Result<(&str, Option<&str>), String> {
    match text.split_once(mark) {
        Some((_, "")) => Err(INVALID.to_owned()),
        Some((head, tail)) => Ok((head, Some(tail))),
        None => Ok((text, None)),
    }
}

fn allowed(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn identifiers_ok(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.split('.').all(|part| !part.is_empty() && allowed(part)))
}

fn check_prerelease(pre: &str) -> Result<(), String> {
    for part in pre.split('.') {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            if part.len() > 1 && part.starts_with('0') {
                return Err("Version segment starts with 0".to_owned());
            }
        } else if !allowed(part) {
            return Err("Invalid Prerelease string".to_owned());
        }
    }
    Ok(())
}

/// The order of two pre-release texts, part by part.
pub(super) fn compare_prerelease(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => match compare_part(x.unwrap_or_default(), y.unwrap_or_default()) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a > b => Ordering::Greater,
        (Some(_), Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_read_leniently_and_ordered() {
        assert_eq!(v("v1.2").to_string(), "1.2.0");
        assert_eq!(v("01.2.3-a-b+c-d").to_string(), "1.2.3-a-b+c-d");
        for bad in [
            "",
            "v",
            "1.",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3+",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3-rc_1",
            " 1",
            "V1",
        ] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
        for (less, more) in [
            ("1.0.0-alpha.2", "1.0.0-alpha.10"),
            ("1.0.0-1", "1.0.0-a"),
            ("1.0.0-a", "1.0.0-a.1"),
            ("1.9.0", "1.10.0"),
        ] {
            assert_eq!(v(less).compare(&v(more)), Ordering::Less, "{less} {more}");
        }
        assert_eq!(v("v1.2.3-rc").increment(2).original, "v1.2.3");
    }
}
