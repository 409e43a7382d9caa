//! Decompression, by what the content says it is: zstd frames or gzip members, one or many.

use std::io::{self, BufRead, Read};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

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

/// Starts a thread that decompresses `first` and what follows it.
pub(super) fn start(
    kind: Compression,
    first: Bytes,
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    checked: Arc<AtomicBool>,
) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::Builder::new().name("decompress".to_owned()).spawn(move || {
        let mut input = Chunks { current: first, chunks };
        let mut give = |bytes| sender.blocking_send(Ok(bytes)).is_ok();
        let done = input.has_checks(kind).and_then(|checks| {
            checked.store(checks, Ordering::Release);
            if checks {
                frames(kind, &mut input, &mut give)
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
    input: &mut Chunks,
    give: &mut impl FnMut(Bytes) -> bool,
) -> io::Result<()> {
    let kind = match kind {
        Compression::Zstd => framing::Compression::Zstd(0),
        Compression::Gzip => framing::Compression::Gzip(0),
    };
    let mut reader = FrameReader::new(input, kind);
    loop {
        match reader.next() {
            Ok(Some(frame)) => {
                if !give(frame.piece.into()) {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(FrameError::Io(error)) => return Err(error),
            Err(error @ FrameError::Truncated(_)) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()));
            }
            Err(error) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
            }
        }
    }
}

fn decode(
    kind: Compression,
    input: &mut Chunks,
    give: &mut impl FnMut(Bytes) -> bool,
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
fn pump(mut from: impl Read, give: &mut impl FnMut(Bytes) -> bool) -> io::Result<bool> {
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
        if filled > 0 && !give(Bytes::from(chunk)) {
            return Ok(false);
        }
        if ended {
            return Ok(true);
        }
    }
}

struct Chunks {
    current: Bytes,
    chunks: mpsc::Receiver<io::Result<Bytes>>,
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
            match self.chunks.blocking_recv() {
                Some(chunk) => peeked.extend_from_slice(&chunk?),
                None => break false,
            }
        };
        self.current = peeked.into();
        Ok(found)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
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
