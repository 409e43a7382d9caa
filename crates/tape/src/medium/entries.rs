//! The entries of a medium as they pass.

use std::io;

use bytes::{Bytes, BytesMut};

use super::Medium;
use super::stream::ByteStream;
use crate::archive::{ArchiveError, Head, Parser, Step};

/// Why a medium cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be opened.
    #[error("{place} cannot be opened")]
    Open {
        /// The medium.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// Reading failed.
    #[error("reading {place} failed at byte {offset} of the archive")]
    Io {
        /// The medium.
        place: String,
        /// In the uncompressed stream.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// What was read is no archive, or a damaged one.
    #[error("{place}")]
    Archive {
        /// The medium.
        place: String,
        /// What is wrong, and where.
        source: ArchiveError,
    },
}

impl ReadError {
    /// Whether all there is to be said against the medium is that it ends too early.
    pub fn is_truncated(&self) -> bool {
        match self {
            ReadError::Archive { source, .. } => source.is_truncated(),
            ReadError::Io { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            ReadError::Open { .. } => false,
        }
    }
}

/// A medium, entry by entry.
pub(crate) struct EntryReader {
    stream: ByteStream,
    parser: Parser,
    place: String,
}

/// What passes.
pub(crate) enum Passing {
    Entry(Head),
    EndOfArchive,
    End,
}

impl EntryReader {
    pub(crate) async fn open(medium: Medium, memory: u64) -> Result<Self, ReadError> {
        let place = medium.place();
        let stream = ByteStream::open(medium, memory)
            .await
            .map_err(|source| ReadError::Open { place: place.clone(), source })?;
        Ok(EntryReader { stream, parser: Parser::new(), place })
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Whether the medium is compressed in frames without checksums of their own.
    pub(crate) fn lacks_checks(&self) -> bool {
        self.stream.lacks_checks()
    }

    /// Bytes of the uncompressed stream read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.parser.offset()
    }

    /// The next entry, or an end. What is left of the entry before is skipped.
    pub(crate) async fn next(&mut self) -> Result<Passing, ReadError> {
        loop {
            match self.step().await? {
                Some(Step::Entry(head)) => return Ok(Passing::Entry(head)),
                Some(Step::EndOfArchive(_)) => return Ok(Passing::EndOfArchive),
                Some(_) => {}
                None => return Ok(Passing::End),
            }
        }
    }

    /// The next bytes of the entry that [`EntryReader::next`] gave; `None` at its end.
    pub(crate) async fn data(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self.step().await? {
            Some(Step::Data(bytes)) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }

    /// All bytes of the entry, which must be known to be small.
    pub(crate) async fn read_all(&mut self, size: u64) -> Result<Bytes, ReadError> {
        let mut all = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0).min(1 << 22));
        while let Some(bytes) = self.data().await? {
            if all.is_empty() && bytes.len() as u64 == size {
                self.data().await?;
                return Ok(bytes);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    async fn step(&mut self) -> Result<Option<Step>, ReadError> {
        let broken = |place: &str, source| ReadError::Archive { place: place.to_owned(), source };
        loop {
            match self.parser.step() {
                Ok(Step::Starved) => {}
                Ok(step) => return Ok(Some(step)),
                Err(source) => return Err(broken(&self.place, source)),
            }
            match self.stream.next().await {
                Ok(Some(bytes)) => self.parser.push(bytes),
                Ok(None) => {
                    self.parser.finish().map_err(|source| broken(&self.place, source))?;
                    return Ok(None);
                }
                Err(source) => {
                    let (place, offset) = (self.place.clone(), self.parser.offset());
                    return Err(ReadError::Io { place, offset, source });
                }
            }
        }
    }
}
