//! Reads the frames of a compressed archive of this program one by one, each with its end.

use std::io::{self, Read};

use flate2::Crc;

use super::{Compression, FRAME, gzip, zstandard};

/// The longest frame: a piece, what incompressible data adds, and filling up to 64 MiB.
const LIMIT: usize = (64 << 20) + FRAME as usize;
const CHUNK: usize = 1 << 20;

/// Longer than any frame of a piece.
const LONGEST: usize = 2 * FRAME as usize;

/// How what `bytes` are part of is compressed, when a whole frame of this program's with its right
/// check is among them: told by content, for when the start is damaged.
pub(crate) fn find_checked(bytes: &[u8]) -> Option<Compression> {
    let mut at = 0;
    while at < bytes.len() {
        let (zstd, gzip) = (zstandard::find(&bytes[at..]), gzip::find(&bytes[at..]));
        at += zstd.min(gzip);
        let rest = &bytes[at..];
        if zstd <= gzip && zstandard::is_checked(rest, LONGEST) == Some(true) {
            return Some(Compression::Zstd(0));
        }
        let member = (gzip <= zstd).then(|| gzip::parse(rest, LONGEST));
        if matches!(member, Some(Ok(gzip::Parsed::Piece(piece, _))) if !piece.is_empty()) {
            return Some(Compression::Gzip(0));
        }
        at += 1;
    }
    None
}

/// One frame.
pub(crate) struct Frame {
    /// Its content.
    pub(crate) piece: Vec<u8>,
    /// Bytes on the medium once it is complete, its check included.
    pub(crate) end: u64,
}

/// Why frames cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// Reading failed.
    #[error("reading failed")]
    Io(#[from] io::Error),
    /// The medium ends within a frame.
    #[error("it ends too early, at byte {0} of the medium")]
    Truncated(u64),
    /// A frame is damaged.
    #[error("at byte {offset} of the medium: {reason}")]
    Damaged {
        /// Start of the frame.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
}

/// The frames of a medium, in order.
pub(crate) struct FrameReader<R> {
    from: R,
    compression: Compression,
    bytes: Vec<u8>,
    chunk: Vec<u8>,
    used: usize,
    offset: u64,
    ended: bool,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(from: R, compression: Compression) -> Self {
        let (bytes, chunk) = (Vec::new(), vec![0; CHUNK]);
        FrameReader { from, compression, bytes, chunk, used: 0, offset: 0, ended: false }
    }

    /// What is read from.
    pub(crate) fn source_mut(&mut self) -> &mut R {
        &mut self.from
    }

    /// The next frame with content; `None` at the end of the medium.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            if self.used == self.bytes.len() && !self.more()? {
                return Ok(None);
            }
            let found = match self.compression {
                Compression::Gzip(_) => self.member()?,
                _ => self.zstd()?,
            };
            match found {
                Some(frame) if frame.piece.is_empty() => {}
                Some(frame) => return Ok(Some(frame)),
                None => {
                    if !self.more()? {
                        return Err(FrameError::Truncated(self.offset + self.rest().len() as u64));
                    }
                }
            }
        }
    }

    /// Behind damage: goes to the next place where a whole frame stands. `false` when there is none
    /// to the end of the medium.
    pub(crate) fn resync(&mut self) -> io::Result<bool> {
        if !self.rest().is_empty() {
            self.take(1);
        }
        loop {
            let start = match self.compression {
                Compression::Gzip(_) => gzip::find(self.rest()),
                _ => zstandard::find(self.rest()),
            };
            self.take(start);
            if self.is_whole()? {
                return Ok(true);
            }
            if !self.rest().is_empty() {
                self.take(1);
            } else if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// Whether a frame of a piece stands here, whole and right.
    fn is_whole(&mut self) -> io::Result<bool> {
        loop {
            let known = match self.compression {
                Compression::Gzip(_) => match gzip::parse(self.rest(), LONGEST) {
                    Ok(gzip::Parsed::More) => None,
                    found => Some(found.is_ok()),
                },
                _ => zstandard::is_checked(self.rest(), LONGEST),
            };
            match known {
                Some(known) => return Ok(known),
                None if self.rest().len() > LONGEST || !self.more()? => return Ok(false),
                None => {}
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Reads more; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.bytes.drain(..self.used);
        self.used = 0;
        let read = self.from.read(&mut self.chunk)?;
        self.bytes.extend_from_slice(&self.chunk[..read]);
        self.ended = read == 0;
        Ok(read > 0)
    }

    fn take(&mut self, length: usize) {
        self.used += length;
        self.offset += length as u64;
    }

    fn damaged(&self, reason: String) -> FrameError {
        FrameError::Damaged { offset: self.offset, reason }
    }

    fn member(&mut self) -> Result<Option<Frame>, FrameError> {
        match gzip::parse(self.rest(), LIMIT).map_err(|reason| self.damaged(reason))? {
            gzip::Parsed::More => Ok(None),
            gzip::Parsed::Piece(piece, length) => {
                self.take(length);
                Ok(Some(Frame { piece, end: self.offset }))
            }
        }
    }

    fn zstd(&mut self) -> Result<Option<Frame>, FrameError> {
        use zstandard::Parsed;
        match zstandard::parse(self.rest(), LIMIT).map_err(|reason| self.damaged(reason))? {
            Parsed::More => Ok(None),
            Parsed::Check(..) => {
                Err(self.damaged("a checksum stands without its frame".to_owned()))
            }
            // Whatever else is skipped, this program did not write it.
            Parsed::Skip(_) if !zstandard::is_fill(self.rest()) => {
                Err(self.damaged("the filling is damaged".to_owned()))
            }
            Parsed::Skip(length) => {
                self.take(length);
                Ok(Some(Frame { piece: Vec::new(), end: self.offset }))
            }
            Parsed::Piece(piece, length) => {
                let rest = &self.rest()[length..];
                // The check follows at once; a frame without one is not complete.
                match zstandard::parse(rest, LIMIT).map_err(|reason| self.damaged(reason))? {
                    Parsed::More => Ok(None),
                    Parsed::Check(sum, check) => {
                        let mut crc = Crc::new();
                        crc.update(&self.rest()[..length]);
                        if crc.sum() != sum {
                            let reason = "the checksum of the compressed data is wrong";
                            return Err(self.damaged(reason.to_owned()));
                        }
                        self.take(length + check);
                        Ok(Some(Frame { piece, end: self.offset }))
                    }
                    _ => Err(self.damaged("a frame has no checksum".to_owned())),
                }
            }
        }
    }
}
