//! Tables of rules: two fields a line, separated by a comma.
//!
//! A line whose first character is `#` is a comment, blank lines are skipped, spaces around a field
//! do not count, a field may stand in double quotes (a doubled quote is one quote), lines end with LF or
//! CRLF, a byte-order mark at the start is skipped. Anything else is an error with its place.

mod digests;
mod prefix;

pub(crate) use digests::DigestTable;
pub(crate) use prefix::{Matching, PrefixTable};

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Number of the line, from 1.
    pub(crate) number: u32,
    /// First field.
    pub(crate) key: Field,
    /// Second field.
    pub(crate) destination: Field,
}

/// A field and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// Text, without quotes and the spaces around it.
    pub(crate) text: String,
}

/// A line of a table that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {fault} in {text:?}")]
pub struct TableError {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub fault: String,
    /// The line's text, cut short when it is very long.
    pub text: String,
}

/// A fault within one line, before the line's place is known.
struct Fault {
    column: usize,
    fault: String,
}

/// Reads a table whose first field is called `key` in messages.
pub(crate) fn parse(file: &str, key: &str, text: &str) -> Result<Vec<Line>, TableError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (key, destination) =
            two_fields(line, key).map_err(|fault| table_error(file, number, line, fault))?;
        lines.push(Line { number, key, destination });
    }
    Ok(lines)
}

fn table_error(file: &str, line: u32, text: &str, fault: Fault) -> TableError {
    TableError {
        file: file.to_owned(),
        line,
        column: fault.column,
        fault: fault.fault,
        text: text.chars().take(200).collect(),
    }
}

impl Line {
    /// An error about this line's `field`.
    pub(crate) fn error(&self, file: &str, field: &Field, fault: String) -> TableError {
        let text = format!("{},{}", self.key.text, self.destination.text);
        table_error(file, self.number, &text, Fault { column: field.column, fault })
    }
}

fn two_fields(line: &str, key: &str) -> Result<(Field, Field), Fault> {
    let mut fields = fields(line)?;
    if let (2, Some(destination), Some(first)) = (fields.len(), fields.pop(), fields.pop()) {
        reject_space(&destination)?;
        return Ok((first, destination));
    }
    let fields = self::fields(line)?;
    let column = fields.get(2).map_or(line.chars().count() + 1, |field| field.column);
    let count = fields.len();
    let fault = format!("expected two fields, {key},DESTINATION, but found {count}");
    Err(Fault { column, fault })
}

/// No reference holds white space: what looks like one is a comment behind the rule, a missing
/// comma or a slip of the hand.
fn reject_space(field: &Field) -> Result<(), Fault> {
    match field.text.chars().position(|c| c.is_whitespace() || c.is_control()) {
        Some(at) => Err(Fault {
            column: field.column + at,
            fault: "white space in the destination (a comment needs a line of its own)".to_owned(),
        }),
        None => Ok(()),
    }
}

fn fields(line: &str) -> Result<Vec<Field>, Fault> {
    let mut fields = Vec::new();
    let mut rest = line.chars().enumerate().peekable();
    loop {
        while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let column = rest.peek().map_or(line.chars().count(), |(at, _)| *at) + 1;
        let text = match rest.next_if(|(_, c)| *c == '"') {
            Some(_) => quoted(&mut rest, column)?,
            None => plain(&mut rest)?,
        };
        fields.push(Field { column, text });
        if rest.next().is_none() {
            return Ok(fields);
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>;

/// The rest of a field behind its opening quote; stops before the comma.
fn quoted(rest: &mut Chars<'_>, column: usize) -> Result<String, Fault> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some((_, '"')) if rest.next_if(|(_, c)| *c == '"').is_some() => text.push('"'),
            Some((_, '"')) => break,
            Some((_, c)) => text.push(c),
            None => {
                let fault = "the quote is not closed on this line".to_owned();
                return Err(Fault { column, fault });
            }
        }
    }
    while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
    match rest.peek() {
        None | Some((_, ',')) => Ok(text),
        Some((at, _)) => {
            let fault = "expected a comma behind the closing quote".to_owned();
            Err(Fault { column: at + 1, fault })
        }
    }
}

/// A field without quotes; stops before the comma.
fn plain(rest: &mut Chars<'_>) -> Result<String, Fault> {
    let mut text = String::new();
    while let Some((at, c)) = rest.next_if(|(_, c)| *c != ',') {
        if c == '"' {
            let fault = "a quote inside a field: put the whole field in quotes".to_owned();
            return Err(Fault { column: at + 1, fault });
        }
        text.push(c);
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u32, String, String)> {
        let lines = parse("f.csv", "PREFIX", text).unwrap();
        lines.into_iter().map(|l| (l.number, l.key.text, l.destination.text)).collect()
    }

    fn error(text: &str) -> String {
        parse("f.csv", "PREFIX", text).unwrap_err().to_string()
    }

    #[test]
    fn comments_blank_lines_spaces_quotes_crlf_and_byte_order_mark() {
        let text = "\u{feff}# a comment\r\n\r\n  \t # x\n \"a,\"\"b\" , \"r/\" \r\nc/ ,\tr/c\n,d/";
        let row = |n, key: &str, to: &str| (n, key.to_owned(), to.to_owned());
        assert_eq!(rows(text), [row(4, "a,\"b", "r/"), row(5, "c/", "r/c"), row(6, "", "d/")]);
        assert_eq!(rows(""), []);
    }

    #[test]
    fn errors_say_file_line_column_and_text() {
        assert_eq!(
            error("a/,b/\n\ndocker.io/\n"),
            "f.csv:3:11: expected two fields, PREFIX,DESTINATION, but found 1 in \"docker.io/\""
        );
        assert!(error("a/,b/,c").starts_with("f.csv:1:7: expected two fields"));
        assert!(error("\"a/,b/\n").starts_with("f.csv:1:1: the quote is not closed"));
        assert!(error("\"a/\"x,b/").starts_with("f.csv:1:5: expected a comma"));
        assert!(error("a\"/,b/").starts_with("f.csv:1:2: a quote inside a field"));
        assert!(error("ä/,b/ # rule").starts_with("f.csv:1:6: white space in the destination"));
        assert!(error("a/,b\r/").contains("white space"));
    }
}
