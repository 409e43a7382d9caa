//! Why an archive cannot be gone on with.

use std::io;
use std::path::PathBuf;

use crate::ledger::LedgerError;

/// Why an archive cannot be gone on with. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger is of another archive.
    #[error(
        "the ledger {} is not of this archive: line {line} is {found}, expected {expected}; it was written for another image, or with other options",
        path.display()
    )]
    OtherLedger {
        /// The ledger.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What the line says.
        found: String,
        /// What it would say.
        expected: String,
    },
    /// The ledger knows of bytes, and the medium holds nothing.
    #[error("{0} holds nothing to go on with, though its ledger says so")]
    Nothing(String),
    /// The medium holds something else.
    #[error(
        "{place} does not hold the start of this archive: {found}; nothing was overwritten. Say --force instead of --resume to begin anew"
    )]
    OtherMedium {
        /// The medium.
        place: String,
        /// What was found, and what was expected.
        found: String,
    },
    /// The medium cannot be read or gone to.
    #[error("{place} cannot be gone on with")]
    Read {
        /// The medium.
        place: String,
        /// Why.
        source: io::Error,
    },
}

impl ResumeError {
    pub(crate) fn read(place: &str, source: io::Error) -> Self {
        ResumeError::Read { place: place.to_owned(), source }
    }
}
