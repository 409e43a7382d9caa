//! Whether anybody has answered at a host yet. One at which nobody did gets its patience once, and
//! not for each request: once one has given up on it, the next ones are not tried again until it
//! answers. Where the system says besides that nobody is there, which is most often a name that was
//! mistyped, it gets less.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::brief::{Absence, absence, brief};
use crate::store::{ErrorKind, StoreError};

/// Further tries at a host that never answered and where nobody is: with the usual waits some six
/// seconds, in which a registry that was started just before comes up.
const FURTHER: u32 = 5;

/// What is known of a host by whether it answered.
#[derive(Debug, Default)]
pub(super) struct Contact {
    answered: AtomicBool,
    given_up: AtomicBool,
    /// How long the last try took that got no answer, in milliseconds.
    silence: AtomicU64,
    /// Until when the last verdict stands, and what it came from.
    verdict: Mutex<Option<(Instant, String)>>,
    /// Told when it is given up.
    gave_up: Notify,
}

/// Why a request to a host that never answered was given up.
#[derive(Debug, thiserror::Error)]
#[error("{}", match .absence {
    Absence::Refused => "nothing listens there and nothing did before in this run; is the address right, port included, and does the registry run?",
    Absence::Unknown => "there is no such name; is it spelled right, and does this machine ask the right name server?",
    Absence::Proxy => "its proxy cannot be reached; are the variables HTTPS_PROXY, HTTP_PROXY and ALL_PROXY right, and is the host one for NO_PROXY?",
})]
struct NeverAnswered {
    absence: Absence,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why a request to a host that never answered was not sent.
#[derive(Debug, thiserror::Error)]
#[error("nobody ever answered there in this run, and it was tried just before: {0}")]
struct NotTried(String);

impl Contact {
    /// Somebody answered.
    pub(super) fn answered(&self) {
        // Read far more often than it changes.
        if !self.has_answered() {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody ever did.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// A try took so long and got no answer.
    pub(super) fn silent(&self, after: Duration) {
        self.silence.store(after.as_millis() as u64, Ordering::Relaxed);
    }

    /// Further tries that a request is worth after `error`; `None`: as many as are set.
    pub(super) fn tries(&self, error: &StoreError) -> Option<u32> {
        if self.has_answered() {
            return None;
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Some(0);
        }
        absence(error).map(|_| FURTHER)
    }

    /// The error of a request that is given up, with what it may come from. One that was not `hasty`
    /// has shown what patience is worth there.
    pub(super) fn give_up(&self, error: StoreError, hasty: bool) -> StoreError {
        if self.has_answered() {
            return error;
        }
        if !hasty {
            self.judge(&error);
        }
        match (absence(&error), error) {
            (Some(absence), error) => {
                let place = error.place().to_owned();
                match error.into_kind() {
                    ErrorKind::Network(source) => {
                        let cause = NeverAnswered { absence, source };
                        StoreError::new(place, ErrorKind::Network(Box::new(cause)))
                    }
                    kind => StoreError::new(place, kind),
                }
            }
            (None, error) => error,
        }
    }

    /// Ends the patience of all. The verdict stands for as long as it took to come to, so that those
    /// who wait for their turn do not each find out for themselves, one time-out after another. A
    /// host where nobody is takes no time to find.
    fn judge(&self, error: &StoreError) {
        let took = match absence(error) {
            Some(_) => Duration::ZERO,
            None => Duration::from_millis(self.silence.load(Ordering::Relaxed)),
        };
        let verdict = (Instant::now() + took, brief(error));
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        self.given_up.store(true, Ordering::Relaxed);
        self.gave_up.notify_waiters();
    }

    /// Waits until the host is given up.
    pub(super) async fn gave_up(&self) {
        self.gave_up.notified().await;
    }

    /// Why a request for `place` is not worth sending, while that is so.
    pub(super) fn verdict(&self, place: &str) -> Option<StoreError> {
        if self.has_answered() || !self.given_up.load(Ordering::Relaxed) {
            return None;
        }
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, cause) = verdict.as_ref().filter(|(until, _)| *until > Instant::now())?;
        let cause = NotTried(cause.clone());
        Some(StoreError::new(place, ErrorKind::Network(Box::new(cause))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::chain;

    fn error(code: i32) -> StoreError {
        let cause = std::io::Error::from_raw_os_error(code);
        StoreError::new("a.io/x", ErrorKind::Network(Box::new(cause)))
    }

    #[test]
    fn a_host_that_never_answered_gets_less_patience_and_then_none() {
        let (refused, reset) = (error(111), error(104));
        let contact = Contact::default();
        assert_eq!(contact.tries(&refused), Some(FURTHER));
        assert_eq!(contact.tries(&reset), None, "somebody was there");
        let given_up = contact.give_up(refused, false);
        assert!(given_up.is_retryable(), "it may pass all the same");
        let said = chain(&given_up);
        assert!(said.contains("is the address right") && said.contains("refused"), "{said}");
        assert_eq!(contact.tries(&error(111)), Some(0));
        assert_eq!(contact.tries(&reset), Some(0), "whatever it is by now");
        assert!(contact.verdict("a.io/y").is_none(), "that took no time");
        contact.answered();
        assert_eq!(contact.tries(&error(111)), None, "it is there, and comes back");
        assert!(!chain(&contact.give_up(error(111), false)).contains("is the address right"));
    }

    #[test]
    fn what_took_long_to_find_out_is_not_found_out_by_each() {
        let late = || StoreError::new("a.io/x", ErrorKind::TimedOut(60));
        let contact = Contact::default();
        assert_eq!(contact.tries(&late()), None, "it may be busy");
        contact.silent(Duration::from_secs(60));
        contact.give_up(late(), true);
        assert!(contact.verdict("a.io/y").is_none(), "it was asked in passing");
        contact.give_up(late(), false);
        assert_eq!(contact.tries(&late()), Some(0));
        let said = chain(&contact.verdict("a.io/y").unwrap());
        assert!(said.contains("a.io/y") && said.contains("no answer within 60 s"), "{said}");
        contact.answered();
        assert!(contact.verdict("a.io/y").is_none());
    }
}
