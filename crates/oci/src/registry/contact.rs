//! Whether anybody has answered at a host yet. A host that never did and of which the system says
//! that nobody is there is most often a name that was mistyped: it gets less patience, and once a
//! request has given up on it, the next ones are not tried again until it answers.

use std::sync::atomic::{AtomicBool, Ordering};

use super::brief::{Absence, absence};
use crate::store::{ErrorKind, StoreError};

/// Further tries at a host that never answered: with the usual waits some six seconds, in which a
/// registry that was started just before comes up.
const FURTHER: u32 = 5;

/// What is known of a host by whether it answered.
#[derive(Debug, Default)]
pub(super) struct Contact {
    answered: AtomicBool,
    given_up: AtomicBool,
}

/// Why a request to a host that never answered was given up.
#[derive(Debug, thiserror::Error)]
#[error("{}", match .absence {
    Absence::Refused => "nothing listens there and nothing did before in this run; is the address right, port included, and does the registry run?",
    Absence::Unknown => "there is no such name; is it spelled right, and does this machine ask the right name server?",
})]
struct NeverAnswered {
    absence: Absence,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Contact {
    /// Somebody answered.
    pub(super) fn answered(&self) {
        // Read far more often than it changes.
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody did.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Further tries that a request is worth after `error`; `None`: as many as are set.
    pub(super) fn tries(&self, error: &StoreError) -> Option<u32> {
        if self.answered.load(Ordering::Relaxed) || absence(error).is_none() {
            return None;
        }
        Some(if self.given_up.load(Ordering::Relaxed) { 0 } else { FURTHER })
    }

    /// The error of a request that is given up, with what it may come from. One that was not `hasty`
    /// has shown what patience is worth there.
    pub(super) fn give_up(&self, error: StoreError, hasty: bool) -> StoreError {
        if self.tries(&error).is_none() {
            return error;
        }
        if !hasty {
            self.given_up.store(true, Ordering::Relaxed);
        }
        let place = error.place().to_owned();
        match (absence(&error), error.into_kind()) {
            (Some(absence), ErrorKind::Network(source)) => {
                let cause = NeverAnswered { absence, source };
                StoreError::new(place, ErrorKind::Network(Box::new(cause)))
            }
            (_, kind) => StoreError::new(place, kind),
        }
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
        contact.answered();
        assert_eq!(contact.tries(&error(111)), None, "it is there, and comes back");
        assert!(!chain(&contact.give_up(error(111), false)).contains("is the address right"));
    }
}
