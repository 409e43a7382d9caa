//! Whether a host answers questions that need not be asked: what saves something when it is
//! answered is not to cost more than that when it is not.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::health::Health;

/// After so many failures in a row it is not asked for a while.
const FEW: u32 = 2;

/// How a host answers questions of one kind.
#[derive(Debug, Default)]
pub(super) struct Willing {
    row: Mutex<Row>,
    health: Health,
}

#[derive(Debug, Default)]
struct Row {
    failures: u32,
    last: Option<Instant>,
}

impl Willing {
    /// Whether to ask now.
    pub(super) fn is(&self) -> bool {
        !self.health.is_sick(Instant::now())
    }

    /// There was an answer, whatever it says.
    pub(super) fn answered(&self) {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner) = Row::default();
        self.health.recover();
    }

    /// What was asked at `begun` had no answer. Questions that failed together are one failure.
    pub(super) fn failed(&self, begun: Instant, now: Instant) {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        if row.last.is_some_and(|last| begun < last) {
            return;
        }
        (row.failures, row.last) = (row.failures.saturating_add(1), Some(now));
        if row.failures >= FEW {
            self.health.sick(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn who_fails_twice_in_a_row_is_left_alone_until_it_answers() {
        let (willing, second) = (Willing::default(), Duration::from_secs(1));
        let begun = Instant::now();
        willing.failed(begun, begun + second);
        willing.failed(begun, begun + second);
        assert!(willing.is(), "both were asked before either had failed");
        willing.answered();
        willing.failed(begun + second, begun + 2 * second);
        assert!(willing.is(), "not in a row");
        willing.failed(begun + 2 * second, begun + 3 * second);
        assert!(!willing.is());
        willing.answered();
        assert!(willing.is());
    }
}
