//! Memory in pieces of one length, which is used again.
//!
//! Bytes that are fetched ahead and blocks before the device take turns with the same memory. Taken
//! from the system in different lengths, and from many threads, it would be left with holes that fit
//! neither.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// A piece begins anywhere, a block where a device wants it to: so much longer is what holds either.
pub(crate) const ALIGNMENT: usize = 4096;

/// The memory that nobody uses at present. Clones share it.
#[derive(Clone)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    size: usize,
    /// More is given back to the system.
    most: usize,
}

/// A piece that comes back when it is dropped.
struct Pooled {
    piece: Vec<u8>,
    pool: Pool,
}

impl Pool {
    /// For pieces of `size` bytes, of which `most` are kept.
    pub(crate) fn new(size: usize, most: usize) -> Self {
        Pool { free: Arc::default(), size, most }
    }

    /// Bytes of a piece.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// An empty piece, with room for some bytes in front as well.
    pub(crate) fn take(&self) -> Vec<u8> {
        let free = self.lock().pop();
        free.unwrap_or_else(|| Vec::with_capacity(self.size.saturating_add(ALIGNMENT)))
    }

    /// Takes a piece back.
    pub(crate) fn give(&self, mut piece: Vec<u8>) {
        let mut free = self.lock();
        if free.len() < self.most {
            piece.clear();
            free.push(piece);
        }
    }

    /// A piece as bytes; it comes back when nobody holds any of them.
    pub(crate) fn bytes(&self, piece: Vec<u8>) -> Bytes {
        Bytes::from_owner(Pooled { piece, pool: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.piece));
    }
}

#[cfg(test)]
impl Pool {
    /// Pieces that nobody uses.
    pub(crate) fn free(&self) -> usize {
        self.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_comes_back_once_nobody_holds_any_of_it() {
        let pool = Pool::new(10, 1);
        let [mut one, two] = [pool.take(), pool.take()];
        one.extend_from_slice(&[7; 10]);
        let bytes = pool.bytes(one);
        let part = bytes.slice(3..5);
        drop(bytes);
        assert_eq!((pool.free(), part.as_ref()), (0, [7, 7].as_slice()));
        drop(part);
        assert_eq!(pool.free(), 1);
        pool.give(two);
        assert_eq!(pool.free(), 1, "no more than are to be kept");
        assert!(pool.take().is_empty());
    }
}
