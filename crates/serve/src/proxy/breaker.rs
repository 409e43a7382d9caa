//! Leaving a registry alone that does not answer, so that nobody waits for it again and again.
//!
//! Closed, every request passes. After some failures in a row it opens: for a while no request
//! passes, then one does, and its outcome decides. While that fails, the pauses double.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pauses grow up to so many times the first.
const GROWTH: u32 = 8;
/// The longest that a registry's own wish to be left alone is followed.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// The breaker of one registry.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In a row.
    failures: u32,
    /// Until when no request passes; `None` while closed.
    open: Option<Instant>,
    pause: Duration,
    /// A request is finding out whether the registry recovered.
    trying: bool,
}

/// The right to ask. Its end without an outcome says nothing of the registry.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    trial: bool,
    done: bool,
}

impl Breaker {
    pub(super) fn new(failures: u32, pause: Duration) -> Self {
        let state = State { failures: 0, open: None, pause, trying: false };
        Breaker { failures: failures.max(1), pause, state: Mutex::new(state) }
    }

    /// Whether a request may pass now; if not, when to come again.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.lock();
        let trial = match state.open {
            None => false,
            Some(until) if until > now => return Err(until - now),
            Some(_) if state.trying => return Err(Duration::from_secs(1)),
            Some(_) => true,
        };
        state.trying = trial;
        Ok(Pass { breaker: self, trial, done: false })
    }

    /// Whether requests pass without more ado.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().open.is_none()
    }

    /// Trouble that shows only after an answer had begun.
    pub(super) fn failed_later(&self, now: Instant) {
        self.failed(now, None);
    }

    fn failed(&self, now: Instant, wish: Option<Duration>) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let was_open = state.open.is_some();
        if wish.is_none() && !was_open && state.failures < self.failures {
            return false;
        }
        let wish = wish.unwrap_or_default().min(LONGEST_WISH);
        let until = now + state.pause.max(wish);
        state.open = Some(state.open.map_or(until, |open| open.max(until)));
        state.pause = (state.pause * 2).min(self.pause * GROWTH);
        !was_open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The registry answered. Whether that ends a pause.
    pub(super) fn good(mut self) -> bool {
        self.done = true;
        let mut state = self.breaker.lock();
        if self.trial {
            state.trying = false;
        } else if state.open.is_some() {
            // An answer to a request that was sent before the trouble began.
            return false;
        }
        state.failures = 0;
        state.pause = self.breaker.pause;
        state.open.take().is_some()
    }

    /// The registry did not answer, or asks to be left alone for `wish`. Whether a pause begins.
    pub(super) fn bad(mut self, now: Instant, wish: Option<Duration>) -> bool {
        self.done = true;
        if self.trial {
            self.breaker.lock().trying = false;
        } else if wish.is_none() && !self.breaker.is_closed() {
            // Of many that failed together, only those count that led to the pause.
            return false;
        }
        self.breaker.failed(now, wish)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.trial && !self.done {
            self.breaker.lock().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fails(breaker: &Breaker, now: Instant) -> bool {
        breaker.admit(now).unwrap().bad(now, None)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_try() {
        let (breaker, start) = (Breaker::new(2, 10 * SECOND), Instant::now());
        assert!(!fails(&breaker, start));
        assert!(!breaker.admit(start).unwrap().good());
        assert!(!fails(&breaker, start));
        assert!(fails(&breaker, start));
        assert_eq!(breaker.admit(start + SECOND).unwrap_err(), 9 * SECOND);
        let later = start + 10 * SECOND;
        let trial = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one at a time");
        assert!(trial.good());
        assert!(breaker.is_closed() && breaker.admit(later).is_ok());
    }

    #[test]
    fn pauses_double_while_it_does_not_recover() {
        let (breaker, mut now) = (Breaker::new(1, SECOND), Instant::now());
        for pause in [1, 2, 4, 8, 8, 8] {
            fails(&breaker, now);
            let left = breaker.admit(now).unwrap_err();
            assert_eq!(left, pause * SECOND);
            now += left;
        }
        assert!(breaker.admit(now).unwrap().good());
        fails(&breaker, now);
        assert_eq!(breaker.admit(now).unwrap_err(), SECOND);
    }

    #[test]
    fn a_trial_that_is_given_up_leaves_room_for_the_next() {
        let (breaker, now) = (Breaker::new(1, SECOND), Instant::now());
        fails(&breaker, now);
        let later = now + 2 * SECOND;
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_wish_to_be_left_alone_is_followed_within_reason() {
        let (breaker, now) = (Breaker::new(5, SECOND), Instant::now());
        assert!(breaker.admit(now).unwrap().bad(now, Some(30 * SECOND)));
        assert_eq!(breaker.admit(now).unwrap_err(), 30 * SECOND);
        let breaker = Breaker::new(5, SECOND);
        breaker.admit(now).unwrap().bad(now, Some(100_000 * SECOND));
        assert_eq!(breaker.admit(now).unwrap_err(), LONGEST_WISH);
    }

    #[test]
    fn many_that_fail_together_are_one_pause() {
        let (breaker, now) = (Breaker::new(2, SECOND), Instant::now());
        let passes: Vec<_> = (0..9).map(|_| breaker.admit(now).unwrap()).collect();
        for pass in passes {
            pass.bad(now, None);
        }
        assert_eq!(breaker.admit(now).unwrap_err(), SECOND);
    }
}
