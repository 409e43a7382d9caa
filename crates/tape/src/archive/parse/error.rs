//! Why a stream cannot be read on as an archive.

/// Why a stream cannot be read on as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A header with a wrong checksum.
    #[error(
        "at byte {offset}: no tar header is found here, {}: the archive is damaged, or is no archive",
        behind(after)
    )]
    Header {
        /// In the uncompressed stream.
        offset: u64,
        /// The entry before.
        after: String,
    },
    /// A header with a field that cannot be.
    #[error("at byte {offset}: the header of {name:?} is malformed: {reason}")]
    Field {
        /// In the uncompressed stream.
        offset: u64,
        /// Of the entry, as far as known.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Neither file nor directory.
    #[error(
        "at byte {offset}: {name:?} is a {kind}, which has no place in an image archive; it was not followed"
    )]
    Unexpected {
        /// In the uncompressed stream.
        offset: u64,
        /// Of the entry.
        name: String,
        /// `symbolic link`, ….
        kind: String,
    },
    /// The stream ended too early.
    #[error("the archive ends too early, at byte {offset}, {within}")]
    Truncated {
        /// In the uncompressed stream.
        offset: u64,
        /// `within the entry …`.
        within: String,
    },
    /// Bytes where zeros belong.
    #[error("at byte {offset}: the padding {} is not zero: the archive is damaged", behind(after))]
    Padding {
        /// In the uncompressed stream.
        offset: u64,
        /// The entry before.
        after: String,
    },
}

/// What stands before a place.
pub(super) fn behind(after: &str) -> String {
    if after.is_empty() { "at the start".to_owned() } else { format!("behind the entry {after:?}") }
}

impl ArchiveError {
    /// Whether all there is to be said against the archive is that it ends too early.
    pub fn is_truncated(&self) -> bool {
        matches!(self, ArchiveError::Truncated { .. })
    }

    /// Whether there was nothing at all.
    pub fn is_empty(&self) -> bool {
        matches!(self, ArchiveError::Truncated { offset: 0, .. })
    }

    /// Where it was found, in the uncompressed stream.
    pub fn offset(&self) -> u64 {
        match self {
            ArchiveError::Header { offset, .. }
            | ArchiveError::Field { offset, .. }
            | ArchiveError::Unexpected { offset, .. }
            | ArchiveError::Truncated { offset, .. }
            | ArchiveError::Padding { offset, .. } => *offset,
        }
    }
}
