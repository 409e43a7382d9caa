//! What is known of the way to a place: for whoever reads much of it at once, and has to choose how
//! much to ask for in one request.

use std::time::Duration;

/// The way to a place, as far as it is known. Nothing is, where nothing lies between (a disk).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Line {
    /// Reads that the place takes at once, as it looks at present.
    pub at_once: Option<usize>,
    /// How long the quickest answer took to begin.
    pub round_trip: Option<Duration>,
    /// Bytes a second of one read, of late.
    pub rate: Option<f64>,
}

impl Line {
    /// The ways to two places that are read together: as wide as the wider, as long as the longer,
    /// as slow as the slower.
    #[must_use]
    pub fn join(self, other: Line) -> Line {
        Line {
            at_once: self.at_once.max(other.at_once),
            round_trip: self.round_trip.max(other.round_trip),
            rate: match (self.rate, other.rate) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }
}
