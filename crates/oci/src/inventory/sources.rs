//! `sources.list`: one source a line, with labels (design, "sources.list").

use std::collections::BTreeMap;

use super::{LabelError, Labels, parse_label};
use crate::types::{Location, LocationError};

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The source as written.
    pub text: String,
    /// Where it is.
    pub location: Location,
    /// Its labels.
    pub labels: Labels,
    /// Line in the file, from 1.
    pub line: usize,
}

/// Why a file is no list of sources: the first fault, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {fault}")]
pub struct SourcesError {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: SourcesFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourcesFault {
    /// The first field is no location.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A further field is no label.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A label is given twice.
    #[error("label {0:?} is given twice")]
    Repeated(String),
    /// A quote is not closed, or something stands behind a closing one.
    #[error("the quotes do not match")]
    Quotes,
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    Encoding,
    /// What ends lines elsewhere, or no text at all: what stands behind it could be overlooked.
    #[error("a control character, {0:?}, stands in the line; lines end with LF or CRLF")]
    Control(char),
    /// The source stands on an earlier line with other labels.
    #[error(
        "{text} stands on line {first} already, with other labels; give a source once, with all its labels"
    )]
    Conflict {
        /// The source.
        text: String,
        /// The earlier line.
        first: usize,
    },
}

/// Reads a list of sources, sorted by source; a line that repeats another is taken once.
/// `file` is the name to be used in errors.
pub fn parse_sources(file: &str, text: &[u8]) -> Result<Vec<SourceLine>, SourcesError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut sources: BTreeMap<String, SourceLine> = BTreeMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let place =
            |(column, fault)| SourcesError { file: file.to_owned(), line: number, column, fault };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| place((1, SourcesFault::Encoding)))?;
        let trimmed = line.trim();
        if let Some((column, control)) = control_character(line) {
            return Err(place((column, SourcesFault::Control(control))));
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let source = parse_line(line, number).map_err(place)?;
        match sources.get(&source.text) {
            Some(known) if known.labels != source.labels => {
                let fault = SourcesFault::Conflict { text: source.text, first: known.line };
                return Err(place((1, fault)));
            }
            Some(_) => {}
            None => {
                sources.insert(source.text.clone(), source);
            }
        }
    }
    Ok(sources.into_values().collect())
}

/// The first control character that is no tab, and its column.
fn control_character(line: &str) -> Option<(usize, char)> {
    let mut all = line.chars().enumerate();
    all.find(|(_, char)| char.is_control() && *char != '\t').map(|(at, char)| (at + 1, char))
}

fn parse_line(line: &str, number: usize) -> Result<SourceLine, (usize, SourcesFault)> {
    let mut fields = split_fields(line)?.into_iter();
    let (column, text) = fields.next().unwrap_or_default();
    let location = text.parse().map_err(|error: LocationError| (column, error.into()))?;
    let mut labels = Labels::new();
    for (column, field) in fields.filter(|(_, field)| !field.is_empty()) {
        let (key, value) = parse_label(&field).map_err(|error| (column, error.into()))?;
        if labels.contains_key(&key) {
            return Err((column, SourcesFault::Repeated(key)));
        }
        labels.insert(key, value);
    }
    Ok(SourceLine { text, location, labels, line: number })
}

/// The fields of one CSV line, white space around each dropped, with their columns from 1.
fn split_fields(line: &str) -> Result<Vec<(usize, String)>, (usize, SourcesFault)> {
    let mut fields = Vec::new();
    let mut rest = line.chars().enumerate().peekable();
    loop {
        while rest.next_if(|(_, char)| char.is_whitespace()).is_some() {}
        let column = rest.peek().map_or(line.chars().count(), |(at, _)| *at) + 1;
        let text = match rest.next_if(|(_, char)| *char == '"') {
            Some(_) => quoted(&mut rest).ok_or((column, SourcesFault::Quotes))?,
            None => plain(&mut rest).map_err(|column| (column, SourcesFault::Quotes))?,
        };
        fields.push((column, text.trim().to_owned()));
        if rest.next().is_none() {
            return Ok(fields);
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>;

/// The rest of a field behind its opening quote, a doubled quote being one; stops before the comma.
/// `None` when the quote is not closed, or something else than white space stands behind it.
fn quoted(rest: &mut Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()?.1 {
            '"' if rest.next_if(|(_, char)| *char == '"').is_some() => text.push('"'),
            '"' => break,
            char => text.push(char),
        }
    }
    while rest.next_if(|(_, char)| char.is_whitespace()).is_some() {}
    matches!(rest.peek(), None | Some((_, ','))).then_some(text)
}

/// A field without quotes; stops before the comma. The column of a quote when there is one.
fn plain(rest: &mut Chars<'_>) -> Result<String, usize> {
    let mut text = String::new();
    while let Some((at, char)) = rest.next_if(|(_, char)| *char != ',') {
        if char == '"' {
            return Err(at + 1);
        }
        text.push(char);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        parse_sources("s.list", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_rule() {
        let text = "\u{feff}# comment\r\n\r\n  b.io/x:1 , team=core , tier= \n\"a.io/y:2\",\"example.com/env=prod\",z=1\noci:dir:3\n# end";
        let sources = parse_sources("s", text.as_bytes()).unwrap();
        let names: Vec<_> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(names, ["a.io/y:2", "b.io/x:1", "oci:dir:3"]);
        assert_eq!(sources[0].labels["example.com/env"], "prod");
        assert_eq!(
            sources[1].labels,
            Labels::from([("team".into(), "core".into()), ("tier".into(), String::new())])
        );
        assert_eq!(sources[1].line, 3);
    }

    #[test]
    fn quotes_stand_anywhere_between_commas() {
        let text = " \"a.io/y:2\" , \"team=core\",\t\"tier=\" \n\"b.io/x:1\" , k=v";
        let sources = parse_sources("s", text.as_bytes()).unwrap();
        assert_eq!((sources[0].text.as_str(), sources[1].text.as_str()), ("a.io/y:2", "b.io/x:1"));
        let labels = [("team".into(), "core".into()), ("tier".into(), String::new())];
        assert_eq!(sources[0].labels, Labels::from(labels));
        assert_eq!(sources[1].labels["k"], "v");
        for (text, column) in [
            ("a.io/x, \"k=v", 9),
            ("\"a.io/x\":1", 1),
            ("a.io/x\"y\"", 7),
            ("a.io/x,k=\"v\"", 10),
            ("a.io/x,\"k=v\"w", 8),
        ] {
            assert!(fails(text).starts_with(&format!("s.list:1:{column}: the quotes")), "{text}");
        }
    }

    #[test]
    fn order_does_not_matter_and_repeats_count_once() {
        let one = parse_sources("s", b"a.io/x:1\nb.io/y:1,k=v\n").unwrap();
        let two = parse_sources("s", b"b.io/y:1,k=v\na.io/x:1\nb.io/y:1, k=v").unwrap();
        let strip = |list: Vec<SourceLine>| -> Vec<_> {
            list.into_iter().map(|s| (s.text, s.labels)).collect()
        };
        assert_eq!(strip(one), strip(two));
    }

    #[test]
    fn errors_name_file_line_column_and_remedy() {
        assert!(fails("\nnginx:1.27\n").starts_with("s.list:2:1: \"nginx:1.27\" names no registry; did you mean \"docker.io/library/nginx:1.27\"?"));
        assert!(fails("a.io/x, bad").starts_with("s.list:1:9: \"bad\" is no label"));
        assert!(fails("a.io/x,k=v,k=w").starts_with("s.list:1:12: label \"k\" is given twice"));
        assert!(fails("\"a.io/x").starts_with("s.list:1:1: the quotes"));
        assert!(fails("a.io/x,k=1\na.io/x,k=2").contains("stands on line 1 already"));
        assert!(fails("a.io/X:1").contains("must be lower case"));
        assert!(fails("a.io/x@sha256:12").contains("wrong length"));
        for text in ["a.io/x:1\ra.io/y:1\r", "# all\ra.io/y:1", "a.io/x:1,k=v\rb.io/y", "a.io/x\0"]
        {
            assert!(fails(text).contains("a control character, '"), "{text:?}");
        }
        assert!(fails("a.io/x:1\ra.io/y:1\r").starts_with("s.list:1:9: "));
        assert!(parse_sources("s", b"a.io/x\xff").unwrap_err().to_string().contains("UTF-8"));
    }
}
