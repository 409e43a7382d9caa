//! The records of a batch directory: CSV files that only ever grow, a line an archive.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use airlift_oci::types::Digest;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Name of the file.
    pub file: String,
    /// The artifact, as it was asked for.
    pub artifact: String,
    /// What it was then.
    pub digest: Digest,
}

/// An archive that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Name of the file.
    pub file: String,
    /// Where its content went, with the tag.
    pub artifact: String,
    /// When.
    pub when: String,
}

/// A line of a record.
pub trait Row: Sized {
    /// The first line of a file of such lines.
    const HEADER: [&'static str; 3];
    /// From its fields; `None` when they cannot be such a line.
    fn read(fields: [&str; 3]) -> Option<Self>;
    /// Its fields.
    fn write(&self) -> [String; 3];
}

impl Row for Sent {
    const HEADER: [&'static str; 3] = ["sync_name", "artifact", "digest"];

    fn read([file, artifact, digest]: [&str; 3]) -> Option<Self> {
        let digest = digest.parse().ok()?;
        Some(Sent { file: file.to_owned(), artifact: artifact.to_owned(), digest })
    }

    fn write(&self) -> [String; 3] {
        [self.file.clone(), self.artifact.clone(), self.digest.to_string()]
    }
}

impl Row for Arrived {
    const HEADER: [&'static str; 3] = ["filename", "artifact", "timestamp"];

    fn read([file, artifact, when]: [&str; 3]) -> Option<Self> {
        let [file, artifact, when] = [file, artifact, when].map(str::to_owned);
        Some(Arrived { file, artifact, when })
    }

    fn write(&self) -> [String; 3] {
        [self.file.clone(), self.artifact.clone(), self.when.clone()]
    }
}

/// A record, open to be continued.
#[derive(Debug)]
pub struct Record<R> {
    path: PathBuf,
    file: File,
    rows: Vec<R>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file failed.
    #[error("{action} the record {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another run has it open.
    #[error("the record {0} is in use: another run is at work with it; wait for its end")]
    InUse(PathBuf),
    /// A line is none of such a record.
    #[error(
        "{path}:{line}: expected {expected}, found {found:?}; mend or remove the line, or name another record"
    )]
    Line {
        /// The record.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The header.
        expected: String,
        /// The line.
        found: String,
    },
}

impl<R: Row> Record<R> {
    /// Opens the record at `path`, making it when there is none. Nothing is written before the
    /// first row. It is this process's alone until it is dropped, where the file system has locks:
    /// two runs would give the same numbers.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let failed = |source| io_error("opening", path, source);
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let mut file = options.open(path).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(RecordError::InUse(path.to_owned()));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|source| io_error("reading", path, source))?;
        let rows = parse(path, &text)?;
        Ok(Record { path: path.to_owned(), file, rows })
    }

    /// Its rows, the oldest first.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Adds a row. When this returns `Ok` it is on the disk.
    pub fn append(&mut self, row: R) -> Result<(), RecordError> {
        let lines =
            self.lines(&row).map_err(|source| io_error("continuing", &self.path, source))?;
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_all());
        written.map_err(|source| io_error("continuing", &self.path, source))?;
        self.rows.push(row);
        Ok(())
    }

    /// The row as bytes, and whatever must stand before it.
    fn lines(&mut self, row: &R) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        let length = self.file.seek(SeekFrom::End(0))?;
        if length > 0 {
            let mut last = [0];
            self.file.seek(SeekFrom::End(-1))?;
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                lines.push(b'\n');
            }
        }
        let mut writer = csv::Writer::from_writer(lines);
        if length == 0 {
            writer.write_record(R::HEADER)?;
        }
        writer.write_record(row.write())?;
        writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn parse<R: Row>(path: &Path, text: &[u8]) -> Result<Vec<R>, RecordError> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::Fields)
        .from_reader(text);
    let mut rows = Vec::new();
    let mut last = 1;
    for record in reader.records() {
        let wrong = |line, found| RecordError::Line {
            path: path.to_owned(),
            line,
            expected: R::HEADER.join(","),
            found,
        };
        let record = record.map_err(|error| {
            wrong(error.position().map_or(last, csv::Position::line), error.to_string())
        })?;
        last = record.position().map_or(last, csv::Position::line);
        let fields: Vec<&str> = record.iter().collect();
        let row = <[&str; 3]>::try_from(&fields[..]).ok().and_then(R::read);
        rows.push(row.ok_or_else(|| wrong(last, fields.join(",")))?);
    }
    Ok(rows)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> RecordError {
    RecordError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(file: &str, artifact: &str) -> Sent {
        let (file, artifact) = (file.to_owned(), artifact.to_owned());
        Sent { file, artifact, digest: Digest::of(b"x") }
    }

    #[test]
    fn the_reference_programs_records_are_read_and_continued() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/ace-dt/batch");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        std::fs::copy(data.join("record-keeping.csv"), &path).unwrap();
        let mut record = Record::<Sent>::open(&path).unwrap();
        let files: Vec<_> = record.rows().iter().map(|row| row.file.as_str()).collect();
        assert_eq!(files, ["000001-tools.tar", "000002-tools.tar", "000003-ops.tar"]);
        record.append(sent("000004-ops.tar", "a.io/g:1")).unwrap();
        let before = std::fs::read_to_string(data.join("record-keeping.csv")).unwrap();
        let line = format!("000004-ops.tar,a.io/g:1,{}\n", Digest::of(b"x"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before + &line);

        let arrived = Record::<Arrived>::open(&data.join("successful-syncs.csv")).unwrap();
        assert_eq!(arrived.rows()[2].artifact, "127.0.9.4/batch:ops");
        assert_eq!(
            arrived.rows()[0].when,
            "2026-11-22 08:31:16.071694977 +0000 UTC m=+0.159618751"
        );
    }

    #[test]
    fn a_new_record_begins_with_its_header_and_survives_anything_in_a_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        let mut record = Record::<Sent>::open(&path).unwrap();
        assert!(record.rows().is_empty());
        let odd = sent("000001-a.tar", "oci:a, \"b\"\nc:1");
        record.append(odd.clone()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("sync_name,artifact,digest\n000001-a.tar,"), "{text}");
        let text = Record::<Sent>::open(&path).unwrap_err().to_string();
        assert!(
            text.ends_with("r.csv is in use: another run is at work with it; wait for its end"),
            "{text}"
        );
        drop(record);
        assert_eq!(Record::<Sent>::open(&path).unwrap().rows(), [odd]);
    }

    #[test]
    fn a_torn_line_is_told_and_a_missing_newline_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        std::fs::write(&path, "sync_name,artifact,digest\n000001-a.tar,a.io/g:1,sha256:12")
            .unwrap();
        let text = Record::<Sent>::open(&path).unwrap_err().to_string();
        assert!(text.contains("r.csv:2: expected sync_name,artifact,digest"), "{text}");
        let whole = format!("h,h,h\n000001-a.tar,a.io/g:1,{}", Digest::of(b"x"));
        std::fs::write(&path, whole).unwrap();
        let mut record = Record::<Sent>::open(&path).unwrap();
        record.append(sent("000002-a.tar", "a.io/g:2")).unwrap();
        drop(record);
        assert_eq!(Record::<Sent>::open(&path).unwrap().rows().len(), 2);
    }
}
