//! Limits for templates: an error instead of a run without end.
//!
//! Tera has loops over what is given, no recursion but by components, and no limit on either. A
//! rule file needs little of that. So before it is compiled it is scanned: what is not needed is
//! refused with its line (components, blocks, includes, captures, comprehensions), every loop
//! gets a call that counts its passes, and every `set` one that weighs the value. Nesting is
//! limited by Tera itself.

use std::cell::Cell;

use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

use super::Fault;

/// Passes through loops for one item.
const PASSES: u32 = 10_000;

/// What one variable may hold: bytes of text and number of values.
const WEIGHT: usize = 1024 * 1024;

/// Length of a rule file, in bytes.
const FILE: usize = 1024 * 1024;

/// Length of one tag, in bytes, and the signs and operators in it.
const TAG: usize = 4096;
const SIGNS: usize = 100;

/// `elif`s of a rule file: the engine handles each within the one before.
const ALTERNATIVES: usize = 200;

thread_local! {
    /// Passes of the render under way on this thread; a render never leaves its thread.
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// Starts the count for one item.
pub(super) fn start() {
    COUNT.set(0);
}

pub(super) fn register(tera: &mut Tera) {
    tera.register_function("__pass", |_: Kwargs, _: &State<'_>| -> TeraResult<&'static str> {
        COUNT.set(COUNT.get() + 1);
        if COUNT.get() > PASSES {
            let message =
                format!("the template's loops make more than {PASSES} passes for one item");
            return Err(Error::message(message));
        }
        Ok("")
    });
    tera.register_function("__weigh", |arguments: Kwargs, state: &State<'_>| {
        let name = arguments.must_get::<&str>("name")?;
        match state.get::<Value>(name)? {
            Some(value) if weight(&value, WEIGHT) > WEIGHT => {
                Err(Error::message(format!("the variable {name} grows beyond {WEIGHT} bytes")))
            }
            _ => Ok(""),
        }
    });
}

/// Bytes of text and number of values in `value`; counted no further than beyond `bound`.
pub(super) fn weight(value: &Value, bound: usize) -> usize {
    let mut total = 0_usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        total = total.saturating_add(1 + value.as_str().map_or(0, str::len));
        if total > bound {
            break;
        }
        open.extend(value.as_array().into_iter().flatten());
        open.extend(value.as_map().into_iter().flatten().map(|(_, value)| value));
    }
    total
}

/// The template with its counters, or what is not allowed in it.
pub(super) fn guarded(text: &str) -> Result<String, Fault> {
    if text.len() > FILE {
        let message = format!("a rule file holds no more than {FILE} bytes");
        return Err(Fault { line: None, message });
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    let mut alternatives = 0;
    let mut lines = 1;
    while let Some(at) = next_tag(rest) {
        lines += line_breaks(&rest[..at]);
        let end = at + piece_length(&rest[at..]);
        let (piece, counter) = (&rest[at..end], counter(&rest[at..end]));
        let line = u32::try_from(lines).ok();
        lines += line_breaks(piece);
        let counter = counter.map_err(|message| Fault { line, message })?;
        alternatives += usize::from(piece.starts_with("{%") && first_word(piece) == "elif");
        if alternatives > ALTERNATIVES {
            let message = format!("a rule file holds no more than {ALTERNATIVES} 'elif'");
            return Err(Fault { line, message });
        }
        out.push_str(&rest[..at]);
        out.push_str(piece);
        if let Some(counter) = counter {
            let trims = if piece.ends_with("-%}") { "-" } else { "" };
            out.extend(["{{ ", &counter, " ", trims, "}}"]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the next tag or comment starts.
fn next_tag(text: &str) -> Option<usize> {
    let opens = |at: &usize| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
    text.match_indices('{').map(|(at, _)| at).find(opens)
}

fn line_breaks(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Length of a comment, a raw section or a tag with its delimiters; all that is left when its
/// end is missing, which Tera will say.
fn piece_length(text: &str) -> usize {
    if let Some(comment) = text.strip_prefix("{#") {
        return comment.find("#}").map_or(text.len(), |end| end + 4);
    }
    let close = if text.starts_with("{{") { "}}" } else { "%}" };
    let length = tag_length(text, close);
    if close == "}}" || first_word(&text[..length]) != "raw" {
        return length;
    }
    let mut at = length;
    while let Some(next) = text[at..].find("{%") {
        let tag = at + next;
        let end = tag + tag_length(&text[tag..], "%}");
        if first_word(&text[tag..end]) == "endraw" {
            return end;
        }
        at = tag + 2;
    }
    text.len()
}

/// The word that says what a `{%` tag is.
fn first_word(tag: &str) -> &str {
    words(tag).next().unwrap_or("")
}

/// Length of a tag; its end does not count within quotes.
fn tag_length(text: &str, close: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(2) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if text[at..].starts_with(close) => return at + 2,
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            _ => {}
        }
    }
    text.len()
}

/// A tag with blanks instead of what stands in quotes.
fn unquoted(tag: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    let blank = |c: char| {
        let open = quote;
        match open {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(mark) if c == mark => quote = None,
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            _ => {}
        }
        if open.is_some() || quote.is_some() { ' ' } else { c }
    };
    tag.chars().map(blank).collect()
}

/// The words of a tag without quoted text.
fn words(unquoted: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    unquoted.split(move |c| !word(c)).filter(|word| !word.is_empty())
}

/// The call that has to follow a tag, or why the tag is not allowed.
fn counter(piece: &str) -> Result<Option<String>, String> {
    if piece.starts_with("{#") {
        return Ok(None);
    }
    if piece.starts_with("{%") && first_word(piece) == "raw" {
        return Ok(None);
    }
    let bare = unquoted(piece);
    check_size(piece, &bare)?;
    let mut words = words(&bare);
    let first = if piece.starts_with("{%") { words.next() } else { None };
    let words: Vec<&str> = words.collect();
    if words.contains(&"for") {
        return Err("a list cannot be made by 'for' inside a tag in a rule file".to_owned());
    }
    match first {
        Some("for") => Ok(Some("__pass()".to_owned())),
        Some("set" | "set_global") => {
            if !bare.contains('=') {
                return Err("'set' needs '=' and a value in a rule file".to_owned());
            }
            Ok(words.first().map(|name| format!("__weigh(name=\"{name}\")")))
        }
        Some(word @ ("component" | "block" | "extends" | "include" | "filter" | "macro")) => {
            Err(format!("'{word}' is not available in a rule file"))
        }
        _ => Ok(None),
    }
}

/// Limits what makes an expression deep: signs and the words that join.
fn check_size(piece: &str, bare: &str) -> Result<(), String> {
    if piece.len() > TAG {
        return Err(format!("a tag of a rule file holds no more than {TAG} bytes"));
    }
    let signs = bare.chars().filter(|c| c.is_ascii_punctuation() && !matches!(c, '_' | ',' | ':'));
    let joins =
        words(bare).filter(|word| matches!(*word, "not" | "and" | "or" | "if" | "in" | "is"));
    if signs.count() + joins.count() > SIGNS {
        return Err(format!("a tag of a rule file holds no more than {SIGNS} signs and operators"));
    }
    Ok(())
}
