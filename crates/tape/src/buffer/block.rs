//! One block on its way to the device.

use tokio::sync::OwnedSemaphorePermit;

use crate::pool::Pool;

/// Where a block begins in memory is a multiple of this: devices that take bytes past the page
/// cache want it so.
pub(crate) use crate::pool::ALIGNMENT;

/// Bytes of a block, and what its memory is taken from.
pub(super) struct Block {
    /// A few bytes that nobody reads stand in front.
    memory: Vec<u8>,
    start: usize,
    size: usize,
    share: Option<OwnedSemaphorePermit>,
}

impl Block {
    /// An empty block that takes `pool.size()` bytes.
    pub(super) fn from(pool: &Pool) -> Self {
        let (mut memory, size) = (pool.take(), pool.size());
        // Where it is not known, the block stands where it stands.
        let start = Some(memory.as_ptr().align_offset(ALIGNMENT));
        let start = start.filter(|start| *start < ALIGNMENT).unwrap_or(0);
        memory.resize(start, 0);
        Block { memory, start, size, share: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    /// Bytes that it still takes.
    pub(super) fn room(&self) -> usize {
        self.size - self.bytes().len()
    }

    /// Takes bytes in; no more than it has room for.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Holds `share` until it is cleared.
    pub(super) fn charge(&mut self, share: OwnedSemaphorePermit) {
        match &mut self.share {
            Some(held) => held.merge(share),
            None => self.share = Some(share),
        }
    }

    /// Gives its memory back.
    pub(super) fn give_back(self, pool: &Pool) {
        pool.give(self.memory);
    }

    pub(super) fn clear(&mut self) {
        self.memory.truncate(self.start);
        self.share = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn blocks_are_aligned_however_often_they_are_filled() {
        let mut block = Block::from(&Pool::new(10_000, 0));
        for length in [0, 1, 9_999, 10_000] {
            block.fill(&vec![7; length]);
            assert_eq!((block.bytes().len(), block.room()), (length, 10_000 - length));
            assert_eq!(block.bytes().as_ptr().align_offset(ALIGNMENT), 0);
            block.clear();
        }
    }

    #[test]
    fn what_it_holds_is_given_back_when_it_is_cleared() {
        let budget = Arc::new(Semaphore::new(5));
        let mut block = Block::from(&Pool::new(10, 0));
        for _ in 0..2 {
            block.charge(budget.clone().try_acquire_many_owned(2).unwrap());
        }
        assert_eq!(budget.available_permits(), 1);
        block.clear();
        assert_eq!(budget.available_permits(), 5);
    }
}
