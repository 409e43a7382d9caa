//! Compares what is on a medium with what the layout says must be there.

use std::io::{self, Read};

use super::ResumeError;
use crate::archive::{Body, Layout};
use crate::device::ReadDevice;
use crate::framing::{Compression, FrameError, FrameReader};
use airlift_oci::types::Hasher;

/// How much is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to the first blob: what tells one archive from another.
    Start,
    /// Everything.
    Everything,
}

/// What a medium holds of an archive.
pub(super) struct Held {
    /// Entries that are there, whole and right, from the first on.
    pub(super) entries: usize,
    /// Ends of frames, in the uncompressed archive and on the medium, of a compressed archive.
    pub(super) frames: Option<Vec<(u64, u64)>>,
    /// Whether the medium begins with something that is no frame.
    foreign: bool,
    /// Byte of the uncompressed archive at which something else stands.
    other: Option<u64>,
    /// Bytes of the uncompressed archive that were read.
    position: u64,
}

impl Held {
    /// Whether this is the archive and nothing else, from its first byte to its last.
    pub(super) fn is_whole(&self, layout: &Layout) -> bool {
        let entries = layout.placed().len();
        self.entries == entries && self.other.is_none() && self.position == layout.end()
    }

    /// Whether this is the start of the archive: nothing else stands before the end of the index.
    pub(super) fn check(&self, place: &str, layout: &Layout) -> Result<(), ResumeError> {
        const INDEX: usize = 2;
        let refuse = |found| Err(ResumeError::OtherMedium { place: place.to_owned(), found });
        match self.other {
            Some(offset) if self.entries < INDEX => {
                let name = layout.placed().get(self.entries).map(|placed| placed.entry.name());
                let name = name.unwrap_or_default();
                refuse(format!("byte {offset}, in {name:?}, differs from what belongs there"))
            }
            None if self.foreign => refuse("it is not compressed as was asked for".to_owned()),
            _ => Ok(()),
        }
    }
}

pub(super) fn read(
    mut from: Box<dyn ReadDevice>,
    layout: &Layout,
    compression: Compression,
    extent: Extent,
) -> io::Result<Held> {
    let limit = match extent {
        Extent::Everything => layout.end(),
        Extent::Start => {
            let blob =
                layout.placed().iter().find(|placed| matches!(placed.entry.body, Body::Blob));
            blob.map_or(layout.content_end(), |placed| placed.start)
        }
    };
    let mut comparison = Comparison::new(layout);
    let mut foreign = false;
    let frames = if compression == Compression::None {
        let mut chunk = vec![0; 1 << 20];
        while comparison.wants(limit) {
            match from.read(&mut chunk)? {
                0 => break,
                read => comparison.feed(&chunk[..read]),
            }
        }
        None
    } else {
        let ends = frames(Adapter(from), compression, &mut comparison, limit)?;
        foreign = ends.is_none();
        Some(ends.unwrap_or_default())
    };
    let Comparison { whole: entries, other, position, .. } = comparison;
    Ok(Held { entries, frames, foreign, other, position })
}

/// The ends of the frames; `None` when the medium begins with something else.
fn frames(
    from: Adapter,
    compression: Compression,
    comparison: &mut Comparison<'_>,
    limit: u64,
) -> io::Result<Option<Vec<(u64, u64)>>> {
    let mut reader = FrameReader::new(from, compression);
    let mut ends = Vec::new();
    while comparison.wants(limit) {
        match reader.next() {
            Ok(Some(frame)) => {
                comparison.feed(&frame.piece);
                if comparison.other.is_none() {
                    ends.push((comparison.position, frame.end));
                }
            }
            Err(FrameError::Damaged { offset: 0, .. }) => return Ok(None),
            Ok(None) | Err(FrameError::Truncated(_) | FrameError::Damaged { .. }) => break,
            Err(FrameError::Io(error)) => return Err(error),
        }
    }
    Ok(Some(ends))
}

/// Bytes as they come against a layout.
struct Comparison<'a> {
    layout: &'a Layout,
    position: u64,
    /// Entries that are whole and right.
    whole: usize,
    header: Vec<u8>,
    hasher: Option<Hasher>,
    other: Option<u64>,
}

impl<'a> Comparison<'a> {
    fn new(layout: &'a Layout) -> Self {
        Comparison { layout, position: 0, whole: 0, header: Vec::new(), hasher: None, other: None }
    }

    fn wants(&self, limit: u64) -> bool {
        self.other.is_none() && self.position < limit
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.other.is_none() {
            let used = self.part(bytes);
            bytes = &bytes[used..];
        }
    }

    /// Takes in bytes up to the next boundary of the layout, and says how many.
    fn part(&mut self, bytes: &[u8]) -> usize {
        let Some(placed) = self.layout.placed().get(self.whole) else {
            return self.zeros(bytes);
        };
        if self.position == placed.start {
            self.header = placed.entry.header();
        }
        let content = placed.data + placed.entry.size();
        let boundary = if self.position < placed.data {
            placed.data
        } else if self.position < content {
            content
        } else {
            placed.end
        };
        let length = bytes.len().min((boundary - self.position) as usize);
        let part = &bytes[..length];
        let start = self.position;
        let right = if start < placed.data {
            let offset = (start - placed.start) as usize;
            self.header[offset..offset + length] == *part
        } else if start < content {
            let offset = (start - placed.data) as usize;
            match (&placed.entry.body, placed.entry.digest()) {
                (Body::Bytes(expected), _) => expected[offset..offset + length] == *part,
                (Body::Blob, Some(digest)) => {
                    let algorithm = digest.algorithm();
                    let hasher = self.hasher.get_or_insert_with(|| Hasher::new(algorithm));
                    hasher.update(part);
                    boundary > start + length as u64
                        || self.hasher.take().map(Hasher::finish).as_ref() == Some(digest)
                }
                _ => true,
            }
        } else {
            part.iter().all(|byte| *byte == 0)
        };
        if right {
            self.position += length as u64;
            self.pass();
        } else {
            self.other = Some(start);
        }
        length
    }

    /// Counts the entries that end where the comparison stands.
    fn pass(&mut self) {
        while self.layout.placed().get(self.whole).is_some_and(|placed| placed.end == self.position)
        {
            self.whole += 1;
        }
    }

    fn zeros(&mut self, bytes: &[u8]) -> usize {
        if bytes.iter().any(|byte| *byte != 0) {
            self.other = Some(self.position);
        }
        self.position += bytes.len() as u64;
        bytes.len()
    }
}

struct Adapter(Box<dyn ReadDevice>);

impl Read for Adapter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
