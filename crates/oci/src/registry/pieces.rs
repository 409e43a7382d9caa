//! How large the bodies of an upload may be: the whole at once until something speaks against it,
//! then smaller until they pass.
//!
//! A body that is too large is mostly refused with 413. Some proxies end the connection instead, and
//! some give up what takes too long and keep nothing of it: both look like a line that breaks again
//! and again without progress.

use super::facts::HostFacts;

/// Chunks are not made smaller than this, in bytes, however often they are refused.
const SMALLEST_CHUNK: u64 = 64 * 1024;
/// So many breaks without progress let smaller pieces be tried.
const STUCK: u32 = 2;

/// What one upload has found out.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// How often sending broke without the registry having more than before.
    stuck: u32,
    /// The largest body that is tried since sending stuck, in bytes.
    largest: Option<u64>,
    /// The size of chunks that is being tried; `None`: everything at once. What is known of the host
    /// may change meanwhile, by uploads beside this one.
    tried: Option<u64>,
}

/// What is to be sent, and what is known of the host.
pub(super) struct Load<'a> {
    pub(super) facts: &'a HostFacts,
    /// Bytes that are to be sent yet.
    pub(super) left: u64,
    /// The largest chunk that is set.
    pub(super) most: u64,
    /// The smallest chunk that the registry takes.
    pub(super) least: u64,
}

impl Pieces {
    /// The size of chunks; `None` when everything goes in one piece. What is in chunks stays so: that
    /// little is left of it does not mean that so much would pass at once.
    pub(super) fn size(&self, load: &Load<'_>) -> Option<u64> {
        let whole = || load.facts.takes_whole(load.left);
        let chunk = match self.largest {
            None if self.tried.is_none() && whole() => return None,
            None => load.facts.chunk(load.most),
            Some(largest) => largest.min(load.facts.chunk(load.most)),
        };
        Some(chunk.max(load.least).max(SMALLEST_CHUNK))
    }

    /// As [`Pieces::size`], of what is sent next.
    pub(super) fn next(&mut self, load: &Load<'_>) -> Option<u64> {
        self.tried = self.size(load);
        self.tried
    }

    /// What was sent last was refused as too large, which is remembered of the host. Whether the next
    /// body is smaller.
    pub(super) fn refused(&self, load: &Load<'_>) -> bool {
        let Some(chunk) = self.tried else {
            load.facts.refused_whole(load.left);
            return true;
        };
        let sent = chunk.min(load.left);
        load.facts.refused_chunk(sent);
        self.size(load).is_some_and(|next| next < sent)
    }

    /// Sending broke without progress. Whether the next body is smaller than those before.
    pub(super) fn stuck(&mut self, load: &Load<'_>) -> bool {
        self.stuck += 1;
        if self.stuck < STUCK {
            return false;
        }
        self.largest = Some(self.tried.map_or(load.most, |chunk| chunk / 2));
        let smaller = self.tried.is_none_or(|tried| self.size(load).is_some_and(|n| n < tried));
        if smaller {
            self.stuck = 0;
        }
        smaller
    }

    /// The registry has more than before.
    pub(super) fn progress(&mut self) {
        self.stuck = 0;
    }

    /// A blob of `size` bytes is there. Where it got through in pieces alone, the next one is sent so
    /// from the start.
    pub(super) fn learn(&self, facts: &HostFacts, size: u64) {
        if let Some(largest) = self.largest {
            facts.refused_whole(size);
            facts.learn_chunk(largest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::ReferrersMode;

    fn load(facts: &HostFacts) -> Load<'_> {
        Load { facts, left: 10 << 20, most: 1 << 20, least: 0 }
    }

    #[test]
    fn what_sticks_is_tried_smaller_and_smaller_and_remembered_when_it_passes() {
        let facts = HostFacts::new(ReferrersMode::Auto);
        let mut pieces = Pieces::default();
        assert_eq!(pieces.size(&load(&facts)), None);
        let mut sizes = Vec::new();
        for _ in 0..20 {
            pieces.next(&load(&facts));
            if pieces.stuck(&load(&facts)) {
                sizes.push(pieces.size(&load(&facts)).unwrap() >> 10);
            }
        }
        assert_eq!(sizes, [1024, 512, 256, 128, 64]);
        assert_eq!(Pieces::default().size(&load(&facts)), None, "nothing is known of the host yet");
        pieces.learn(&facts, 10 << 20);
        assert_eq!(Pieces::default().size(&load(&facts)), Some(64 << 10));
    }

    #[test]
    fn what_others_find_out_meanwhile_is_not_counted_twice() {
        let facts = HostFacts::new(ReferrersMode::Auto);
        let mut uploads: Vec<_> = (0..20).map(|_| Pieces::default()).collect();
        assert!(uploads.iter_mut().all(|pieces| pieces.next(&load(&facts)).is_none()));
        // All were sent whole, and all are refused: that says nothing of chunks.
        assert!(uploads.iter().all(|pieces| pieces.refused(&load(&facts))));
        assert!(uploads.iter_mut().all(|pieces| pieces.next(&load(&facts)) == Some(1 << 20)));
        // All chunks of one size are refused: the next size is tried, and not the smallest.
        assert!(uploads.iter().all(|pieces| pieces.refused(&load(&facts))));
        assert_eq!(Pieces::default().size(&load(&facts)), Some(512 << 10));
    }

    #[test]
    fn what_stuck_whole_and_is_too_large_in_a_chunk_is_tried_smaller() {
        let facts = HostFacts::new(ReferrersMode::Auto);
        let mut pieces = Pieces::default();
        for _ in 0..STUCK {
            assert_eq!(pieces.next(&load(&facts)), None);
            pieces.stuck(&load(&facts));
        }
        assert_eq!(pieces.next(&load(&facts)), Some(1 << 20));
        assert!(pieces.refused(&load(&facts)));
        assert_eq!(pieces.next(&load(&facts)), Some(512 << 10));
    }

    #[test]
    fn progress_lets_the_size_be() {
        let facts = HostFacts::new(ReferrersMode::Auto);
        let mut pieces = Pieces::default();
        for _ in 0..10 {
            assert!(!pieces.stuck(&load(&facts)));
            pieces.progress();
        }
        assert_eq!(pieces.size(&load(&facts)), None);
        let demanding = Load { least: 3 << 20, ..load(&facts) };
        assert!(pieces.refused(&demanding));
        assert_eq!(pieces.size(&demanding), Some(3 << 20), "no smaller than the registry takes");
    }
}
