//! The thread that reads a medium ahead.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::pieces::{Gap, Piece, Pieces};
use crate::device::ReadDevice;
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

/// Starts the thread that reads. It ends when the receiver is dropped, after the read in flight;
/// nobody waits for it, since a read from a pipe may never end.
pub(super) fn read_ahead(device: Box<dyn ReadDevice>, reading: Reading) -> io::Result<Pieces> {
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
