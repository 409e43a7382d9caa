//! Whether an endpoint works: one that fails is left alone for a while, longer each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(600);

/// How one endpoint fares.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    sick_until: Option<Instant>,
    /// When it failed last.
    failed: Option<Instant>,
}

impl Health {
    /// What it was asked at `asked` it answered well. That says nothing of a failure since then.
    pub(super) fn well(&self, asked: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_none_or(|failed| failed < asked) {
            *state = State::default();
        }
    }

    /// Nothing is left of earlier failures.
    pub(super) fn recover(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// It failed, in a way that is none of what was asked.
    pub(super) fn sick(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sick_until.is_some_and(|until| until > now) {
            // Requests that failed together are one failure.
            return;
        }
        let doubled = 2_u32.saturating_pow(state.failures.min(16));
        state.failures += 1;
        state.failed = Some(now);
        state.sick_until = Some(now + FIRST.saturating_mul(doubled).min(LONGEST));
    }

    /// Whether it is to be left alone now.
    pub(super) fn is_sick(&self, now: Instant) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.sick_until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_keeps_it_out_for_longer_until_it_answers() {
        let (health, second) = (Health::default(), Duration::from_secs(1));
        let begun = Instant::now();
        assert!(!health.is_sick(begun));
        health.sick(begun);
        health.sick(begun + second);
        assert!(health.is_sick(begun + FIRST - second));
        let later = begun + FIRST + second;
        assert!(!health.is_sick(later));
        health.sick(later);
        assert!(health.is_sick(later + FIRST + second), "the second time it is longer");
        health.well(begun);
        assert!(health.is_sick(later + second), "what was asked before says nothing");
        health.well(later + second);
        assert!(!health.is_sick(later));
    }
}
