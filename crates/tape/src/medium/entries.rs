//! The entries of a medium as they pass.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::pieces::{Gap, Piece};
use super::read_ahead::Reading;
use super::stream::ByteStream;
use super::{Chart, Medium};
use crate::archive::{ArchiveError, Head, Parser, Step};
use airlift_oci::store::{Extent, chain};
use airlift_oci::types::Digest;

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
    /// Nothing but what `docker save` wrote before it wrote layouts.
    #[error("{0} was written by docker save and has no index.json: it is no archive of this kind")]
    DockerArchive(String),
}

impl ReadError {
    /// Whether all there is to be said against the medium is that it ends too early.
    pub fn is_truncated(&self) -> bool {
        match self {
            ReadError::Archive { source, .. } => source.is_truncated(),
            ReadError::Io { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            ReadError::Open { .. } | ReadError::DockerArchive(_) => false,
        }
    }

    /// Whether the medium could be read, and what it gave is no whole archive.
    pub fn is_damage(&self) -> bool {
        use io::ErrorKind as Io;
        match self {
            ReadError::Archive { .. } => true,
            // So ends what cannot be decompressed; what a drive says of itself has a number.
            ReadError::Io { source, .. } => {
                source.raw_os_error().is_none()
                    && matches!(source.kind(), Io::InvalidData | Io::UnexpectedEof)
            }
            ReadError::Open { .. } | ReadError::DockerArchive(_) => false,
        }
    }
}

/// Headers that cannot be read one after the other, behind which a chart is not believed.
const BELIEF: u32 = 3;

/// Bytes that are made room for because a header says so: more only as they come.
pub(crate) const AT_ONCE: usize = 16 << 20;

/// A medium, entry by entry.
pub(crate) struct EntryReader {
    stream: ByteStream,
    parser: Parser,
    place: String,
    /// Whether damage is an error; otherwise it is a fault, and reading goes on behind it.
    whole: bool,
    chart: Chart,
    faults: Vec<Fault>,
    /// Headers that could not be read since the last that could.
    unread: u32,
    /// Zeros still to be taken in for bytes that could not be read.
    zeros: u64,
    /// Whether bytes are missing of which it is not known how many they are.
    adrift: bool,
    /// Whether the medium ends with the archive's end mark, whatever stands behind it.
    marked: bool,
    ended: bool,
}

/// Damage that is in no content.
#[derive(Debug)]
pub(crate) struct Fault {
    /// In the uncompressed stream.
    pub(crate) offset: u64,
    /// The entry, where it is known.
    pub(crate) entry: String,
    /// What is wrong.
    pub(crate) reason: String,
    /// What is known to stand there.
    pub(crate) touches: Vec<Digest>,
}

/// What passes.
pub(crate) enum Passing {
    Entry(Head),
    EndOfArchive,
    End,
}

impl EntryReader {
    /// Opens a medium. When it is to be whole, damage is an error.
    pub(crate) async fn open(medium: Medium, reading: Reading) -> Result<Self, ReadError> {
        let (place, whole, marked) = (medium.place(), reading.whole, medium.outlasts());
        let stream = ByteStream::open(medium, reading)
            .await
            .map_err(|source| ReadError::Open { place: place.clone(), source })?;
        Ok(EntryReader {
            stream,
            parser: Parser::new(),
            place,
            whole,
            chart: Chart::default(),
            faults: Vec::new(),
            unread: 0,
            zeros: 0,
            adrift: false,
            marked,
            ended: false,
        })
    }

    /// Says where entries stand that were not read yet.
    pub(crate) fn follow(&mut self, chart: Chart) {
        self.chart = chart;
    }

    /// What is known to stand behind what was read.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = &Digest> {
        self.chart.within(self.parser.offset(), u64::MAX)
    }

    /// The faults since this was called last.
    pub(crate) fn faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Whether the archive's end mark was where reading ended, not the end of the medium.
    pub(crate) fn ended_at_mark(&self) -> bool {
        self.ended
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
            if self.ended {
                return Ok(Passing::End);
            }
            match self.step().await? {
                Some(Step::Entry(head)) => return Ok(Passing::Entry(head)),
                Some(Step::EndOfArchive(_)) => {
                    self.ended = self.marked;
                    return Ok(Passing::EndOfArchive);
                }
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

    /// Passes over the entry that [`EntryReader::next`] gave, when its content can be read at its
    /// place in a file: that file, and where. Then whoever has it must check the content.
    pub(crate) fn pass_over(&mut self, size: u64) -> Option<(Arc<dyn Extent>, u64)> {
        let (file, start) = (self.stream.file()?, self.parser.offset());
        let extent = file.holding(start, size)?;
        file.skip(self.parser.leap());
        Some((extent, start))
    }

    /// All bytes of the entry, which must be known to be small.
    pub(crate) async fn read_all(&mut self, size: u64) -> Result<Bytes, ReadError> {
        let mut all = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0).min(AT_ONCE));
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
                Ok(Step::Entry(head)) => return Ok(Some(Step::Entry(self.found(head)))),
                Ok(step) => return Ok(Some(step)),
                Err(source) if self.whole => return Err(broken(&self.place, source)),
                Err(source) => match self.go_on(&source) {
                    Some(head) => return Ok(Some(Step::Entry(head))),
                    None => continue,
                },
            }
            if self.zeros > 0 {
                let part = self.zeros.min(1 << 20);
                self.zeros -= part;
                self.parser.push(Bytes::from(vec![0; part as usize]));
                continue;
            }
            match self.stream.next().await {
                Ok(Some(Piece::Bytes(bytes))) => self.parser.push(bytes),
                // What the entry has so far is not all of it.
                Ok(Some(Piece::Lost(gap))) if self.lose(&gap) => return Ok(Some(Step::EndOfEntry)),
                Ok(Some(Piece::Lost(_))) => {}
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

    /// Takes note of bytes that could not be read. Whether it is unknown how many they are.
    fn lose(&mut self, gap: &Gap) -> bool {
        let offset = self.parser.offset();
        let touches = self.chart.within(offset, gap.bytes.unwrap_or(1)).cloned().collect();
        let reason = match gap.bytes {
            Some(bytes) => format!("{bytes} bytes cannot be read: {}", gap.reason),
            None => format!("some bytes cannot be read: {}", gap.reason),
        };
        self.faults.push(Fault { offset, entry: String::new(), reason, touches });
        if let Some(bytes) = gap.bytes {
            self.zeros = bytes;
        } else {
            self.adrift = true;
            self.parser.seek();
        }
        gap.bytes.is_none()
    }

    /// A header that could be read.
    fn found(&mut self, mut head: Head) -> Head {
        self.unread = 0;
        if self.adrift
            && let Some(start) = self.chart.start_of(&head.name, head.offset)
        {
            self.parser.realign(head.offset, start);
            head.offset = start;
            self.adrift = false;
        }
        head
    }

    /// Goes on behind a header that cannot be read: with its content, when it is known what and
    /// where that is.
    fn go_on(&mut self, error: &ArchiveError) -> Option<Head> {
        let offset = error.offset();
        let known = self.chart.next(offset).filter(|entry| entry.start <= offset);
        let (entry, touches) = match known {
            Some(entry) => (entry.name, vec![entry.digest]),
            None => Default::default(),
        };
        let reason = chain(error);
        let reason = reason.strip_prefix(&format!("at byte {offset}: ")).unwrap_or(&reason);
        self.faults.push(Fault { offset, entry, reason: reason.to_owned(), touches });
        if matches!(error, ArchiveError::Padding { .. }) {
            return None;
        }
        self.unread += 1;
        let at = self.parser.offset();
        let next = self.chart.next(offset).filter(|_| self.unread < BELIEF);
        match next {
            Some(entry) if entry.start <= offset && at <= entry.data => {
                self.parser.assume(&entry.name, entry.size, entry.data);
                Some(entry.head())
            }
            Some(entry) if at <= entry.start => {
                self.parser.go_on_at(entry.start);
                None
            }
            _ => {
                self.adrift = true;
                self.parser.seek();
                None
            }
        }
    }
}
