//! Go's syntax of regular expressions, checked and written anew in that of the `regex` crate.

use super::classes::{self, Checked, Class};

mod groups;

/// The highest count of a repetition, nested ones multiplied.
const MAX_REPEAT: u32 = 1000;

/// An expression in the syntax of the `regex` crate.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The name of every group, the whole match first; empty where it has none.
    pub(super) names: Vec<String>,
}

/// What is known of the expression inside one pair of parentheses.
#[derive(Default)]
struct Level {
    /// The highest product of repetition counts.
    weight: u32,
    /// That of what was last read, where it can be repeated.
    last: Option<u32>,
    /// Whether the flag `U` holds here, which turns repetitions around.
    lazy: bool,
    /// Whether it holds for what is written: flags are, after a repetition they stand before.
    lazy_written: bool,
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    /// Flags to be written before what comes next, but after a repetition of what came before.
    flags: String,
    names: Vec<String>,
    levels: Vec<Level>,
    level: Level,
    /// Where the repetition that was just read began.
    repeated_at: Option<usize>,
}

/// Checks an expression and translates it.
pub(super) fn translate(pattern: &str) -> Checked<Translated> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::new(),
        flags: String::new(),
        names: vec![String::new()],
        levels: Vec::new(),
        level: Level::default(),
        repeated_at: None,
    };
    while translator.at < pattern.len() {
        let repeated = translator.step_with_flags()?;
        translator.repeated_at = repeated;
    }
    if !translator.levels.is_empty() {
        return Err(format!("missing closing ): `{pattern}`"));
    }
    Ok(Translated { pattern: translator.out, names: translator.names })
}

/// A literal character.
fn literal(code: u32) -> String {
    match char::from_u32(code) {
        Some(_) => format!("\\x{{{code:x}}}"),
        None => classes::NOTHING.to_owned(),
    }
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    /// Writes something that can be repeated.
    fn atom(&mut self, text: &str, length: usize) {
        self.out += text;
        self.at += length;
        self.level.weight = self.level.weight.max(1);
        self.level.last = Some(1);
    }

    /// Reads one element and writes the flags held back, unless only flags were read or a repetition.
    fn step_with_flags(&mut self) -> Checked<Option<usize>> {
        if self.rest().starts_with(['*', '+', '?', '{']) {
            return self.step();
        }
        let held = std::mem::take(&mut self.flags);
        let before = self.out.len();
        let was_written = std::mem::replace(&mut self.level.lazy_written, self.level.lazy);
        let repeated = self.step()?;
        if self.out.len() == before {
            self.flags.insert_str(0, &held);
            self.level.lazy_written = was_written;
        } else {
            self.out.insert_str(before, &held);
        }
        Ok(repeated)
    }

    /// Reads one element; the place of a repetition, if it was one.
    fn step(&mut self) -> Checked<Option<usize>> {
        let rest = self.rest();
        let start = self.at;
        match rest.chars().next() {
            Some('(') => self.open()?,
            Some(')') => self.close()?,
            Some('|') => {
                self.out.push('|');
                self.at += 1;
                self.level.last = None;
            }
            Some('^') => self.atom("^", 1),
            Some('$') => self.atom("$", 1),
            Some('.') => self.atom(".", 1),
            Some('[') => self.class()?,
            Some(op @ ('*' | '+' | '?')) => {
                self.at += 1;
                self.repeat(start, &op.to_string(), None)?;
                return Ok(Some(start));
            }
            Some('{') => {
                if let Some((low, high, length)) = counts(rest) {
                    self.counted(start, low, high, length)?;
                    return Ok(Some(start));
                }
                self.out += &std::mem::take(&mut self.flags);
                self.level.lazy_written = self.level.lazy;
                self.atom(&literal(u32::from('{')), 1);
            }
            Some('\\') => self.escape()?,
            Some(rune) => self.atom(&literal(u32::from(rune)), rune.len_utf8()),
            None => {}
        }
        Ok(None)
    }

    fn counted(&mut self, start: usize, low: u32, high: Option<u32>, length: usize) -> Checked<()> {
        self.at += length;
        if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || low > high) {
            return Err(format!("invalid repeat count: `{}`", self.since(start)));
        }
        let count = match high {
            Some(high) if high == low => format!("{{{low}}}"),
            Some(high) => format!("{{{low},{high}}}"),
            None => format!("{{{low},}}"),
        };
        self.repeat(start, &count, Some(high.unwrap_or(low)))
    }

    fn since(&self, start: usize) -> &'p str {
        self.pattern.get(start..self.at).unwrap_or_default()
    }

    /// Repeats what was last read; `count` is the most times where there is a count.
    fn repeat(&mut self, start: usize, operator: &str, count: Option<u32>) -> Checked<()> {
        self.out += operator;
        let marked = self.rest().starts_with('?');
        self.at += usize::from(marked);
        if marked != (self.level.lazy != self.level.lazy_written) {
            self.out.push('?');
        }
        if let Some(before) = self.repeated_at {
            return Err(format!("invalid nested repetition operator: `{}`", self.since(before)));
        }
        let Some(weight) = self.level.last else {
            return Err(format!(
                "missing argument to repetition operator: `{}`",
                self.since(start)
            ));
        };
        let weight = match count {
            Some(0) => 0,
            Some(count) => weight.saturating_mul(count).max(weight),
            None => weight,
        };
        if count.is_some_and(|count| count >= 2) && weight > MAX_REPEAT {
            return Err(format!("invalid repeat count: `{}`", self.since(start)));
        }
        self.level.last = Some(weight);
        self.level.weight = self.level.weight.max(weight);
        Ok(())
    }

    fn class(&mut self) -> Checked<()> {
        let (class, length) = Class::parse(self.rest())?;
        self.atom(&class, length);
        Ok(())
    }

    fn escape(&mut self) -> Checked<()> {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'A') => self.atom(r"\A", 2),
            Some(b'z') => self.atom(r"\z", 2),
            Some(b'b') => self.atom(r"(?-u:\b)", 2),
            Some(b'B') => self.atom(r"(?-u:\B)", 2),
            Some(b'C') => return Err(r"invalid escape sequence: `\C`".to_owned()),
            Some(b'Q') => self.quoted(),
            Some(b'p' | b'P') => {
                let (class, length) = classes::unicode(rest)?;
                self.atom(&class, length);
            }
            Some(&letter) if classes::perl(letter).is_some() => {
                self.atom(&classes::perl(letter).unwrap_or_default(), 2);
            }
            _ => {
                let (code, length) = classes::escape(rest)?;
                self.atom(&literal(code), length);
            }
        }
        Ok(())
    }

    /// `\Q..\E`
    fn quoted(&mut self) {
        let inner = self.rest().get(2..).unwrap_or_default();
        let (text, length) = inner
            .split_once(r"\E")
            .map_or((inner, inner.len()), |(text, _)| (text, text.len() + 2));
        for rune in text.chars() {
            self.atom(&literal(u32::from(rune)), 0);
        }
        self.at += 2 + length;
    }
}

/// `{n}`, `{n,}` or `{n,m}`: the counts and the length of the text; counts beyond reason are cut.
fn counts(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let end = text.find('}')?;
    let inner = text.get(1..end)?;
    let (low, high) = match inner.split_once(',') {
        None => (count(inner)?, Some(count(inner)?)),
        Some((low, "")) => (count(low)?, None),
        Some((low, high)) => (count(low)?, Some(count(high)?)),
    };
    Some((low, high, end + 1))
}

fn count(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_translated_is_accepted() {
        for pattern in [
            r"a**?",
            r"(?P<1a>x)(?<n>y)",
            r"\b\B\A\z^$.",
            r"[]a-c[:^alpha:]\d\PL\x{1F600}]",
            "(?i-s:a)(?i)b",
            r"\Q.*\E+",
            "a{,5}{",
            "(a{10}){100}",
            r"\x{D800}",
            r"[^\x00-\x{10FFFF}]",
            "()|",
            "^*",
            r"\pN\p{Greek}\p{^Lu}",
        ] {
            match translate(pattern) {
                Ok(translated) => assert!(
                    regex::Regex::new(&translated.pattern).is_ok(),
                    "{pattern}: {}",
                    translated.pattern
                ),
                Err(problem) => assert_eq!((pattern, problem.contains("nested")), ("a**?", true)),
            }
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(",
            ")",
            "*",
            "a**",
            "a+{2}",
            "(?=a)",
            "(?P=n)",
            "(?z)",
            r"\8",
            r"\y",
            r"\é",
            "[b-a]",
            "[",
            "[[:nope:]]",
            "a{1001}",
            "(a{1000}){2}",
            "a{2,1}",
            r"\p{Alphabetic}",
            r"\C",
            "a\\",
            "(?<=a)",
            "(?-)",
            "|*",
            r"\x{110000}",
            r"\p{Greek",
            r"\1",
        ] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
