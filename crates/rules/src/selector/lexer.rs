//! The words and signs of a selector, with their places.

/// A word or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Anything between signs and white space: a key, a value, `in` or `notin`.
    Word(&'a str),
    /// One of `=`, `==`, `!=`, `!`, `(`, `)`, `,`, `>`, `<`.
    Sign(&'a str),
    /// The end of the text.
    End,
}

/// Splits a selector; every token comes with the byte it starts at. The last one is `End`.
pub(super) fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let length = match first {
            _ if is_space(first) => first.len_utf8(),
            _ if is_sign(first) => sign_length(&text[at..]),
            _ => text[at..].find(|c| is_space(c) || is_sign(c)).unwrap_or(text.len() - at),
        };
        let piece = &text[at..at + length];
        if is_sign(first) {
            tokens.push((at, Token::Sign(piece)));
        } else if !is_space(first) {
            tokens.push((at, Token::Word(piece)));
        }
        at += length;
    }
    tokens.push((text.len(), Token::End));
    tokens
}

fn sign_length(text: &str) -> usize {
    if text.starts_with("==") || text.starts_with("!=") { 2 } else { 1 }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_sign(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}
