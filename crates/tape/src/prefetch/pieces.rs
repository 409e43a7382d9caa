//! Bytes on their way, held in as much memory as they are long.
//!
//! As they come they stand in whatever the connection allocated for them, which may be much more.
//! Where the memory for them is what bounds how long a request is, copying them costs less.

use bytes::Bytes;

/// Bytes that are held together.
const PIECE: u64 = 256 << 10;

/// Makes pieces of what comes.
pub(super) struct Pieces {
    exact: bool,
    piece: Vec<u8>,
    /// Bytes that are still to come, of those that are no part of `piece`.
    left: u64,
}

impl Pieces {
    /// For `length` bytes, which are passed on as they come unless they are to be held `exact`ly.
    pub(super) fn new(exact: bool, length: u64) -> Self {
        Pieces { exact, piece: Vec::new(), left: length }
    }

    /// Takes bytes in, and adds the pieces that are complete to `ready`.
    pub(super) fn add(&mut self, mut bytes: Bytes, ready: &mut Vec<Bytes>) {
        if !self.exact {
            return ready.push(bytes);
        }
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                // More than was said to come is an error, which whoever gives the bytes finds.
                let length = self.left.clamp(1, PIECE);
                self.left = self.left.saturating_sub(length);
                self.piece.reserve_exact(length as usize);
            }
            let room = self.piece.capacity() - self.piece.len();
            let part = bytes.split_to(room.min(bytes.len()));
            self.piece.extend_from_slice(&part);
            if self.piece.len() == self.piece.capacity() {
                ready.push(std::mem::take(&mut self.piece).into());
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
            let mut pieces = Pieces::new(exact, all.len() as u64);
            let (mut rest, mut ready) = (Bytes::from(all.clone()), Vec::new());
            for length in lengths {
                pieces.add(rest.split_to(length), &mut ready);
            }
            if exact {
                let sizes: Vec<_> = ready.iter().map(Bytes::len).collect();
                prop_assert!(sizes.iter().rev().skip(1).all(|size| *size as u64 == PIECE));
            }
            prop_assert!(ready.concat() == all);
        }
    }
}
