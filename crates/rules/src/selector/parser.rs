//! From the words of a selector to its requirements.

use std::collections::BTreeSet;

use super::lexer::{Token, tokens};
use super::{Requirement, Test};

/// A selector that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid selector: {fault}\n  {text}\n  {:>column$}", '^')]
pub struct SelectorError {
    /// The selector as written, on one line.
    pub text: String,
    /// The character at fault, from 1; one behind the last when something is missing.
    pub column: usize,
    /// What is wrong and what was expected.
    pub fault: String,
}

/// A fault at a byte of the text.
struct Fault(usize, String);

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
}

pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.filter(|inner| !inner.contains('"'));
    let offset = usize::from(inner.is_some());
    let mut parser = Parser { tokens: tokens(inner.unwrap_or(text)), next: 0 };
    parser.requirements().map_err(|Fault(at, fault)| SelectorError {
        column: text[..at + offset].chars().count() + 1,
        text: text.replace(char::is_control, " "),
        fault,
    })
}

impl<'a> Parser<'a> {
    fn peek(&self) -> (usize, Token<'a>) {
        self.tokens.get(self.next).or(self.tokens.last()).copied().unwrap_or((0, Token::End))
    }

    fn take(&mut self) -> (usize, Token<'a>) {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek().1 == Token::Sign(sign);
        self.next += usize::from(found);
        found
    }

    /// Whether a requirement may end here.
    fn at_end(&self) -> bool {
        matches!(self.peek().1, Token::End | Token::Sign(","))
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, Fault> {
        let mut requirements = Vec::new();
        if self.peek().1 == Token::End {
            return Ok(requirements);
        }
        loop {
            requirements.push(self.requirement()?);
            match self.take() {
                (_, Token::End) => return Ok(requirements),
                (_, Token::Sign(",")) => {}
                found => return Err(expected("',' or the end", found)),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, Fault> {
        let missing = self.take_sign("!");
        let key = match self.take() {
            (at, Token::Word(word)) => valid_key(word).map_err(|fault| Fault(at, fault))?,
            found => return Err(expected("a label's name", found)),
        };
        let test = match missing {
            true => Test::Missing,
            false if self.at_end() => Test::Exists,
            false => self.test()?,
        };
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, Fault> {
        match self.take() {
            (_, Token::Sign("=" | "==")) => Ok(Test::In(self.value()?)),
            (_, Token::Sign("!=")) => Ok(Test::NotIn(self.value()?)),
            (_, Token::Sign(">")) => Ok(Test::Greater(self.number()?)),
            (_, Token::Sign("<")) => Ok(Test::Less(self.number()?)),
            (_, Token::Word("in")) => Ok(Test::In(self.values()?)),
            (_, Token::Word("notin")) => Ok(Test::NotIn(self.values()?)),
            found => {
                Err(expected("'=', '==', '!=', '>', '<', 'in', 'notin', ',' or the end", found))
            }
        }
    }

    /// One value, which may be empty.
    fn value(&mut self) -> Result<BTreeSet<String>, Fault> {
        let value = if self.at_end() { String::new() } else { self.word("a value")?.1 };
        Ok(BTreeSet::from([value]))
    }

    fn number(&mut self) -> Result<i64, Fault> {
        let (at, word) = self.word("a whole number")?;
        let wrong = || Fault(at, format!("{word:?} is no whole number"));
        word.parse().map_err(|_| wrong())
    }

    /// Values in parentheses; each may be empty, and nothing is one that is, as in Kubernetes.
    fn values(&mut self) -> Result<BTreeSet<String>, Fault> {
        if !self.take_sign("(") {
            return Err(expected("'('", self.peek()));
        }
        let mut values = BTreeSet::new();
        loop {
            let blank = matches!(self.peek().1, Token::Sign("," | ")"));
            values.insert(if blank { String::new() } else { self.word("a value, ',' or ')'")?.1 });
            match self.take() {
                (_, Token::Sign(")")) => return Ok(values),
                (_, Token::Sign(",")) => {}
                found => return Err(expected("',' or ')'", found)),
            }
        }
    }

    /// A valid value and where it stands.
    fn word(&mut self, what: &str) -> Result<(usize, String), Fault> {
        match self.take() {
            (at, Token::Word(word)) => {
                valid_value(word).map_err(|fault| Fault(at, fault)).map(|word| (at, word))
            }
            found => Err(expected(what, found)),
        }
    }
}

fn expected(what: &str, (at, found): (usize, Token<'_>)) -> Fault {
    let found = match found {
        Token::Word(text) | Token::Sign(text) => format!("{text:?}"),
        Token::End => "the end".to_owned(),
    };
    Fault(at, format!("expected {what}, found {found}"))
}

/// A label's name: an optional DNS name and a slash, then up to 63 characters.
fn valid_key(text: &str) -> Result<String, String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if prefix.is_some_and(|prefix| !is_dns_name(prefix)) {
        return Err(format!(
            "{text:?} is no label's name: what stands before '/' must be a DNS name in lower case"
        ));
    }
    if name.is_empty() || !is_label_text(name) {
        return Err(format!(
            "{text:?} is no label's name: expected up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
        ));
    }
    Ok(text.to_owned())
}

/// A label's value: up to 63 characters.
fn valid_value(text: &str) -> Result<String, String> {
    if is_label_text(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no label's value: expected up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
    ))
}

fn is_label_text(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && ends.into_iter().flatten().all(|b| b.is_ascii_alphanumeric())
}

fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().next_back()];
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !ends.contains(&Some(b'-'))
    };
    text.len() <= 253 && text.split('.').all(label)
}
