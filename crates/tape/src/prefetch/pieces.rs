//! Bytes on their way, held in as much memory as they are long.
//!
//! As they come they stand in whatever the connection allocated for them, which may be much more.
//! Where the memory for them is what bounds how long a request is, copying them costs less.

use bytes::Bytes;

use crate::pool::Pool;

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
                let length = self.left.clamp(1, pool.size() as u64);
                self.left = self.left.saturating_sub(length);
                self.whole = length as usize;
                let whole = is_whole(self.whole as u64, pool.size() as u64);
                self.piece = if whole { pool.take() } else { Vec::with_capacity(self.whole) };
            }
            let room = self.whole - self.piece.len();
            let part = bytes.split_to(room.min(bytes.len()));
            self.piece.extend_from_slice(&part);
            if self.piece.len() == self.whole {
                self.whole = 0;
                let piece = std::mem::take(&mut self.piece);
                let pooled = is_whole(piece.len() as u64, pool.size() as u64);
                ready.push(if pooled { pool.bytes(piece) } else { piece.into() });
            }
        }
    }
}

/// Whether so many bytes get a whole piece of `size` bytes: fewer have memory of their own length.
fn is_whole(length: u64, size: u64) -> bool {
    length > size / 2
}

/// Memory that so many bytes take, in pieces of `size` bytes.
pub(super) fn taken(length: u64, size: u64) -> u64 {
    let rest = length % size.max(1);
    if is_whole(rest, size) { length - rest + size } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: u64 = 256 << 10;

    proptest! {
        #[test]
        fn pieces_are_the_bytes_in_order(
            lengths in prop::collection::vec(0_usize..200_000, 0..12),
            exact in any::<bool>(),
        ) {
            let all: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|at| at as u8).collect();
            let pool = Pool::new(PIECE as usize, 100);
            let mut pieces = Pieces::new(exact.then(|| pool.clone()), all.len() as u64);
            let (mut rest, mut ready) = (Bytes::from(all.clone()), Vec::new());
            for length in lengths {
                pieces.add(rest.split_to(length), &mut ready);
            }
            prop_assert!(ready.concat() == all);
            let sizes: Vec<_> = ready.iter().map(|piece| piece.len() as u64).collect();
            drop(ready);
            if exact {
                prop_assert!(sizes.iter().rev().skip(1).all(|size| *size == PIECE));
                let whole = sizes.iter().filter(|size| **size > PIECE / 2).count() as u64;
                prop_assert_eq!(pool.free() as u64, whole);
                let short: u64 = sizes.iter().filter(|size| **size <= PIECE / 2).sum();
                prop_assert_eq!(taken(all.len() as u64, PIECE), whole * PIECE + short);
            }
        }
    }
}
