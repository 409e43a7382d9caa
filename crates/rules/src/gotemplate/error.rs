//! What can go wrong with a template, in Go's words.

use thiserror::Error;

/// The text of a template is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("template: {name}:{line}:{column}: {message}")]
pub struct ParseError {
    /// The name the template was parsed under.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 0 as Go counts it.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A template fails on a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ExecError(pub(crate) String);

/// The line and column of a position, for messages.
pub(crate) fn location(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    (line, before.len() - line_start)
}
