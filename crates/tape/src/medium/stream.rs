//! Bytes of a medium, read ahead by a thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Medium, ReadDevice, decode};

/// Bytes asked for at once.
const CHUNK: usize = 1 << 20;

/// The uncompressed bytes of a medium, in order.
pub(crate) struct ByteStream {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    first: Option<Bytes>,
    compressed: bool,
    checked: Arc<AtomicBool>,
}

impl ByteStream {
    /// Opens `medium` and begins to read it ahead, up to `memory` bytes.
    pub(crate) async fn open(medium: Medium, memory: u64) -> io::Result<Self> {
        // Opening a FIFO waits for its writer.
        let opened = tokio::task::spawn_blocking(|| medium.open()).await;
        let device = opened.map_err(io::Error::other)??;
        let ahead = usize::try_from(memory / CHUNK as u64).unwrap_or(usize::MAX).clamp(2, 4096);
        let mut chunks = read_ahead(device, ahead)?;
        let first = match chunks.recv().await {
            Some(first) => first?,
            None => Bytes::new(),
        };
        let checked = Arc::new(AtomicBool::new(false));
        match decode::Compression::detect(&first) {
            None => Ok(ByteStream { chunks, first: Some(first), compressed: false, checked }),
            Some(kind) => {
                let chunks = decode::start(kind, first, chunks, checked.clone())?;
                Ok(ByteStream { chunks, first: None, compressed: true, checked })
            }
        }
    }

    /// Whether the medium is compressed in frames without checksums of their own. Known once bytes
    /// were read.
    pub(crate) fn lacks_checks(&self) -> bool {
        self.compressed && !self.checked.load(Ordering::Acquire)
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.first.take() {
            Some(first) if !first.is_empty() => Ok(Some(first)),
            _ => self.chunks.recv().await.transpose(),
        }
    }
}

/// Starts the thread that reads. It ends when the receiver is dropped, after the read in flight;
/// nobody waits for it, since a read from a pipe may never end.
fn read_ahead(
    mut device: Box<dyn ReadDevice>,
    ahead: usize,
) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(ahead);
    std::thread::Builder::new().name("medium".to_owned()).spawn(move || {
        loop {
            let chunk = read_chunk(&mut *device).transpose();
            let Some(chunk) = chunk else { return };
            let failed = chunk.is_err();
            if sender.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn read_chunk(device: &mut dyn ReadDevice) -> io::Result<Option<Bytes>> {
    let mut chunk = vec![0; CHUNK];
    let mut filled = 0;
    // Pipes give little at a time; full chunks are cheaper to hand on. The first read is handed on
    // as it comes when it is enough to tell compression by, so that nothing waits needlessly.
    while filled < 512 {
        match device.read(&mut chunk[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    chunk.truncate(filled);
    Ok((filled > 0).then(|| Bytes::from(chunk)))
}
