//! Constraints: `>=1.2, <3 || ~4.1`, wildcards, carets, tildes and hyphen ranges.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Version, compare_prerelease};

const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";
const OPERATOR: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
const SPACE: &str = r"[\t\n\f\r ]";

struct Patterns {
    range: Regex,
    valid: Regex,
    find: Regex,
    one: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let (op, v, s) = (OPERATOR, VERSION, SPACE);
    Some(Patterns {
        range: Regex::new(&format!("{s}*({v}){s}+-{s}+({v}){s}*")).ok()?,
        valid: Regex::new(&format!(
            "^({s}*({op}){s}*({v}){s}*)((?:{s}+|,{s}*)({op}){s}*({v}){s}*)*$"
        ))
        .ok()?,
        find: Regex::new(&format!("({op}){s}*({v})")).ok()?,
        one: Regex::new(&format!("^{s}*({op}){s}*({v}){s}*$")).ok()?,
    })
});

/// One comparison.
struct Constraint {
    operator: String,
    version: Version,
    /// Some number is a wildcard or missing.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

/// Whether the version satisfies the constraints; an error where they cannot be read.
pub(crate) fn satisfies(constraints: &str, version: &str) -> Result<bool, String> {
    let alternatives = parse(constraints)?;
    let version = Version::parse(version)?;
    Ok(alternatives.iter().any(|all| all.iter().all(|constraint| constraint.check(&version))))
}

fn parse(text: &str) -> Result<Vec<Vec<Constraint>>, String> {
    let patterns = PATTERNS.as_ref().ok_or("constraints cannot be read")?;
    let text = rewrite_ranges(patterns, text);
    text.split("||").map(|part| parse_all(patterns, part)).collect()
}

/// Turns `1.2 - 1.4` into two comparisons.
fn rewrite_ranges(patterns: &Patterns, text: &str) -> String {
    let mut out = text.to_owned();
    for found in patterns.range.captures_iter(text) {
        let (low, high) = (group(&found, 1), group(&found, 11));
        out = out.replacen(group(&found, 0), &format!(">= {low}, <= {high} "), 1);
    }
    out
}

fn group<'t>(found: &Captures<'t>, index: usize) -> &'t str {
    found.get(index).map_or("", |group| group.as_str())
}

fn parse_all(patterns: &Patterns, text: &str) -> Result<Vec<Constraint>, String> {
    if !patterns.valid.is_match(text) {
        return Err(format!("improper constraint: {text}"));
    }
    patterns.find.find_iter(text).map(|found| Constraint::parse(patterns, found.as_str())).collect()
}

fn is_wild(text: &str) -> bool {
    matches!(text.strip_prefix('.').unwrap_or(text), "" | "x" | "X" | "*")
}

impl Constraint {
    fn parse(patterns: &Patterns, text: &str) -> Result<Self, String> {
        let found =
            patterns.one.captures(text).ok_or_else(|| format!("improper constraint: {text}"))?;
        let (major, minor, patch, pre) =
            (group(&found, 3), group(&found, 4), group(&found, 5), group(&found, 6));
        let mut constraint = Self {
            operator: group(&found, 1).to_owned(),
            version: Version::parse("0.0.0")?,
            dirty: true,
            minor_dirty: false,
            patch_dirty: false,
        };
        let written = if is_wild(major) {
            format!("0.0.0{pre}")
        } else if is_wild(minor) {
            constraint.minor_dirty = true;
            format!("{major}.0.0{pre}")
        } else if is_wild(patch) {
            constraint.patch_dirty = true;
            format!("{major}{minor}.0{pre}")
        } else {
            constraint.dirty = false;
            group(&found, 2).to_owned()
        };
        constraint.version = Version::parse(&written).map_err(|_| "constraint Parser Error")?;
        Ok(constraint)
    }

    fn check(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let unwanted_prerelease = !version.pre.is_empty() && wanted.pre.is_empty();
        if self.operator == "!=" {
            return self.differs(version, unwanted_prerelease);
        }
        if unwanted_prerelease {
            return false;
        }
        let order = version.compare(wanted);
        match self.operator.as_str() {
            ">" => self.greater(version, order),
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" => self.at_most(version, order),
            "~" | "~>" => self.tilde(version, order),
            "^" => self.caret(version, order),
            _ if self.dirty => self.tilde(version, order),
            _ => order == Ordering::Equal,
        }
    }

    fn differs(&self, version: &Version, unwanted_prerelease: bool) -> bool {
        let wanted = &self.version;
        if !self.dirty {
            return version.compare(wanted) != Ordering::Equal;
        }
        if unwanted_prerelease {
            return false;
        }
        if wanted.major != version.major || (wanted.minor != version.minor && !self.minor_dirty) {
            return true;
        }
        if self.minor_dirty {
            return false;
        }
        if wanted.patch != version.patch && !self.patch_dirty {
            return true;
        }
        if self.patch_dirty {
            return compare_prerelease(&version.pre, &wanted.pre) != Ordering::Equal;
        }
        version.compare(wanted) != Ordering::Equal
    }

    fn greater(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if !self.dirty {
            return order == Ordering::Greater;
        }
        match version.major.cmp(&wanted.major) {
            Ordering::Equal if self.minor_dirty => false,
            Ordering::Equal if self.patch_dirty => version.minor > wanted.minor,
            Ordering::Equal => order == Ordering::Greater,
            unequal => unequal == Ordering::Greater,
        }
    }

    fn at_most(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if !self.dirty {
            return order != Ordering::Greater;
        }
        match version.major.cmp(&wanted.major) {
            Ordering::Greater => false,
            Ordering::Equal => version.minor <= wanted.minor || self.minor_dirty,
            Ordering::Less => true,
        }
    }

    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if order == Ordering::Less {
            return false;
        }
        let zero = wanted.major == 0 && wanted.minor == 0 && wanted.patch == 0;
        if zero && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        version.major == wanted.major && (version.minor == wanted.minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if order == Ordering::Less {
            return false;
        }
        if wanted.major > 0 || self.minor_dirty {
            return version.major == wanted.major;
        }
        if version.major > 0 {
            return false;
        }
        if wanted.minor > 0 || self.patch_dirty {
            return version.minor == wanted.minor;
        }
        version.minor == 0 && version.patch == wanted.patch
    }
}
