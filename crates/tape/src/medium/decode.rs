//! Decompression, by what the content says it is: zstd frames or gzip members, one or many.

use std::io::{self, BufRead, Read};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::stream::{Gap, Piece, Pieces};
use crate::framing::{self, FrameError, FrameReader};

const CHUNK: usize = 1 << 20;

/// How a medium is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Zstd,
    Gzip,
}

impl Compression {
    /// Tells by the first bytes.
    pub(super) fn detect(first: &[u8]) -> Option<Self> {
        match first {
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            _ => None,
        }
    }
}

/// Starts a thread that decompresses `first` and what follows it. Unless the medium is to be
/// `whole`, reading goes on behind a damaged frame where frames can be told from what is between.
pub(super) fn start(
    kind: Compression,
    first: Option<Piece>,
    pieces: Pieces,
    checked: Arc<AtomicBool>,
    whole: bool,
) -> io::Result<Pieces> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::Builder::new().name("decompress".to_owned()).spawn(move || {
        let mut input = Chunks { current: Bytes::new(), first, pieces, lost: None };
        let mut give = |piece| sender.blocking_send(Ok(piece)).is_ok();
        let done = input.has_checks(kind).and_then(|checks| {
            checked.store(checks, Ordering::Release);
            if checks {
                frames(kind, input, &mut give, whole)
            } else {
                decode(kind, &mut input, &mut give)
            }
        });
        if let Err(error) = done {
            // Nobody listens when the run was given up.
            let _ = sender.blocking_send(Err(error));
        }
    })?;
    Ok(receiver)
}

/// Decompresses an archive of this program, of which every frame is checked before it is used.
fn frames(
    kind: Compression,
    input: Chunks,
    give: &mut impl FnMut(Piece) -> bool,
    whole: bool,
) -> io::Result<()> {
    let kind = match kind {
        Compression::Zstd => framing::Compression::Zstd(0),
        Compression::Gzip => framing::Compression::Gzip(0),
    };
    let mut reader = FrameReader::new(input, kind);
    loop {
        let error = match reader.next() {
            Ok(Some(frame)) => {
                if !give(Piece::Bytes(frame.piece.into())) {
                    return Ok(());
                }
                continue;
            }
            Ok(None) => return Ok(()),
            Err(error) => error,
        };
        let (kind, reason) = match error {
            FrameError::Io(error) => return Err(error),
            FrameError::Truncated(_) => (io::ErrorKind::UnexpectedEof, error.to_string()),
            FrameError::Damaged { .. } => (io::ErrorKind::InvalidData, error.to_string()),
        };
        if whole {
            return Err(io::Error::new(kind, reason));
        }
        let found = reader.resync()?;
        if !found && kind == io::ErrorKind::UnexpectedEof {
            return Err(io::Error::new(kind, reason));
        }
        let reason = reader.source_mut().lost.take().unwrap_or(reason);
        if !give(Piece::Lost(Gap { bytes: None, reason })) || !found {
            return Ok(());
        }
    }
}

fn decode(
    kind: Compression,
    input: &mut Chunks,
    give: &mut impl FnMut(Piece) -> bool,
) -> io::Result<()> {
    // A tape's last block may be filled up with zeros behind the last frame.
    while skip_zeros(input)? {
        let go_on = match kind {
            Compression::Zstd => {
                pump(zstd::stream::read::Decoder::with_buffer(&mut *input)?.single_frame(), give)
            }
            Compression::Gzip => pump(flate2::bufread::GzDecoder::new(&mut *input), give),
        };
        let go_on = go_on.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the compressed data is damaged or cut off: {error}"),
            )
        });
        if !go_on? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether there is more than zeros.
fn skip_zeros(input: &mut Chunks) -> io::Result<bool> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == bytes.len();
        input.consume(zeros);
        if !all {
            return Ok(true);
        }
    }
}

/// Hands on everything from one frame; `false` when nobody wants it.
fn pump(mut from: impl Read, give: &mut impl FnMut(Piece) -> bool) -> io::Result<bool> {
    loop {
        let mut chunk = vec![0; CHUNK];
        let mut filled = 0;
        let mut ended = false;
        while filled < CHUNK && !ended {
            match from.read(&mut chunk[filled..])? {
                0 => ended = true,
                read => filled += read,
            }
        }
        chunk.truncate(filled);
        if filled > 0 && !give(Piece::Bytes(chunk.into())) {
            return Ok(false);
        }
        if ended {
            return Ok(true);
        }
    }
}

struct Chunks {
    current: Bytes,
    first: Option<Piece>,
    pieces: Pieces,
    /// Why bytes are missing among those given last.
    lost: Option<String>,
}

impl Chunks {
    /// Whether the frames carry checksums, as this program writes them.
    fn has_checks(&mut self, kind: Compression) -> io::Result<bool> {
        /// Longer than a first frame of this program and its checksum.
        const ENOUGH: usize = 2 << 20;
        let mut peeked = Vec::from(std::mem::take(&mut self.current));
        let found = loop {
            let known = match kind {
                Compression::Gzip => framing::gzip_has_check(&peeked),
                Compression::Zstd => framing::zstd_has_check(&peeked),
            };
            if known.is_some() || peeked.len() > ENOUGH {
                break known.unwrap_or(false);
            }
            match self.more()? {
                Some(bytes) => peeked.extend_from_slice(&bytes),
                None => break false,
            }
        };
        self.current = peeked.into();
        Ok(found)
    }
}

impl Chunks {
    /// The next bytes of the medium, with zeros for those that could not be read.
    fn more(&mut self) -> io::Result<Option<Bytes>> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.pieces.blocking_recv().transpose()?,
        };
        Ok(match next {
            None => None,
            Some(Piece::Bytes(bytes)) => Some(bytes),
            Some(Piece::Lost(gap)) => {
                self.lost = Some(gap.reason);
                // Where it is not known how many, any number tells that the frame is not whole.
                let zeros = gap.bytes.unwrap_or(1).clamp(1, 1 << 24) as usize;
                Some(Bytes::from(vec![0; zeros]))
            }
        })
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.more()? {
                Some(bytes) => self.current = bytes,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        let _ = self.current.split_to(amount);
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.consume(read);
        Ok(read)
    }
}
