//! Upper, lower, title, snake, camel and kebab case.

use crate::gotemplate::functions::{Function, Ty, fixed};
use crate::gotemplate::text::{RUNE_ERROR, decode_rune, push_rune, runes};
use crate::gotemplate::unicode::{
    is_digit, is_letter, is_lower, is_number, is_punct, is_space, is_title, is_upper, to_lower,
    to_title, to_upper,
};
use crate::gotemplate::value::Value;

const S: &[Ty] = &[Ty::Str];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("upper", S, |_, args| Ok(Value::str(map(args.text(0), to_upper)))),
    fixed("lower", S, |_, args| Ok(Value::str(map(args.text(0), to_lower)))),
    fixed("title", S, |_, args| Ok(Value::str(title(args.text(0))))),
    fixed("untitle", S, |_, args| Ok(Value::str(untitle(args.text(0))))),
    fixed("swapcase", S, |_, args| Ok(Value::str(swap(args.text(0))))),
    fixed("snakecase", S, |_, args| Ok(Value::str(separated(args.text(0), '_')))),
    fixed("kebabcase", S, |_, args| Ok(Value::str(separated(args.text(0), '-')))),
    fixed("camelcase", S, |_, args| Ok(Value::str(pascal(args.text(0))))),
];

/// `strings.Map`: what is no UTF-8 becomes U+FFFD.
fn map(text: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    runes(text).for_each(|(_, rune, _)| push_rune(&mut out, change(rune)));
    out
}

fn title(text: &[u8]) -> Vec<u8> {
    let mut before = ' ';
    map(text, |rune| {
        let first = separates(before);
        before = rune;
        if first { to_title(rune) } else { rune }
    })
}

/// Whether a rune ends a word for `strings.Title`.
fn separates(rune: char) -> bool {
    if rune.is_ascii() {
        return !rune.is_ascii_alphanumeric() && rune != '_';
    }
    !is_letter(rune) && !is_digit(rune) && is_space(rune)
}

fn untitle(text: &[u8]) -> Vec<u8> {
    let mut first = true;
    map(text, |rune| {
        if is_space(rune) {
            first = true;
            return rune;
        }
        if std::mem::take(&mut first) { to_lower(rune) } else { rune }
    })
}

fn swap(text: &[u8]) -> Vec<u8> {
    let mut after_space = true;
    map(text, |rune| {
        if is_upper(rune) || is_title(rune) {
            after_space = false;
            return to_lower(rune);
        }
        if is_lower(rune) {
            return if std::mem::take(&mut after_space) { to_title(rune) } else { to_upper(rune) };
        }
        after_space = is_space(rune);
        rune
    })
}

fn is_connector(rune: char) -> bool {
    rune == '-' || rune == '_' || is_space(rune)
}

/// `xstrings.ToPascalCase`
fn pascal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let all: Vec<char> = runes(text).map(|(_, rune, _)| rune).collect();
    let lead = all.iter().take_while(|&&rune| is_connector(rune)).count();
    let (Some(&first), rest) = (all.get(lead), all.get(lead + 1..).unwrap_or_default()) else {
        // Nothing but connectors: the last is written twice.
        all.iter().chain(all.last()).for_each(|&rune| push_rune(&mut out, rune));
        return out;
    };
    all.iter().take(lead).for_each(|&rune| push_rune(&mut out, rune));
    let mut lowering = is_upper(first);
    let mut current = to_upper(first);
    for &next in rest {
        let before = current;
        current = next;
        if is_connector(current) && is_connector(before) {
            push_rune(&mut out, before);
        } else if is_connector(before) {
            lowering = is_upper(current);
            current = to_upper(current);
        } else {
            if lowering {
                if is_upper(current) {
                    current = to_lower(current);
                } else {
                    lowering = false;
                }
            }
            push_rune(&mut out, before);
        }
    }
    push_rune(&mut out, current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

/// A letter, but for the more common Chinese characters.
fn is_alphabet(rune: char) -> bool {
    is_letter(rune)
        && !matches!(rune, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}')
}

/// The first rune that is valid, and the bytes up to its end; `before` where there is none.
fn next_valid(text: &[u8], before: char) -> (char, usize) {
    let mut size = 0;
    for (_, rune, width) in runes(text) {
        size += width;
        if rune != RUNE_ERROR {
            return (rune, size);
        }
    }
    (before, size)
}

/// How far runes that belong to a word go on from `at`.
fn run_of(text: &[u8], at: usize, first: char, belongs: impl Fn(char) -> bool) -> usize {
    let mut end = at;
    let mut rune = first;
    while end < text.len() {
        let (next, size) = next_valid(text.get(end..).unwrap_or_default(), rune);
        rune = next;
        if !belongs(rune) || size == 0 {
            break;
        }
        end += size;
    }
    end
}

/// The first word of a text: its kind and its length.
fn next_word(text: &[u8]) -> (Word, usize) {
    if text.is_empty() {
        return (Word::Invalid, 0);
    }
    let (rune, size) = next_valid(text, RUNE_ERROR);
    if rune == RUNE_ERROR {
        return (Word::Invalid, size);
    }
    if is_connector(rune) {
        (Word::Connector, run_of(text, size, rune, is_connector))
    } else if is_punct(rune) {
        (Word::Punct, run_of(text, size, rune, is_punct))
    } else if is_upper(rune) {
        (Word::Upper, upper_word(text, rune, size))
    } else if is_alphabet(rune) {
        (Word::Alphabet, run_of(text, size, rune, |rune| is_alphabet(rune) && !is_upper(rune)))
    } else if is_number(rune) {
        (Word::Number, run_of(text, size, rune, is_number))
    } else {
        let other =
            |rune| !(is_connector(rune) || is_alphabet(rune) || is_number(rune) || is_punct(rune));
        (Word::Other, run_of(text, size, rune, other))
    }
}

/// An acronym, but for the last capital where small letters follow; or a capital and small letters.
fn upper_word(text: &[u8], first: char, size: usize) -> usize {
    if size >= text.len() {
        return size;
    }
    let (second, _) = next_valid(text.get(size..).unwrap_or_default(), first);
    if !is_upper(second) {
        return run_of(text, size, first, |rune| is_alphabet(rune) && !is_upper(rune));
    }
    let end = run_of(text, size, first, is_upper);
    let rest = text.get(end..).unwrap_or_default();
    if !rest.is_empty() && is_alphabet(next_valid(rest, second).0) {
        return end - last_width(text.get(..end).unwrap_or_default());
    }
    end
}

fn last_width(text: &[u8]) -> usize {
    (1..=4.min(text.len()))
        .find(|&width| {
            decode_rune(text.get(text.len() - width..).unwrap_or_default()) != (RUNE_ERROR, 1)
        })
        .unwrap_or(1)
}

/// Reads words off a text.
struct Words<'t> {
    rest: &'t [u8],
    kind: Word,
    word: &'t [u8],
}

impl Words<'_> {
    fn next(&mut self) {
        let (kind, length) = next_word(self.rest);
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, b""));
        (self.kind, self.word, self.rest) = (kind, word, rest);
    }

    fn is(&self, kinds: &[Word]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// `xstrings.ToSnakeCase` and `ToKebabCase`
fn separated(text: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if text.is_empty() {
        return out;
    }
    let mut words = Words { rest: text, kind: Word::Invalid, word: b"" };
    words.next();
    while !words.rest.is_empty() {
        if words.kind != Word::Connector {
            lower_word(&mut out, words.kind, words.word, connector);
        }
        let (before, last) = (words.kind, words.word);
        words.next();
        match before {
            Word::Number => {
                letters_and_numbers(&mut words, &mut out, connector);
            }
            Word::Connector => lower_word(&mut out, before, last, connector),
            Word::Punct => {}
            _ => after_word(&mut words, &mut out, connector),
        }
    }
    lower_word(&mut out, words.kind, words.word, connector);
    out
}

/// Writes letters and numbers as they come, then a connector before a new word.
fn letters_and_numbers(words: &mut Words<'_>, out: &mut Vec<u8>, connector: char) {
    while words.is(&[Word::Alphabet, Word::Number]) {
        lower_word(out, words.kind, words.word, connector);
        words.next();
    }
    if !words.is(&[Word::Invalid, Word::Punct, Word::Connector]) {
        push_rune(out, connector);
    }
}

/// What joins a word of letters to what follows; numbers stay with what they belong to.
fn after_word(words: &mut Words<'_>, out: &mut Vec<u8>, connector: char) {
    if words.kind != Word::Number {
        if !words.is(&[Word::Connector, Word::Punct]) {
            push_rune(out, connector);
        }
        return;
    }
    if words.rest.is_empty() {
        return;
    }
    let number = words.word;
    words.next();
    if words.kind != Word::Alphabet {
        lower_word(out, Word::Number, number, connector);
        if !words.is(&[Word::Connector, Word::Punct]) {
            push_rune(out, connector);
        }
        return;
    }
    push_rune(out, connector);
    lower_word(out, Word::Number, number, connector);
    letters_and_numbers(words, out, connector);
}

fn lower_word(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: char) {
    if kind != Word::Upper && kind != Word::Connector {
        out.extend_from_slice(word);
        return;
    }
    for (_, rune, _) in runes(word) {
        push_rune(out, if is_connector(rune) { connector } else { to_lower_if_upper(rune) });
    }
}

fn to_lower_if_upper(rune: char) -> char {
    if is_upper(rune) { to_lower(rune) } else { rune }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn words_are_joined_as_xstrings_does() {
        for (from, to) in [
            ("HTTPServer", "http_server"),
            ("a1B2c3", "a1_b_2c3"),
            ("Bld4Floor3rd", "bld4_floor_3rd"),
            ("GO PATH", "go_path"),
        ] {
            assert_eq!(text(separated(from.as_bytes(), '_')), to);
        }
        for (from, to) in
            [("_complex__case_", "_Complex_Case_"), ("_", "__"), ("HTTPServer", "Httpserver")]
        {
            assert_eq!(text(pascal(from.as_bytes())), to);
        }
    }
}
