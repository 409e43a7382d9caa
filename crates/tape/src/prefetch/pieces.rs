//! Bytes on their way, held in as much memory as they are long.
//!
//! As they come they stand in whatever the connection allocated for them, which may be much more.
//! Where the memory for them is what bounds how long a request is, copying them costs less.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes that are held together.
const PIECE: u64 = 256 << 10;

/// Pieces that are kept for further bytes, at most: what is taken and given back all the time leaves
/// holes among what connections take and give back, and memory grows by these.
const SPARE: usize = 32;

/// The memory of pieces that nobody holds any more.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// A piece that comes back when it is dropped.
struct Pooled {
    piece: Vec<u8>,
    pool: Pool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        let spare = self.lock().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(PIECE as usize))
    }

    /// As bytes; their memory comes back here.
    fn hand_out(&self, piece: Vec<u8>) -> Bytes {
        if piece.capacity() < PIECE as usize {
            return piece.into();
        }
        Bytes::from_owner(Pooled { piece, pool: self.clone() })
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut piece = std::mem::take(&mut self.piece);
        let mut spare = self.pool.lock();
        if spare.len() < SPARE {
            piece.clear();
            spare.push(piece);
        }
    }
}

/// Makes pieces of what comes.
pub(super) struct Pieces {
    /// Where they come from, when what is held is to be no more than they are.
    pool: Option<Pool>,
    piece: Vec<u8>,
    /// Bytes of `piece` when it is complete.
    whole: usize,
    /// Bytes that are still to come, of those that are no part of `piece`.
    left: u64,
}

impl Pieces {
    /// For `length` bytes, which are passed on as they come unless their memory is to come from a
    /// pool.
    pub(super) fn new(pool: Option<Pool>, length: u64) -> Self {
        Pieces { pool, piece: Vec::new(), whole: 0, left: length }
    }

    /// Takes bytes in, and adds the pieces that are complete to `ready`.
    pub(super) fn add(&mut self, mut bytes: Bytes, ready: &mut Vec<Bytes>) {
        let Some(pool) = &self.pool else { return ready.push(bytes) };
        while !bytes.is_empty() {
            if self.whole == 0 {
                // More than was said to come is an error, which whoever gives the bytes finds.
                let length = self.left.clamp(1, PIECE);
                self.left = self.left.saturating_sub(length);
                self.whole = length as usize;
                // What is short has memory of its own length.
                let short = length <= PIECE / 2;
                self.piece = if short { Vec::with_capacity(self.whole) } else { pool.take() };
            }
            let room = self.whole - self.piece.len();
            let part = bytes.split_to(room.min(bytes.len()));
            self.piece.extend_from_slice(&part);
            if self.piece.len() == self.whole {
                self.whole = 0;
                ready.push(pool.hand_out(std::mem::take(&mut self.piece)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_the_bytes_in_order(
            lengths in prop::collection::vec(0_usize..200_000, 0..12),
            exact in any::<bool>(),
        ) {
            let all: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|at| at as u8).collect();
            let pool = Pool::default();
            let mut pieces = Pieces::new(exact.then(|| pool.clone()), all.len() as u64);
            let (mut rest, mut ready) = (Bytes::from(all.clone()), Vec::new());
            for length in lengths {
                pieces.add(rest.split_to(length), &mut ready);
            }
            if exact {
                let sizes: Vec<_> = ready.iter().map(Bytes::len).collect();
                prop_assert!(sizes.iter().rev().skip(1).all(|size| *size as u64 == PIECE));
            }
            prop_assert!(ready.concat() == all);
            let kept = if exact { ready.iter().filter(|piece| piece.len() as u64 > PIECE / 2).count() } else { 0 };
            drop(ready);
            prop_assert_eq!(pool.lock().len(), kept.min(SPARE));
            prop_assert!(pool.lock().iter().all(Vec::is_empty));
        }
    }

    #[test]
    fn a_piece_comes_back_once_nobody_holds_any_of_it() {
        let pool = Pool::default();
        let mut pieces = Pieces::new(Some(pool.clone()), 2 * PIECE);
        let mut ready = Vec::new();
        pieces.add(Bytes::from(vec![7; 2 * PIECE as usize]), &mut ready);
        let part = ready[0].slice(10..20);
        drop(ready);
        assert_eq!(pool.lock().len(), 1);
        assert_eq!(part, [7; 10].as_slice());
        drop(part);
        assert_eq!(pool.lock().len(), 2);
    }
}
