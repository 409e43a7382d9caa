//! The list of a batch: a header, then `NAME, ARTIFACT` a line.

use airlift_oci::types::{Location, LocationError};

use super::{ArchiveName, NameError};

/// One artifact to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    /// Its name, the same for each version of it.
    pub name: String,
    /// Where it is, as written.
    pub artifact: String,
    /// The same, read.
    pub location: Location,
    /// Line in the file, from 1.
    pub line: u64,
}

/// Why a file is no list of a batch: the first fault, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {fault}")]
pub struct ListError {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: ListFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListFault {
    /// The first line is an entry already.
    #[error(
        "the first line is a header and is skipped, but this one names an artifact; put a line `name,artifact` before it"
    )]
    NoHeader,
    /// There is no second field.
    #[error("expected NAME,ARTIFACT, found one field: {0:?}")]
    OneField(String),
    /// The name cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The artifact is no location.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The line is no CSV.
    #[error("the line is malformed: {0}")]
    Malformed(String),
    /// There is nothing to do.
    #[error("the list names no artifact")]
    Empty,
}

/// Reads the list of a batch. Lines beginning with `#` and white space around fields are dropped,
/// and fields after the second. Of a name that stands there twice the last line counts, in its
/// place. `file` is the name to be used in errors.
pub fn parse_list(file: &str, text: &[u8]) -> Result<Vec<BatchLine>, ListError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines: Vec<BatchLine> = Vec::new();
    let mut header = false;
    let mut number = 0;
    for line in text.split(|byte| *byte == b'\n') {
        number += 1;
        let at = |fault| ListError { file: file.to_owned(), line: number, fault };
        let fields = fields(line).map_err(at)?;
        if fields.is_empty() {
            continue;
        }
        if !header {
            if fields.get(1).is_some_and(|field| field.parse::<Location>().is_ok()) {
                return Err(at(ListFault::NoHeader));
            }
            header = true;
            continue;
        }
        let line = parse_line(&fields, number).map_err(at)?;
        lines.retain(|known| known.name != line.name);
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(ListError { file: file.to_owned(), line: number, fault: ListFault::Empty });
    }
    Ok(lines)
}

/// The fields of a line; none when it is blank or a comment.
fn fields(line: &[u8]) -> Result<Vec<String>, ListFault> {
    let malformed = |error: &dyn std::fmt::Display| ListFault::Malformed(error.to_string());
    let line = std::str::from_utf8(line).map_err(|error| malformed(&error))?.trim();
    // Behind another program's end of a line a further one could be overlooked.
    if let Some(control) = line.chars().find(|char| char.is_control() && *char != '\t') {
        let text = format!("a control character, {control:?}; lines end with LF or CRLF");
        return Err(ListFault::Malformed(text));
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().transpose().map_err(|error| malformed(&error))?;
    Ok(record.iter().flatten().map(str::to_owned).collect())
}

fn parse_line(fields: &[String], line: u64) -> Result<BatchLine, ListFault> {
    let name = fields.first().cloned().unwrap_or_default();
    let artifact = fields.get(1).filter(|field| !field.is_empty()).cloned();
    let artifact = artifact.ok_or_else(|| ListFault::OneField(name.clone()))?;
    ArchiveName::check(&name)?;
    let location = artifact.parse()?;
    Ok(BatchLine { name, artifact, location, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, String)> {
        let lines = parse_list("b.csv", text.as_bytes()).unwrap();
        lines.into_iter().map(|line| (line.name, line.artifact)).collect()
    }

    fn fails(text: &str) -> String {
        parse_list("b.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn lists_of_the_reference_program() {
        let one = "name, artifact\n# the tools\ntools, 127.0.9.3/gather:t1\n";
        assert_eq!(names(one), [("tools".into(), "127.0.9.3/gather:t1".into())]);
        let two = "name,artifact\r\ntools,a.io/g:t1\r\n\r\ntools,a.io/g:t2\r\nops,a.io/g:o\r\n";
        assert_eq!(
            names(two),
            [("tools".into(), "a.io/g:t2".into()), ("ops".into(), "a.io/g:o".into())]
        );
    }

    #[test]
    fn faults_name_their_line() {
        assert!(fails("tools,a.io/g:1\n").starts_with("b.csv:1: the first line is a header"));
        assert!(
            fails("name,artifact\n# x\ntools\n").starts_with("b.csv:3: expected NAME,ARTIFACT")
        );
        assert!(
            fails("n,a\nmy-tools,a.io/g:1\n").starts_with("b.csv:2: invalid name \"my-tools\"")
        );
        assert!(fails("n,a\nx,nginx\n").contains("did you mean \"docker.io/library/nginx\""));
        assert!(
            fails("n,a\nx,a.io/g:1\ry,a.io/g:2\r").contains("2: the line is malformed: a control")
        );
        assert!(fails("name,artifact\n").ends_with("the list names no artifact"));
        assert!(fails("").ends_with("the list names no artifact"));
    }
}
