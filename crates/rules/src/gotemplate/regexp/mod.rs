//! Go's regular expressions (RE2), on top of the `regex` crate: own syntax, own rules for empty matches.

mod classes;
mod subject;
mod syntax;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

pub(crate) use subject::Subject;

use super::limits::Budget;
use super::text::{decode_rune, find};
use super::unicode::{is_digit, is_letter};
use super::value::Fail;

/// Expressions kept for the next time.
const CACHED: usize = 128;
/// Bytes a compiled expression may take.
const SIZE_LIMIT: usize = 10 << 20;

/// A compiled expression.
pub(crate) struct Regexp {
    regex: Regex,
    /// The name of every group, the whole match first.
    names: Vec<String>,
    cost: usize,
}

/// Expressions compiled before, so that a template does not compile one for every descriptor.
#[derive(Default)]
pub(crate) struct RegexCache(Mutex<HashMap<String, Arc<Regexp>>>);

impl RegexCache {
    /// Compiles an expression, or finds it.
    pub(crate) fn compile(&self, pattern: &[u8]) -> Result<Arc<Regexp>, String> {
        let pattern = std::str::from_utf8(pattern).map_err(|_| {
            format!("error parsing regexp: invalid UTF-8: `{}`", String::from_utf8_lossy(pattern))
        })?;
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache.get(pattern) {
            return Ok(Arc::clone(found));
        }
        let compiled = Arc::new(
            Regexp::compile(pattern)
                .map_err(|problem| format!("error parsing regexp: {problem}"))?,
        );
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(pattern.to_owned(), Arc::clone(&compiled));
        Ok(compiled)
    }
}

/// The start and end of every group of a match.
type Groups = Vec<Option<(usize, usize)>>;

impl Regexp {
    fn compile(pattern: &str) -> Result<Self, String> {
        let translated = syntax::translate(pattern)?;
        let regex = regex::RegexBuilder::new(&translated.pattern)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(|_| format!("expression too large: `{pattern}`"))?;
        Ok(Self { regex, names: translated.names, cost: 1 + pattern.len() / 64 })
    }

    fn charge(&self, length: usize, budget: &Budget) -> Result<(), Fail> {
        budget.step(1 + (length / 256).saturating_mul(self.cost))
    }

    /// Whether it matches anywhere.
    pub(crate) fn is_match(&self, subject: &Subject<'_>, budget: &Budget) -> Result<bool, Fail> {
        let text = subject.shown();
        self.charge(text.len(), budget)?;
        Ok(self.regex.is_match(text))
    }

    /// The first match.
    pub(crate) fn find<'t>(
        &self,
        subject: &Subject<'t>,
        budget: &Budget,
    ) -> Result<&'t [u8], Fail> {
        let text = subject.shown();
        self.charge(text.len(), budget)?;
        let found = self.regex.find(text);
        Ok(found.map_or(b"", |found| subject.part(found.start(), found.end())))
    }

    /// Up to `limit` matches; a negative limit is none.
    pub(crate) fn find_all(
        &self,
        subject: &Subject<'_>,
        limit: i64,
        budget: &Budget,
    ) -> Result<Vec<(usize, usize)>, Fail> {
        let text = subject.shown();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let (mut at, mut last_end) = (0, None);
        while found.len() < limit && at <= text.len() {
            self.charge(1, budget)?;
            let Some(next) = self.regex.find_at(text, at) else {
                break;
            };
            self.charge(next.end() - at, budget)?;
            budget.bytes(16)?;
            let after_match = next.end() == at && Some(next.start()) == last_end;
            last_end = Some(next.end());
            at = if next.end() == at { after_rune(text, at) } else { next.end() };
            if !after_match {
                found.push((next.start(), next.end()));
            }
        }
        Ok(found)
    }

    /// Every match replaced by what `with` writes.
    pub(crate) fn replace(
        &self,
        subject: &Subject<'_>,
        budget: &Budget,
        mut with: impl FnMut(&mut Vec<u8>, &Groups) -> Result<(), Fail>,
    ) -> Result<Vec<u8>, Fail> {
        let text = subject.shown();
        let mut out = Vec::new();
        let (mut at, mut last_end) = (0, 0);
        while at <= text.len() {
            self.charge(1, budget)?;
            let Some(found) = self.regex.captures_at(text, at) else {
                break;
            };
            let groups: Groups =
                found.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect();
            let Some(&Some((start, end))) = groups.first() else {
                break;
            };
            self.charge(end - at, budget)?;
            out.extend_from_slice(subject.part(last_end, start));
            if end > last_end || start == 0 {
                let before = out.len();
                with(&mut out, &groups)?;
                budget.bytes(out.len() - before)?;
            }
            last_end = end;
            at = after_rune(text, at).max(end);
        }
        out.extend_from_slice(subject.tail(last_end));
        budget.bytes(out.len())?;
        Ok(out)
    }

    /// `Regexp.Expand`: `$1`, `${name}`, `$$`.
    pub(crate) fn expand(
        &self,
        out: &mut Vec<u8>,
        template: &[u8],
        subject: &Subject<'_>,
        groups: &Groups,
    ) {
        let mut rest = template;
        while let Some(dollar) = find(rest, b"$") {
            out.extend_from_slice(rest.get(..dollar).unwrap_or_default());
            rest = rest.get(dollar + 1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = group_name(rest) {
                if let Some((start, end)) = self.group(name, groups) {
                    out.extend_from_slice(subject.part(start, end));
                }
                rest = after;
            } else {
                out.push(b'$');
            }
        }
        out.extend_from_slice(rest);
    }

    fn group(&self, name: &[u8], groups: &Groups) -> Option<(usize, usize)> {
        let name = std::str::from_utf8(name).ok()?;
        let leading_zero = name.len() > 1 && name.starts_with('0');
        if name.bytes().all(|b| b.is_ascii_digit()) && !leading_zero && name.len() <= 8 {
            return groups.get(name.parse::<usize>().ok()?).copied().flatten();
        }
        let mut named = self.names.iter().zip(groups).filter(|(known, _)| *known == name);
        named.find_map(|(_, group)| *group)
    }
}

fn after_rune(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + decode_rune(rest).1.max(1)
}

/// The name of a group after a dollar sign, in braces or not, and what follows.
fn group_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let braced = text.strip_prefix(b"{");
    let text = braced.unwrap_or(text);
    let mut length = 0;
    loop {
        let (rune, width) = decode_rune(text.get(length..).unwrap_or_default());
        if width == 0 || !(is_letter(rune) || is_digit(rune) || rune == '_') {
            break;
        }
        length += width;
    }
    let (name, rest) = text.split_at_checked(length).filter(|(name, _)| !name.is_empty())?;
    if braced.is_some() {
        return Some((name, rest.strip_prefix(b"}")?));
    }
    Some((name, rest))
}

/// `regexp.QuoteMeta`
pub(crate) fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}
