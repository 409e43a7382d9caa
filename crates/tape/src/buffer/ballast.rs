//! What a slow device keeps from those who read ahead of it.

use tokio::sync::OwnedSemaphorePermit;

use super::block::Block;

/// Bytes that wait for a device which is behind.
const BEHIND: u64 = 24 << 20;
/// Bytes that wait for one which is not any more.
const ABREAST: u64 = 8 << 20;
/// The most that is kept, in bytes: what a plain file leaves of the buffer's memory.
const MOST: usize = 16 << 20;

/// The right to memory that is lent, kept while the device is behind: to read further ahead of it
/// makes nothing faster. It is given back before the device runs dry.
#[derive(Default)]
pub(super) struct Ballast(Vec<OwnedSemaphorePermit>);

impl Ballast {
    /// A block was written while `waiting` bytes stand behind it.
    pub(super) fn settle(&mut self, block: &mut Block, waiting: u64) {
        if waiting < ABREAST {
            self.0.clear();
        } else if waiting >= BEHIND && self.kept() < MOST {
            // Not merged: who reads ahead may have begun anew, with another budget.
            self.0.extend(block.take_share());
        }
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes that are kept.
    fn kept(&self) -> usize {
        self.0.iter().map(OwnedSemaphorePermit::num_permits).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn what_is_kept_of_a_slow_device_is_bounded_and_comes_back() {
        let budget = Arc::new(Semaphore::new(96 << 20));
        let mut ballast = Ballast::default();
        let mut write = |waiting| {
            let mut block = Block::from(&Pool::new(10, 0));
            block.charge(budget.clone().try_acquire_many_owned(1 << 20).unwrap());
            ballast.settle(&mut block, waiting);
            block.clear();
            (96 << 20) - budget.available_permits()
        };
        assert_eq!(write(BEHIND - 1), 0, "it is not behind");
        let kept: Vec<_> = (0..40).map(|_| write(BEHIND)).collect();
        assert_eq!((kept[0], kept[39]), (1 << 20, MOST));
        assert_eq!(write(ABREAST), MOST, "it is on its way back");
        assert_eq!(write(ABREAST - 1), 0);
        assert_eq!(write(0), 0);
    }
}
