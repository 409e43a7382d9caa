//! Cuts a template's text into tokens.

use super::token::{Kind, Token, word};
use crate::gotemplate::unicode::{is_digit, is_letter, is_print};

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// The tokens of a text, up to its end or the first error.
pub(super) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0, start: 0, depth: 0, tokens: Vec::new() };
    if let Err(problem) = lexer.run() {
        let text = text.get(lexer.start..lexer.at).unwrap_or_default();
        lexer.tokens.push(Token { kind: Kind::Error, at: lexer.start, text, problem });
    }
    lexer.start = lexer.text.len();
    lexer.at = lexer.text.len();
    lexer.emit(Kind::Eof);
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    /// What has been read.
    at: usize,
    /// Where the token at hand begins.
    start: usize,
    /// Open parentheses.
    depth: usize,
    tokens: Vec<Token<'t>>,
}

type Lexed = Result<(), String>;

fn is_space(rune: char) -> bool {
    SPACES.contains(&rune)
}

fn is_alphanumeric(rune: char) -> bool {
    rune == '_'
        || rune.is_ascii_alphanumeric()
        || (!rune.is_ascii() && (is_letter(rune) || is_digit(rune)))
}

fn starts_with_trim(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACES))
}

fn ends_with_trim(text: &str) -> bool {
    text.strip_prefix(SPACES).is_some_and(|rest| rest.starts_with('-'))
}

/// Go's `%#U`.
fn show_rune(rune: Option<char>) -> String {
    match rune {
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(rune) if is_print(rune) => format!("U+{:04X} '{rune}'", u32::from(rune)),
        Some(rune) => format!("U+{:04X}", u32::from(rune)),
    }
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let rune = self.peek()?;
        self.at += rune.len_utf8();
        Some(rune)
    }

    fn accept(&mut self, allowed: &str) -> bool {
        let found = self.peek().is_some_and(|rune| allowed.contains(rune));
        if found {
            self.next();
        }
        found
    }

    fn accept_run(&mut self, allowed: &str) {
        while self.accept(allowed) {}
    }

    fn emit(&mut self, kind: Kind) {
        let text = self.text.get(self.start..self.at).unwrap_or_default();
        self.tokens.push(Token { kind, at: self.start, text, problem: String::new() });
        self.start = self.at;
    }

    fn skip(&mut self, count: usize) {
        self.at += count;
        self.start = self.at;
    }

    fn run(&mut self) -> Lexed {
        while let Some(found) = self.rest().find(LEFT) {
            let delim = self.at + found;
            let after = self.text.get(delim + LEFT.len()..).unwrap_or_default();
            let trim = starts_with_trim(after);
            let text = self.text.get(self.at..delim).unwrap_or_default();
            let kept = if trim { text.trim_end_matches(SPACES) } else { text };
            self.at += kept.len();
            if !kept.is_empty() {
                self.emit(Kind::Text);
            }
            self.start = delim;
            self.at = delim + LEFT.len();
            let comment =
                after.get(if trim { 2 } else { 0 }..).is_some_and(|after| after.starts_with("/*"));
            if comment {
                self.skip(if trim { 2 } else { 0 });
                self.comment()?;
            } else {
                self.emit(Kind::LeftDelim);
                self.skip(if trim { 2 } else { 0 });
                self.depth = 0;
                self.action()?;
            }
        }
        self.at = self.text.len();
        if self.at > self.start {
            self.emit(Kind::Text);
        }
        Ok(())
    }

    fn comment(&mut self) -> Lexed {
        self.at += 2;
        let Some(length) = self.rest().find("*/") else {
            return Err("unclosed comment".to_owned());
        };
        self.at += length + 2;
        let Some(trim) = self.at_right_delim() else {
            return Err("comment ends before closing delimiter".to_owned());
        };
        self.close(trim);
        Ok(())
    }

    /// Whether a right delimiter follows, and whether it trims.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if ends_with_trim(rest) && rest.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    /// Goes past a right delimiter and what it trims.
    fn close(&mut self, trim: bool) {
        self.skip(if trim { 2 + RIGHT.len() } else { RIGHT.len() });
        if trim {
            let rest = self.rest();
            self.skip(rest.len() - rest.trim_start_matches(SPACES).len());
        }
    }

    fn action(&mut self) -> Lexed {
        loop {
            if let Some(trim) = self.at_right_delim() {
                if self.depth > 0 {
                    return Err("unclosed left paren".to_owned());
                }
                if trim {
                    self.skip(2);
                }
                self.at += RIGHT.len();
                self.emit(Kind::RightDelim);
                if trim {
                    let rest = self.rest();
                    self.skip(rest.len() - rest.trim_start_matches(SPACES).len());
                }
                return Ok(());
            }
            self.token()?;
        }
    }

    fn token(&mut self) -> Lexed {
        let Some(rune) = self.next() else {
            return Err("unclosed action".to_owned());
        };
        match rune {
            _ if is_space(rune) => self.spaces(),
            '=' => self.emit(Kind::Assign),
            ':' if self.accept("=") => self.emit(Kind::Declare),
            ':' => return Err("expected :=".to_owned()),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::Str, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Character, "unterminated character constant")?,
            '`' => self.raw_string()?,
            '$' => self.field_or_variable(Kind::Variable, Kind::Variable)?,
            '.' if self.peek().is_some_and(|next| !next.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field, Kind::Dot)?;
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at = self.start;
                self.number()?;
            }
            _ if is_alphanumeric(rune) => self.identifier()?,
            '(' => {
                self.depth += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or("unexpected right paren")?;
                self.emit(Kind::RightParen);
            }
            ' '..='~' => self.emit(Kind::Char),
            _ => {
                return Err(format!("unrecognized character in action: {}", show_rune(Some(rune))));
            }
        }
        Ok(())
    }

    /// A run of spaces, but for the last one where that belongs to a trim marker.
    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.next();
        }
        let last = self.text.get(self.at - 1..).unwrap_or_default();
        if ends_with_trim(last) && last.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            self.at -= 1;
            if self.at == self.start {
                return;
            }
        }
        self.emit(Kind::Space);
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(rune) => is_space(rune) || self.rest().starts_with(RIGHT),
        }
    }

    fn alphanumerics(&mut self) -> Lexed {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if self.at_terminator() {
            return Ok(());
        }
        Err(format!("bad character {}", show_rune(self.peek())))
    }

    fn identifier(&mut self) -> Lexed {
        self.alphanumerics()?;
        self.emit(word(self.text.get(self.start..self.at).unwrap_or_default()));
        Ok(())
    }

    fn field_or_variable(&mut self, kind: Kind, bare: Kind) -> Lexed {
        if self.at_terminator() {
            self.emit(bare);
            return Ok(());
        }
        self.alphanumerics()?;
        self.emit(kind);
        Ok(())
    }

    fn quoted(&mut self, mark: char, kind: Kind, problem: &str) -> Lexed {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|next| next != '\n') => {
                    self.next();
                }
                None | Some('\\' | '\n') => return Err(problem.to_owned()),
                Some(rune) if rune == mark => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Lexed {
        let Some(length) = self.rest().find('`') else {
            return Err("unterminated raw quoted string".to_owned());
        };
        self.at += length + 1;
        self.emit(Kind::RawStr);
        Ok(())
    }

    fn number(&mut self) -> Lexed {
        let bad = |lexer: &Self| {
            Err(format!(
                "bad number syntax: {:?}",
                lexer.text.get(lexer.start..lexer.at).unwrap_or_default()
            ))
        };
        if !self.scan_number() {
            return bad(self);
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            self.emit(Kind::Number);
            return Ok(());
        }
        if !self.scan_number()
            || !self.text.get(self.start..self.at).is_some_and(|text| text.ends_with('i'))
        {
            return bad(self);
        }
        self.emit(Kind::Complex);
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}
