//! Decompression, by what the content says it is: zstd frames or gzip members, one or many.

use std::io::{self, BufRead, Read};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::compression::Compression;
use super::pieces::{Front, Gap, Piece, Pieces};
use crate::framing::{self, FrameError, FrameReader};

const CHUNK: usize = 1 << 20;

/// Starts a thread that decompresses `front` and what follows it. Unless the medium is to be
/// `whole`, reading goes on behind a damaged frame where frames can be told from what is between.
pub(super) fn start(
    kind: Compression,
    front: Front,
    pieces: Pieces,
    checked: Arc<AtomicBool>,
    whole: bool,
) -> io::Result<Pieces> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::Builder::new().name("decompress".to_owned()).spawn(move || {
        let mut input = Chunks { current: Bytes::new(), front, pieces, lost: None, failed: false };
        let mut give = |piece| sender.blocking_send(Ok(piece)).is_ok();
        let done = input.frames(kind, whole).and_then(|kind_of_frames| {
            checked.store(kind_of_frames.is_some(), Ordering::Release);
            match kind_of_frames {
                Some(kind) => frames(kind, input, &mut give, whole),
                None => decode(kind, &mut input, &mut give),
            }
        });
        if let Err(error) = done {
            // Nobody listens when the run was given up.
            let _ = sender.blocking_send(Err(error));
        }
    })?;
    Ok(receiver)
}

/// How a medium is compressed whose start does not tell, because it is damaged: by the first frame
/// of this program's that is whole. What is read for that is put behind `front`.
pub(super) async fn search(front: &mut Front, pieces: &mut Pieces) -> Option<Compression> {
    let mut bytes = Vec::new();
    for piece in front.iter() {
        bytes.extend_from_slice(&stand_in(piece.as_ref().ok()?));
    }
    while bytes.len() < ENOUGH {
        let Some(piece) = pieces.recv().await else { break };
        let part = piece.as_ref().ok().map(stand_in);
        front.push_back(piece);
        match part {
            Some(part) => bytes.extend_from_slice(&part),
            None => break,
        }
    }
    match framing::find_checked(&bytes)? {
        framing::Compression::Gzip(_) => Some(Compression::Gzip),
        _ => Some(Compression::Zstd),
    }
}

/// Longer than two frames of this program and their checksums.
const ENOUGH: usize = 4 << 20;

/// The bytes of a piece, with zeros for those that could not be read.
fn stand_in(piece: &Piece) -> Bytes {
    match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        // Where it is not known how many, any number tells that the frame is not whole.
        Piece::Lost(gap) => vec![0; gap.bytes.unwrap_or(1).clamp(1, 1 << 24) as usize].into(),
    }
}

/// Decompresses an archive of this program, of which every frame is checked before it is used.
fn frames(
    kind: framing::Compression,
    input: Chunks,
    give: &mut impl FnMut(Piece) -> bool,
    whole: bool,
) -> io::Result<()> {
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
        if !go_on.map_err(|error| input.blame(error))? {
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
    front: Front,
    pieces: Pieces,
    /// Why bytes are missing among those given last.
    lost: Option<String>,
    /// Whether the medium could not be read on.
    failed: bool,
}

impl Chunks {
    /// What it means that decompressing ended with `error`: when it was not reading that failed,
    /// the data is at fault.
    fn blame(&self, error: io::Error) -> io::Error {
        if self.failed {
            return error;
        }
        let kind = match error.kind() {
            cut @ io::ErrorKind::UnexpectedEof => cut,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, format!("the compressed data is damaged or cut off: {error}"))
    }

    /// The kind of the frames when they carry checksums, as this program writes them. A first frame
    /// without one may be a damaged one: unless the medium is to be `whole`, others are looked for.
    fn frames(
        &mut self,
        kind: Compression,
        whole: bool,
    ) -> io::Result<Option<framing::Compression>> {
        let mut peeked = Vec::from(std::mem::take(&mut self.current));
        let mut ended = false;
        let found = loop {
            let known = match kind {
                Compression::Gzip => framing::gzip_has_check(&peeked),
                Compression::Zstd => framing::zstd_has_check(&peeked),
            };
            let told = known == Some(true) || (whole && known.is_some());
            if told || ended || peeked.len() > ENOUGH {
                break known.unwrap_or(false);
            }
            match self.more()? {
                Some(bytes) => peeked.extend_from_slice(&bytes),
                None => ended = true,
            }
        };
        let kind = match kind {
            _ if !found && !whole => framing::find_checked(&peeked),
            Compression::Zstd => found.then_some(framing::Compression::Zstd(0)),
            Compression::Gzip => found.then_some(framing::Compression::Gzip(0)),
        };
        self.current = peeked.into();
        Ok(kind)
    }

    /// The next bytes of the medium, with zeros for those that could not be read.
    fn more(&mut self) -> io::Result<Option<Bytes>> {
        let next = self.front.pop_front().or_else(|| self.pieces.blocking_recv());
        self.failed |= matches!(next, Some(Err(_)));
        let Some(piece) = next.transpose()? else { return Ok(None) };
        let bytes = stand_in(&piece);
        if let Piece::Lost(gap) = piece {
            self.lost = Some(gap.reason);
        }
        Ok(Some(bytes))
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
