//! Bytes of a medium, read ahead by a thread.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::in_place::InPlace;
use super::{Medium, ReadDevice, apart, decode, lost};
use crate::archive::{BLOCK, Parser};
use airlift_oci::observe::{Event, Observer};

/// Bytes asked for at once.
const CHUNK: usize = 1 << 20;
/// Failed reads one after the other, behind which a medium is given up.
const PATIENCE: u32 = 4096;

/// How a medium is read.
pub(crate) struct Reading {
    /// Bytes read ahead.
    pub(crate) memory: u64,
    /// Whether what cannot be read is an error; otherwise it is a gap wherever reading can go on
    /// behind it.
    pub(crate) whole: bool,
    /// Whether content of a plain file may be passed over, for others to read it at its place.
    pub(crate) in_place: bool,
    pub(crate) observer: Arc<dyn Observer>,
}

/// What comes from a medium.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// Some that could not be read.
    Lost(Gap),
}

/// Bytes that could not be read.
#[derive(Debug)]
pub(crate) struct Gap {
    /// How many, where that is known.
    pub(crate) bytes: Option<u64>,
    /// Why.
    pub(crate) reason: String,
}

pub(super) type Pieces = mpsc::Receiver<io::Result<Piece>>;
/// What was read of a medium to know what it is.
pub(super) type Front = VecDeque<io::Result<Piece>>;

/// The uncompressed bytes of a medium, in order.
pub(crate) struct ByteStream {
    from: From,
    front: Front,
    compressed: bool,
    checked: Arc<AtomicBool>,
}

/// Where the bytes come from.
enum From {
    /// A thread that reads ahead.
    Thread(Pieces),
    /// The file itself.
    File(InPlace),
}

impl ByteStream {
    /// Opens `medium` and begins to read it ahead.
    pub(crate) async fn open(medium: Medium, reading: Reading) -> io::Result<Self> {
        let checked = Arc::new(AtomicBool::new(false));
        if reading.in_place
            && let Medium::File(path) = &medium
        {
            let path = path.clone();
            let opened = tokio::task::spawn_blocking(move || InPlace::open(&path)).await;
            if let Some(file) = opened.map_err(io::Error::other)?? {
                let from = From::File(file);
                return Ok(ByteStream { from, front: Front::new(), compressed: false, checked });
            }
        }
        let device = apart(|| medium.open()).await.unwrap_or_else(|| Err(lost()))?;
        let whole = reading.whole;
        let mut pieces = read_ahead(device, reading)?;
        let mut front: Front = pieces.recv().await.into_iter().collect();
        let first = match front.front() {
            Some(Ok(Piece::Bytes(first))) => first.clone(),
            _ => Bytes::new(),
        };
        let mut kind = decode::Compression::detect(&first);
        let begins = match front.front() {
            Some(Ok(Piece::Lost(_))) => false,
            _ => is_header(&first),
        };
        if kind.is_none() && !whole && !begins {
            kind = decode::search(&mut front, &mut pieces).await;
        }
        let Some(kind) = kind else {
            let from = From::Thread(pieces);
            return Ok(ByteStream { from, front, compressed: false, checked });
        };
        let pieces = decode::start(kind, front, pieces, checked.clone(), whole)?;
        let (from, front) = (From::Thread(pieces), Front::new());
        Ok(ByteStream { from, front, compressed: true, checked })
    }

    /// Whether the medium is compressed in frames without checksums of their own. Known once bytes
    /// were read.
    pub(crate) fn lacks_checks(&self) -> bool {
        self.compressed && !self.checked.load(Ordering::Acquire)
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        match (self.front.pop_front(), &mut self.from) {
            (Some(first), _) => first.map(Some),
            (None, From::Thread(pieces)) => pieces.recv().await.transpose(),
            (None, From::File(file)) => Ok(file.next().await?.map(Piece::Bytes)),
        }
    }

    /// The file that this is, when it can be read at any place.
    pub(super) fn file(&mut self) -> Option<&mut InPlace> {
        match &mut self.from {
            From::File(file) => Some(file),
            From::Thread(_) => None,
        }
    }
}

/// Whether an archive that is not compressed may begin like this.
pub(super) fn is_header(first: &[u8]) -> bool {
    let mut parser = Parser::new();
    parser.push(Bytes::copy_from_slice(&first[..first.len().min(BLOCK as usize)]));
    parser.step().is_ok()
}

/// Starts the thread that reads. It ends when the receiver is dropped, after the read in flight;
/// nobody waits for it, since a read from a pipe may never end.
fn read_ahead(device: Box<dyn ReadDevice>, reading: Reading) -> io::Result<Pieces> {
    let ahead = usize::try_from(reading.memory / CHUNK as u64).unwrap_or(usize::MAX);
    let (sender, receiver) = mpsc::channel(ahead.clamp(2, 4096));
    let Reading { whole, observer, .. } = reading;
    let runtime = tokio::runtime::Handle::current();
    let mut source = ReadAhead { device, failures: 0, whole };
    let mut room = Room { sender, observer, stalls: 0 };
    std::thread::Builder::new().name("medium".to_owned()).spawn(move || {
        while let Some(piece) = source.piece().transpose() {
            let failed = piece.is_err();
            if source.device.streams() {
                runtime.block_on(room.wait());
            }
            if room.sender.blocking_send(piece).is_err() || failed {
                return;
            }
            room.tell();
        }
    })?;
    Ok(receiver)
}

/// The buffer behind a medium.
struct Room {
    sender: mpsc::Sender<io::Result<Piece>>,
    observer: Arc<dyn Observer>,
    stalls: u64,
}

impl Room {
    /// When the buffer is full, waits until most of it is free again: the drive stops once, not
    /// for every chunk.
    async fn wait(&mut self) {
        if self.sender.capacity() == 0 {
            self.stalls += 1;
            self.tell();
            // An error means that nobody listens, which sending finds as well.
            let _ = self.sender.reserve_many(self.sender.max_capacity() * 4 / 5).await;
        }
    }

    fn tell(&self) {
        let (free, all) = (self.sender.capacity(), self.sender.max_capacity());
        let (filled, capacity) = (((all - free) * CHUNK) as u64, (all * CHUNK) as u64);
        self.observer.event(&Event::Buffer { filled, capacity, stalls: self.stalls });
    }
}

struct ReadAhead {
    device: Box<dyn ReadDevice>,
    failures: u32,
    whole: bool,
}

impl ReadAhead {
    fn piece(&mut self) -> io::Result<Option<Piece>> {
        let mut chunk = vec![0; CHUNK];
        let mut filled = 0;
        // Pipes give little at a time; full chunks are cheaper to hand on. The first read is handed
        // on as it comes when it is enough to tell compression by, so that nothing waits needlessly.
        while filled < 512 {
            match self.device.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                // What was read before it is handed on first; the same error comes again.
                Err(_) if filled > 0 && !self.whole => break,
                Err(error) => return self.past(error).map(Some),
            }
        }
        self.failures = 0;
        chunk.truncate(filled);
        if filled < CHUNK / 2 {
            // What a pipe gives: it must not take the room of a whole chunk for as long as it is held.
            chunk.shrink_to_fit();
        }
        Ok((filled > 0).then(|| Piece::Bytes(chunk.into())))
    }

    /// Goes past what cannot be read.
    fn past(&mut self, error: io::Error) -> io::Result<Piece> {
        self.failures += 1;
        if self.whole || self.failures > PATIENCE {
            return Err(error);
        }
        let reason = error.to_string();
        match self.device.skip() {
            Some(bytes) => Ok(Piece::Lost(Gap { bytes, reason })),
            None => Err(error),
        }
    }
}
