//! The ledger: which entries are safe on the medium, and up to which offset.
//!
//! JSON lines, one OCI descriptor each, with the offset as an annotation: bytes on the medium once
//! the entry is complete. A line is written after its bytes were synced, so a ledger may be short,
//! never long.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use airlift_oci::types::{Descriptor, media};

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

impl LedgerWriter {
    /// Begins a ledger with the lines that hold already.
    pub fn create(path: &Path, lines: &[Line]) -> io::Result<Self> {
        let file = File::create(path)?;
        let mut ledger = LedgerWriter { file, path: path.to_owned() };
        ledger.append(lines)?;
        Ok(ledger)
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
