//! Whether a body comes at all: one that stands still is told apart from one that is slow, and one
//! that drips from both.

use std::time::Duration;

/// What a body must bring within the time after which one stands still, in bytes: less than any
/// line that is of use.
pub(super) const LEAST: u64 = 1024;

/// How the bytes of a body come. Time in which nobody waits for them does not count.
#[derive(Debug)]
pub(super) struct Flow {
    stall: Duration,
    waited: Duration,
    came: u64,
}

impl Flow {
    /// A body of which nothing came yet.
    pub(super) fn new(stall: Duration) -> Self {
        Flow { stall, waited: Duration::ZERO, came: 0 }
    }

    /// How long the next bytes may take.
    pub(super) fn patience(&self) -> Duration {
        self.stall.saturating_sub(self.waited)
    }

    /// Bytes came after so long.
    pub(super) fn came(&mut self, bytes: usize, after: Duration) {
        self.waited += after;
        self.came += bytes as u64;
        if self.came >= LEAST {
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drips_runs_out_of_patience_and_what_flows_does_not() {
        let second = Duration::from_secs(1);
        let mut flow = Flow::new(30 * second);
        for left in [20, 10, 0, 0] {
            flow.came(1, 10 * second);
            assert_eq!(flow.patience(), left * second);
        }
        let mut flow = Flow::new(30 * second);
        for _ in 0..100 {
            flow.came(700, 14 * second);
            assert!(flow.patience() >= 16 * second);
        }
    }
}
