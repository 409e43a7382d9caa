//! How far a call is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far a call is, and since when.
#[derive(Debug)]
pub(super) struct Course(Mutex<(Step, Instant)>);

/// A part of its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Neither sent nor in a queue: somebody learns what the host wants to see, or a failure is
    /// slept over.
    Aside,
    /// It waits until it may be sent, which may take long where there is much to do.
    Queued,
    /// It is sent, and nothing is heard yet.
    Sent,
    /// The answer has begun, so long after.
    Answered(Duration),
}

impl Default for Course {
    fn default() -> Self {
        Course(Mutex::new((Step::Aside, Instant::now())))
    }
}

impl Course {
    /// Something else has to come first.
    pub(super) fn aside(&self) {
        self.go(Step::Aside);
    }

    /// It waits for its turn.
    pub(super) fn queued(&self) {
        self.go(Step::Queued);
    }

    /// It is sent now.
    pub(super) fn sent(&self) {
        self.go(Step::Sent);
    }

    /// It was answered, or failed.
    pub(super) fn heard(&self, answer: bool) {
        let (_, since) = self.get();
        self.go(if answer { Step::Answered(since.elapsed()) } else { Step::Aside });
    }

    /// How long the answer took to begin, and how long it has taken until now.
    pub(super) fn took(&self) -> Option<(Duration, Duration)> {
        match self.get() {
            (Step::Answered(after), since) => Some((after, after + since.elapsed())),
            _ => None,
        }
    }

    fn go(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (step, Instant::now());
    }

    /// Where it is, and since when.
    pub(super) fn get(&self) -> (Step, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
