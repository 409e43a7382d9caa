//! Arguments as Go's programs read them: `-name value`, `-name=value`, `-switch`, `-switch=false`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// A flag that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    name: &'static str,
    takes_value: bool,
}

/// Which of Go's two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Package flag: one dash or two, and no flag behind the first argument.
    Flag,
    /// Package pflag: two dashes, anywhere.
    Pflag,
}

/// What was given.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Help was asked for.
    pub(super) help: bool,
    /// What is no flag.
    pub(super) rest: Vec<OsString>,
    values: BTreeMap<&'static str, OsString>,
}

impl Flag {
    /// A flag with a value.
    pub(super) const fn value(name: &'static str) -> Self {
        Flag { name, takes_value: true }
    }

    /// A flag without.
    pub(super) const fn switch(name: &'static str) -> Self {
        Flag { name, takes_value: false }
    }
}

impl Parsed {
    /// The value of a flag; the last one when it was given twice.
    pub(super) fn value(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }

    /// Whether a switch is on.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let off = ["0", "f", "F", "false", "FALSE", "False"];
        self.values.get(name).is_some_and(|value| !off.iter().any(|word| value == word))
    }
}

/// Reads arguments. The message of an error names the flag as it was given.
pub(super) fn parse(given: &[OsString], flags: &[Flag], style: Style) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut given = given.iter();
    while let Some(arg) = given.next() {
        let text = arg.to_str().unwrap_or("");
        if text == "--" {
            break;
        }
        let dashes = text.len() - text.trim_start_matches('-').len();
        if dashes == 0 || text == "-" {
            parsed.rest.push(arg.clone());
            if style == Style::Flag {
                break;
            }
            continue;
        }
        let (name, value) = match text[dashes..].split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (&text[dashes..], None),
        };
        if matches!(name, "h" | "help") {
            parsed.help = true;
            return Ok(parsed);
        }
        let wrong_dashes = dashes > 2 || (style == Style::Pflag && dashes == 1);
        let flag = flags.iter().find(|flag| flag.name == name && !wrong_dashes);
        let flag = flag.ok_or_else(|| format!("{text} is no flag of it"))?;
        let value = match (flag.takes_value, value) {
            (_, Some(value)) => value,
            (false, None) => "true".into(),
            (true, None) => {
                given.next().cloned().ok_or_else(|| format!("{text} is given without its value"))?
            }
        };
        parsed.values.insert(flag.name, value);
    }
    parsed.rest.extend(given.cloned());
    Ok(parsed)
}
