//! Bytes that can be read at any place: a file, or what is compressed in one.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use super::StoreError;
use super::checked::Stamp;

/// Bytes read or written at once: what the processor's cache holds beside the copy that is sent.
pub(super) const CHUNK: usize = 256 * 1024;

/// Bytes that can be read at any place, by many at once.
pub trait Extent: Send + Sync + fmt::Debug {
    /// Appends bytes from `offset` on to `buffer`, at most as many as it has room for; how many
    /// they were, 0 only at the end or when there is no room. Blocks.
    fn read_at(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize>;

    /// Fills `buffer` from its start, as far as that takes no waiting, 0 at the end; `None` when it
    /// cannot be told: then [`Extent::read_at`] can. Never blocks.
    fn read_now(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let _ = (offset, buffer);
        None
    }

    /// What changes when the bytes may have; `None` where there is no such thing.
    fn stamp(&self) -> Option<Stamp> {
        None
    }
}

impl Extent for File {
    fn read_at(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        // A header may tell of places that no file can have: they are behind its end.
        if i64::try_from(offset).is_err() {
            return Ok(0);
        }
        loop {
            match rustix::io::pread(self, rustix::buffer::spare_capacity(buffer), offset) {
                Err(rustix::io::Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }

    /// From the page cache.
    fn read_now(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let buffer = io::IoSliceMut::new(buffer);
        rustix::io::preadv2(self, &mut [buffer], offset, rustix::io::ReadWriteFlags::NOWAIT).ok()
    }

    fn stamp(&self) -> Option<Stamp> {
        Stamp::of(self)
    }
}

/// Buffers of one reader, used again when what they held is no longer needed: fresh memory costs as
/// much as filling it.
#[derive(Debug, Default)]
struct Shelf(Mutex<Vec<Vec<u8>>>);

/// As many as are on their way at once.
const SPARE: usize = 2;

/// A buffer in use; it goes back to its shelf.
struct Lent {
    buffer: Vec<u8>,
    shelf: Arc<Shelf>,
}

impl Shelf {
    /// A buffer, filled with whatever.
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

/// The bytes of `extent` from `start` on, at most `length` of them, in chunks read as they are asked
/// for. Errors name `place`.
pub fn stretch(
    extent: Arc<dyn Extent>,
    place: &str,
    start: u64,
    length: u64,
) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let shelf = Arc::new(Shelf::default());
    let state = (extent, shelf, place.to_owned(), start, length);
    let chunks = stream::try_unfold(state, |(extent, shelf, place, start, left)| async move {
        let room = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        if room == 0 {
            return Ok(None);
        }
        let (extent, buffer) = chunk(extent, shelf.take(), start, room)
            .await
            .map_err(|source| StoreError::io("reading", place.as_ref(), source))?;
        let read = buffer.len() as u64;
        let chunk = Bytes::from_owner(Lent { buffer, shelf: shelf.clone() });
        Ok((read > 0).then(|| (chunk, (extent, shelf, place, start + read, left - read))))
    });
    chunks.boxed()
}

/// Reads at most `room` bytes into `buffer`, whatever was in it: at once where nothing has to be
/// waited for, else on a thread that may block.
async fn chunk(
    extent: Arc<dyn Extent>,
    mut buffer: Vec<u8>,
    start: u64,
    room: usize,
) -> io::Result<(Arc<dyn Extent>, Vec<u8>)> {
    buffer.resize(room, 0);
    if let Some(read) = extent.read_now(start, &mut buffer) {
        buffer.truncate(read);
        return Ok((extent, buffer));
    }
    let read = tokio::task::spawn_blocking(move || {
        buffer.clear();
        let read = extent.read_at(start, &mut buffer);
        // A vector may have more room than was asked for.
        buffer.truncate(room);
        read.map(|_| (extent, buffer))
    });
    read.await.map_err(io::Error::other).and_then(|read| read)
}

/// An extent as a file that is read from its start, for what reads only such.
#[derive(Debug)]
pub(super) struct Cursor {
    extent: Arc<dyn Extent>,
    position: u64,
    buffer: Vec<u8>,
    used: usize,
}

/// Enough for a header and what belongs to it.
const AHEAD: usize = 8 * 1024;

impl Cursor {
    pub(super) fn new(extent: Arc<dyn Extent>) -> Self {
        Cursor { extent, position: 0, buffer: Vec::with_capacity(AHEAD), used: 0 }
    }
}

impl io::Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
            self.extent.read_at(self.position, &mut self.buffer)?;
        }
        let part = into.len().min(self.buffer.len() - self.used);
        into[..part].copy_from_slice(&self.buffer[self.used..self.used + part]);
        self.used += part;
        self.position += part as u64;
        Ok(part)
    }
}

impl io::Seek for Cursor {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let target = match to {
            io::SeekFrom::Start(target) => Some(target),
            io::SeekFrom::Current(by) => self.position.checked_add_signed(by),
            io::SeekFrom::End(_) => None,
        };
        let target = target.ok_or_else(unsupported)?;
        let ahead = (self.buffer.len() - self.used) as u64;
        match target.checked_sub(self.position) {
            Some(skipped) if skipped <= ahead => self.used += usize::try_from(skipped).unwrap_or(0),
            _ => self.used = self.buffer.len(),
        }
        self.position = target;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use futures_util::TryStreamExt;

    use super::*;

    fn file(bytes: &[u8]) -> Arc<dyn Extent> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[tokio::test]
    async fn stretches_are_read_whole() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 7).map(|n| (n % 251) as u8).collect();
        let extent = file(&bytes);
        for (start, length) in [(0, u64::MAX), (5, 10), (CHUNK as u64 - 1, 2), (9, 0)] {
            let chunks = stretch(extent.clone(), "here", start, length);
            let read: Vec<Bytes> = chunks.try_collect().await.unwrap();
            let start = start as usize;
            let end = start.saturating_add(length as usize).min(bytes.len());
            assert!(read.concat() == bytes[start..end], "{start} {length}");
        }
        let beyond = stretch(extent, "here", bytes.len() as u64, 5);
        assert!(beyond.try_collect::<Vec<_>>().await.unwrap().is_empty());
    }

    #[test]
    fn a_cursor_reads_and_skips() {
        let bytes: Vec<u8> = (0..3 * AHEAD).map(|n| (n % 251) as u8).collect();
        let mut cursor = Cursor::new(file(&bytes));
        let mut four = [0; 4];
        for skip in [0, 100, AHEAD as i64, 3, 0] {
            let at = cursor.seek(SeekFrom::Current(skip)).unwrap() as usize;
            cursor.read_exact(&mut four).unwrap();
            assert_eq!(four, bytes[at..at + 4]);
        }
        cursor.seek(SeekFrom::Start(2)).unwrap();
        cursor.read_exact(&mut four).unwrap();
        assert_eq!(four, bytes[2..6]);
        assert!(cursor.seek(SeekFrom::End(0)).is_err());
    }
}
