//! Whether credentials are any good. Until they were, each use goes alone, and what was refused a few
//! times is not shown again: hosts lock an account for which a wrong password comes more often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::registry::credential::Credential;
use crate::registry::proof::Proof;
use crate::registry::secret::Secret;
use crate::store::{ErrorKind, StoreError};

/// How long a refusal is remembered: longer than most runs, and what serves for months gets along
/// without a restart once somebody has mended the account.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// So often a credential is shown that is refused: a host may refuse it for one repository alone, and
/// that is no reason to lose what lies in others.
const SHOWN: u32 = 3;

/// The credentials that one endpoint was shown, by what of them goes over the line.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<HashMap<Secret, Arc<Trial>>>);

/// What is known of one credential.
#[derive(Debug, Default)]
pub(super) struct Trial {
    verdict: Mutex<Verdict>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Default)]
enum Verdict {
    /// It was not shown yet, or nobody answered.
    #[default]
    None,
    /// It was good for something, so that a refusal is of what was asked for.
    Passed,
    /// It was refused so often in a row.
    Refused { times: u32, at: Instant, text: String },
}

impl Trials {
    /// What is known of a credential.
    pub(super) fn of(&self, credential: &Credential) -> Option<Arc<Trial>> {
        match credential {
            Credential::Basic { username, password } => {
                self.of_proof(&Proof::basic(username, password))
            }
            Credential::Identity(token) => Some(self.by(token)),
            Credential::Registry(_) => None,
        }
    }

    /// What is known of user and password as a request carries them.
    pub(super) fn of_proof(&self, proof: &Proof) -> Option<Arc<Trial>> {
        match proof {
            Proof::Basic(encoded) => Some(self.by(encoded)),
            Proof::None | Proof::Bearer { .. } => None,
        }
    }

    fn by(&self, secret: &Secret) -> Arc<Trial> {
        lock(&self.0).entry(secret.clone()).or_default().clone()
    }
}

impl Trial {
    /// Waits while somebody shows the credential that was good for nothing yet; `Some`: that is to be
    /// done now, until it is dropped. An error: it was refused too often.
    pub(super) async fn alone(
        &self,
        account: &str,
    ) -> Result<Option<tokio::sync::MutexGuard<'_, ()>>, StoreError> {
        if self.known(account)? {
            return Ok(None);
        }
        let turn = self.turn.lock().await;
        Ok((!self.known(account)?).then_some(turn))
    }

    /// Whether the credential has passed. An error: it was refused too often.
    pub(super) fn known(&self, account: &str) -> Result<bool, StoreError> {
        match &*lock(&self.verdict) {
            Verdict::Passed => Ok(true),
            Verdict::Refused { times, at, text } if is_over(*times, *at) => {
                let text = format!("{text}; they are not shown again, lest the account be locked");
                Err(StoreError::new(account, ErrorKind::Denied(text)))
            }
            Verdict::None | Verdict::Refused { .. } => Ok(false),
        }
    }

    /// The credential was good for something.
    pub(super) fn passed(&self) {
        *lock(&self.verdict) = Verdict::Passed;
    }

    /// The credential was refused, in words without a secret. One that passed before stays good.
    /// Whether it is shown no more.
    pub(super) fn refused(&self, text: String) -> bool {
        let mut verdict = lock(&self.verdict);
        let before = match &*verdict {
            Verdict::Passed => return false,
            Verdict::Refused { times, at, .. } if at.elapsed() < REMEMBERED => *times,
            Verdict::Refused { .. } | Verdict::None => 0,
        };
        let times = before + 1;
        *verdict = Verdict::Refused { times, at: Instant::now(), text };
        times >= SHOWN
    }
}

fn is_over(times: u32, at: Instant) -> bool {
    times >= SHOWN && at.elapsed() < REMEMBERED
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
