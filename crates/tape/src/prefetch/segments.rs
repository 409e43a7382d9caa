//! How long the pieces are in which blobs are fetched: as long as the memory for all connections
//! allows where there are few of them, for each request costs a round trip in which its connection
//! carries nothing; shorter where there are many, and towards the end.

use std::sync::Arc;
use std::time::Duration;

use airlift_oci::store::Line;
use airlift_oci::types::Descriptor;

/// The least that is worth a request, in bytes: no smaller blob comes in segments, so that it is known
/// to be whole before it is handed out.
pub(crate) const SHORTEST: u64 = 512 << 10;
const LONGEST: u64 = 16 << 20;
/// A segment is not made shorter than this because a longer one would gain nothing.
const LONG_ENOUGH: u64 = 4 << 20;
/// The same because the end is near.
const SHORTEST_AT_THE_END: u64 = 2 << 20;
/// A segment that takes so many round trips gains nothing by being longer.
const ROUND_TRIPS: f64 = 16.0;
/// What a connection holds beside the bytes that came, at most, as long as it reads: a buffer that
/// is being filled, one on its way to whoever copies it.
const CONNECTION: u64 = 512 << 10;
/// An answer that begins later than this after the request is one over a long line.
const FAR: Duration = Duration::from_millis(15);
/// Reads at once for which the budget is meant where the place is near. More would be shorter, and
/// cost CPU on both sides; small blobs are fetched by more connections than this.
const NEAR_AT_ONCE: usize = 4;

/// The longest segment that passes through a window.
const LONGEST_PASSED: u64 = 64 << 20;
/// What is held of such a segment. What is small and stands behind long segments is fetched the
/// sooner the less of those is held; the connections themselves hold something, too.
const WINDOW: u64 = 2 << 20;
/// Where one read brings so many bytes a second, more of them at once gain nothing, and each
/// further request costs the place CPU that it has no more of.
const FAST: f64 = 50e6;
/// Reads at once that a place must take for some of them to stand still.
const ENOUGH_AT_ONCE: usize = 3 * NEAR_AT_ONCE;

/// Whether a place is at the end of a long line.
pub(crate) fn is_far(line: &Line) -> bool {
    line.round_trip.is_some_and(|round_trip| round_trip >= FAR)
}

/// What a segment's length depends on besides the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Memory for all segments that were begun and are not on the medium.
    pub(super) budget: u64,
    /// Bytes that one segment may have at most.
    pub(super) most: u64,
    /// Reads at once, at most.
    pub(super) concurrency: usize,
    /// Whether what is held of bytes is to be no more than they are.
    pub(super) exact: bool,
    /// What nobody lends.
    pub(super) own: u64,
    /// The pieces in which memory is taken, when it is in such.
    pub(super) piece: Option<u64>,
}

/// Part of a blob.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) descriptor: Arc<Descriptor>,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Bytes of it that are held at once, at most: all, or fewer.
    pub(super) held: u64,
    /// Bytes that its connection holds beside those, as long as it reads.
    pub(super) beside: u64,
}

/// The segments of blobs, in order. How long one is shows when it is asked for.
pub(super) struct Segments<B, L> {
    blobs: B,
    line: L,
    room: Room,
    /// The blob of which segments are still to come, and where.
    current: Option<(Arc<Descriptor>, u64)>,
    /// Bytes of all blobs that are still to come.
    left: u64,
}

impl Room {
    /// Room for segments within `own` bytes, or within so many more as are `lent` for as long as
    /// nobody else needs them.
    pub(super) fn new(own: u64, lent: u64, concurrency: usize) -> Self {
        let own = own.max(SHORTEST * 3);
        // What is lent is all that there is: what it really costs counts. One segment has to fit
        // into what is never lent.
        let exact = lent > 0;
        // What a connection holds beside the longest segment is its own, too.
        let most = if exact { own.saturating_sub(CONNECTION).max(SHORTEST) } else { own };
        let (budget, concurrency) = (own + lent, concurrency.max(1));
        Room { budget, most, concurrency, exact, own, piece: None }
    }

    /// The same where memory is taken in pieces of so many bytes.
    pub(super) fn in_pieces(self, piece: Option<u64>) -> Self {
        Room { piece, ..self }
    }

    /// What the connection holds that reads a segment, beside the `held` bytes of it. It comes to
    /// no more than a few times what is sent.
    fn beside(&self, held: u64) -> u64 {
        if self.exact { CONNECTION.min(held) } else { 0 }
    }

    /// Bytes of the next segment of a blob of which `rest` bytes are still to come, of `left`
    /// bytes in all; and how many of them are held at once.
    fn next(&self, rest: u64, left: u64, line: &Line) -> (u64, u64) {
        let length = self.length(left, line);
        // A short last one would cost a request as well: all of a blob are equally long.
        let equal = |length: u64| rest.div_ceil(((rest + length / 2) / length).max(1));
        if rest > WINDOW && self.passes(line) {
            return (equal(LONGEST_PASSED), WINDOW.min(length));
        }
        let length = match self.piece.filter(|piece| self.fits_whole(length, *piece)) {
            // A short last one is part of the one before.
            Some(piece) => {
                let whole = (length + piece / 2) / piece * piece;
                if rest > whole + whole / 2 { whole } else { rest }
            }
            None => equal(length),
        };
        (length, length)
    }

    /// Whether segments are made of whole pieces: what is left of one is memory that nobody has.
    fn fits_whole(&self, length: u64, piece: u64) -> bool {
        piece > 0 && length >= piece / 2 && length.max(piece) + piece / 2 <= self.most * 2 / 3
    }

    /// Whether long segments pass through windows.
    fn passes(&self, line: &Line) -> bool {
        // Memory is lent for the sake of many reads over a long line.
        let near = !self.exact && !is_far(line);
        near && line.rate.is_some_and(|rate| rate >= FAST)
            && line.at_once.is_some_and(|at_once| at_once >= ENOUGH_AT_ONCE)
    }

    fn length(&self, left: u64, line: &Line) -> u64 {
        let known = line.at_once.unwrap_or(self.concurrency).clamp(1, self.concurrency);
        let at_once = if is_far(line) { known } else { known.min(NEAR_AT_ONCE) } as u64;
        // Some stays for what came already and waits for its turn.
        let fair = self.budget / (at_once + at_once.div_ceil(6));
        let fair = fair.saturating_sub(self.beside(fair));
        let enough = match (line.round_trip, line.rate) {
            (Some(round_trip), Some(rate)) => {
                (ROUND_TRIPS * round_trip.as_secs_f64() * rate) as u64
            }
            _ => LONGEST,
        };
        let share = left / at_once;
        fair.min(enough.max(LONG_ENOUGH))
            .min(share.max(SHORTEST_AT_THE_END))
            .clamp(SHORTEST, LONGEST)
            // What is left of a blob may make it half as long again.
            .min(self.most * 2 / 3)
    }
}

impl<B, L> Segments<B, L>
where
    B: Iterator<Item = Arc<Descriptor>>,
    L: Fn() -> Line,
{
    /// Those of `blobs`, which have `bytes` bytes in all; `line` tells how it looks at present.
    pub(super) fn new(blobs: B, bytes: u64, room: Room, line: L) -> Self {
        Segments { blobs, line, room, current: None, left: bytes }
    }
}

impl<B, L> Iterator for Segments<B, L>
where
    B: Iterator<Item = Arc<Descriptor>>,
    L: Fn() -> Line,
{
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        loop {
            if let Some((descriptor, offset)) = &mut self.current
                && *offset < descriptor.size
            {
                let rest = descriptor.size - *offset;
                let (length, held) = self.room.next(rest, self.left, &(self.line)());
                let beside = self.room.beside(held);
                let (descriptor, start) = (descriptor.clone(), *offset);
                let segment = Segment { descriptor, offset: start, length, held, beside };
                *offset += length;
                self.left = self.left.saturating_sub(length);
                return Some(segment);
            }
            self.current = Some((self.blobs.next()?, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn line(at_once: usize, milliseconds: u64, rate: Option<f64>) -> Line {
        let round_trip = Some(Duration::from_millis(milliseconds));
        Line { at_once: Some(at_once), round_trip, rate }
    }

    fn blobs(sizes: &[u64]) -> Vec<Arc<Descriptor>> {
        let blob =
            |size: &u64| Arc::new(Descriptor { size: *size, ..Descriptor::of("layer", b"") });
        sizes.iter().map(blob).collect()
    }

    #[test]
    fn few_connections_over_a_long_line_are_busy_with_bytes() {
        let room = Room::new(24 * MIB, 64 * MIB, 48);
        for at_once in 1..=12 {
            let line = line(at_once, 40, Some(20e6));
            let length = room.length(u64::MAX, &line) as f64;
            let carrying = length / 20e6;
            assert!(carrying / (carrying + 0.04) > 0.8, "{at_once} connections: {length}");
        }
        // Before anything was measured, too; and many connections share what there is.
        assert!(room.length(u64::MAX, &line(10, 40, None)) >= 4 * MIB);
        assert!(room.next(200 * MIB, u64::MAX, &line(48, 40, None)).0 >= MIB / 2);
        let pieces = room.in_pieces(Some(MIB));
        assert_eq!(pieces.next(200 * MIB, u64::MAX, &line(48, 40, None)).0, MIB);
    }

    #[test]
    fn segments_are_no_longer_than_helps() {
        let room = Room::new(48 * MIB, 1024 * MIB, 48);
        assert_eq!(room.length(u64::MAX, &line(10, 40, Some(1e6))), LONG_ENOUGH);
        assert_eq!(room.length(u64::MAX, &line(10, 40, Some(500e6))), LONGEST);
        // Towards the end all connections still have something.
        assert_eq!(room.length(40 * MIB, &line(10, 40, Some(500e6))), 4 * MIB);
        assert_eq!(room.length(MIB, &line(10, 40, Some(500e6))), SHORTEST_AT_THE_END);
    }

    #[test]
    fn a_little_more_than_a_segment_is_one() {
        let room = Room::new(24 * MIB, 64 * MIB, 48);
        let line = line(10, 40, Some(20e6));
        let length = room.length(u64::MAX, &line);
        assert_eq!(room.next(length + length / 4, u64::MAX, &line).0, length + length / 4);
        assert_eq!(room.next(2 * length - 1, u64::MAX, &line).0, length);
    }

    #[test]
    fn near_by_long_blobs_pass_whole_through_windows_where_reads_are_quick_and_many() {
        let quick = line(16, 1, Some(200e6));
        let room = Room::new(16 * MIB, 0, 48);
        let (length, held) = room.next(60 * MIB, u64::MAX, &quick);
        assert_eq!(length, 60 * MIB);
        assert_eq!(held, WINDOW);
        assert_eq!(room.next(WINDOW, u64::MAX, &quick), (WINDOW, WINDOW));
        let far = line(16, 40, Some(200e6));
        for line in [far, line(16, 1, None), line(16, 1, Some(20e6)), line(4, 1, Some(200e6))] {
            let (length, held) = room.next(60 * MIB, u64::MAX, &line);
            assert_eq!(length, held, "{line:?}");
        }
        let (length, held) = Room::new(16 * MIB, MIB, 48).next(60 * MIB, u64::MAX, &quick);
        assert_eq!(length, held, "what is lent is for long lines");
    }

    proptest! {
        #[test]
        fn segments_are_the_blobs_in_order_and_fit(
            sizes in prop::collection::vec(prop_oneof![Just(0), 1..MIB, 1..(200 * MIB)], 0..12),
            ahead in 1..(32 * MIB),
            lent in 0..(256 * MIB),
            concurrency in 0_usize..64,
            at_once in prop::option::of(0_usize..100),
            round_trip in prop::option::of(0_u64..500),
            rate in prop::option::of(0.0..1e9),
            piece in prop::option::of((256 << 10)..(2 * MIB)),
        ) {
            let round_trip = round_trip.map(Duration::from_millis);
            let room = Room::new(ahead, lent, concurrency).in_pieces(piece);
            let line = Line { at_once, round_trip, rate };
            let blobs = blobs(&sizes);
            let bytes = sizes.iter().sum();
            let mut segments = Segments::new(blobs.iter().cloned(), bytes, room, || line);
            for blob in &blobs {
                let mut next = 0;
                while next < blob.size {
                    let segment = segments.next().expect("a segment");
                    prop_assert!(Arc::ptr_eq(&segment.descriptor, blob));
                    prop_assert_eq!(segment.offset, next);
                    prop_assert!(segment.held > 0 && segment.held <= room.most);
                    prop_assert!(segment.held <= segment.length);
                    // The turn of each comes, whatever else holds of what is lent.
                    prop_assert!(segment.held + segment.beside <= room.budget - lent);
                    next += segment.length;
                }
                prop_assert_eq!(next, blob.size);
            }
            prop_assert!(segments.next().is_none());
        }
    }
}
