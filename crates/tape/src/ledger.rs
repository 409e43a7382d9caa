//! The ledger: which entries are safe on the medium, and up to which offset.
//!
//! JSON lines, one OCI descriptor each, with the offset as an annotation: bytes on the medium once
//! the entry is complete. A line is written after its bytes were synced, so a ledger may be short,
//! never long.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use airlift_oci::types::{Descriptor, Digest, media};

/// The ledger of a run, written as the medium fills.
#[derive(Debug)]
pub struct LedgerWriter {
    file: File,
    path: PathBuf,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The manifest or blob.
    pub descriptor: Descriptor,
    /// Bytes on the medium once it is complete.
    pub offset: u64,
}

/// A ledger that can be begun: that it can be written shows before the medium is touched.
#[derive(Debug)]
pub struct LedgerDraft {
    new: tempfile::NamedTempFile,
    path: PathBuf,
}

impl LedgerDraft {
    /// Makes room for a ledger at `path`. Dropped, it leaves nothing behind, and an older ledger
    /// as it was.
    pub fn new(path: &Path) -> io::Result<Self> {
        // A file is put in its place, which must not befall what is no file.
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match std::fs::symlink_metadata(&target) {
            Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(meta) if !meta.is_file() => {
                let text = "it is a device, a pipe or a broken link; name a file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            _ => {}
        }
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        // In the system's own words; the error below would name a file that nobody has heard of.
        std::fs::metadata(parent)?;
        // For whoever may read the directory, as far as the process's umask lets them.
        let new = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(parent)
            .map_err(|error| io::Error::from(error.kind()))?;
        Ok(LedgerDraft { new, path: target })
    }

    /// Begins the ledger with the lines that hold already. Until it stands, an older one does.
    pub fn begin(self, lines: &[Line]) -> io::Result<LedgerWriter> {
        let file = self.new.reopen()?;
        let mut ledger = LedgerWriter { file, path: self.path };
        ledger.append(lines)?;
        self.new.persist(&ledger.path).map_err(|error| error.error)?;
        Ok(ledger)
    }
}

impl LedgerWriter {
    /// Begins a ledger with the lines that hold already.
    pub fn create(path: &Path, lines: &[Line]) -> io::Result<Self> {
        LedgerDraft::new(path)?.begin(lines)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines, and returns when they are safe.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, &line.marked())?;
            text.push(b'\n');
        }
        self.file.write_all(&text)?;
        self.file.sync_data()
    }
}

impl Line {
    fn marked(&self) -> Descriptor {
        let mut descriptor = self.descriptor.clone();
        let offset = self.offset.to_string();
        descriptor.annotations.insert(media::LEDGER_OFFSET.to_owned(), offset);
        descriptor
    }
}

/// A ledger as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether the last line is torn, as when the machine stopped while it was written. It does
    /// not count.
    pub torn: bool,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It cannot be read.
    #[error("the ledger {} cannot be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of a ledger.
    #[error("{}, line {line}: this is no ledger: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Ledger {
    /// Reads a ledger, of this program or of ace-dt.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let text = std::fs::read(path)
            .map_err(|source| LedgerError::Open { path: path.to_owned(), source })?;
        let mut ledger = Ledger { lines: Vec::new(), torn: false };
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        for (index, line) in lines.iter().enumerate() {
            let last = index + 1 == lines.len();
            if line.trim_ascii().is_empty() {
                continue;
            }
            match read_line(line) {
                Ok(line) => ledger.lines.push(line),
                Err(_) if last => ledger.torn = true,
                Err(reason) => {
                    let (path, line) = (path.to_owned(), index + 1);
                    return Err(LedgerError::Malformed { path, line, reason });
                }
            }
        }
        if ledger.lines.is_empty() && ledger.torn {
            let (path, reason) = (path.to_owned(), "it has no whole line".to_owned());
            return Err(LedgerError::Malformed { path, line: 1, reason });
        }
        Ok(ledger)
    }

    /// The lines that count before `offset`: those whose own offset is smaller, as ace-dt decides.
    pub fn before(&self, offset: u64) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.offset < offset)
    }

    /// What an archive may leave out because the medium of this ledger holds it before `offset`,
    /// with where it is expected.
    pub fn existing(&self, path: &Path, offset: u64) -> BTreeMap<Digest, String> {
        let place = format!("the medium of the ledger {}", path.display());
        self.before(offset).map(|line| (line.descriptor.digest.clone(), place.clone())).collect()
    }
}

fn read_line(text: &[u8]) -> Result<Line, String> {
    let mut descriptor: Descriptor =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let offset = descriptor.annotations.remove(media::LEDGER_OFFSET);
    let offset =
        offset.ok_or_else(|| format!("there is no annotation {}", media::LEDGER_OFFSET))?;
    let offset = offset.parse().map_err(|_| format!("the offset {offset:?} is no number"))?;
    Ok(Line { descriptor, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, offset: u64) -> Line {
        Line { descriptor: Descriptor::of("m", text.as_bytes()), offset }
    }

    #[test]
    fn what_is_written_is_read_but_for_a_torn_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let lines = [line("a", 1024), line("b", 2048)];
        let mut writer = LedgerWriter::create(&path, &lines[..1]).unwrap();
        writer.append(&lines[1..]).unwrap();
        assert_eq!(Ledger::read(&path).unwrap(), Ledger { lines: lines.to_vec(), torn: false });
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        let torn = Ledger::read(&path).unwrap();
        assert_eq!(torn, Ledger { lines: lines[..1].to_vec(), torn: true });
        assert_eq!(torn.before(1024).count(), 0);
        assert_eq!(torn.before(1025).count(), 1);
    }

    #[test]
    fn what_is_no_file_is_never_replaced_and_a_link_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = LedgerDraft::new(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());

        let (link, file) = (directory.path().join("link"), directory.path().join("file"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        LedgerWriter::create(&link, &[line("a", 1024)]).unwrap();
        assert!(link.is_symlink());
        assert_eq!(Ledger::read(&file).unwrap().lines.len(), 1);
    }

    #[test]
    fn what_is_no_ledger_is_refused_by_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        for (text, reason) in [("{}\n{}\n", "missing field"), ("hello", "no whole line")] {
            std::fs::write(&path, text).unwrap();
            let error = Ledger::read(&path).unwrap_err().to_string();
            assert!(error.contains("line 1") && error.contains(reason), "{error}");
        }
    }
}
