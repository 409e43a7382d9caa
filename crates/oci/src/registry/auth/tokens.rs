//! Tokens at hand: one exchange per set of scopes however many wait, anew before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::exchange::Exchange;
use super::scopes::Scopes;
use super::token::Token;
use crate::registry::secret::Secret;
use crate::store::{ErrorKind, StoreError, chain};

/// Beyond this many repositories, those whose tokens have ended are forgotten.
const MANY: usize = 512;

/// The tokens of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    repositories: Mutex<HashMap<String, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    scopes: Scopes,
    slot: Arc<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// What a challenge asked for beyond the scopes.
    extra: Mutex<String>,
    token: Mutex<Option<Token>>,
    failure: Mutex<Option<Failure>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Failure {
    at: Instant,
    denied: bool,
    text: String,
}

impl Tokens {
    /// A token for `scopes`.
    pub(super) async fn get(
        &self,
        scopes: &Scopes,
        exchange: &Exchange<'_>,
    ) -> Result<Token, StoreError> {
        let asked = Instant::now();
        let slot = self.slot(scopes);
        let _turn = slot.turn.lock().await;
        if let Some(token) = slot.good() {
            return Ok(token);
        }
        if let Some(failure) = slot.failed_since(asked) {
            return Err(failure.error(exchange.account));
        }
        let extra = lock(&slot.extra).clone();
        let alone = match &exchange.trial {
            Some(trial) => trial.alone(exchange.account).await?,
            None => None,
        };
        let outcome = exchange.run(scopes, &extra).await;
        drop(alone);
        match outcome {
            Ok(token) => {
                *lock(&slot.token) = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                let (at, text) = (Instant::now(), chain(&error));
                *lock(&slot.failure) = Some(Failure { at, denied: error.is_denied(), text });
                Err(error)
            }
        }
    }

    /// Forgets `token`, which was refused.
    pub(super) fn discard(&self, scopes: &Scopes, token: &Secret) {
        let repositories = lock(&self.repositories);
        for entry in repositories.get(scopes.repository()).into_iter().flatten() {
            let mut known = lock(&entry.slot.token);
            if known.as_ref().is_some_and(|known| known.secret == *token) {
                *known = None;
            }
        }
    }

    /// Notes what a challenge asked for. Whether that is more than was known.
    pub(super) fn widen(&self, scopes: &Scopes, challenge: Option<&str>) -> bool {
        let Some(extra) = challenge else { return false };
        let slot = self.slot(scopes);
        let mut known = lock(&slot.extra);
        let news = scopes.strings(extra) != scopes.strings(&known);
        if news {
            extra.clone_into(&mut known);
            *lock(&slot.token) = None;
        }
        news
    }

    /// A token that does for `scopes` and was had before.
    pub(super) fn at_hand(&self, scopes: &Scopes) -> Option<Token> {
        let repositories = lock(&self.repositories);
        let entries = repositories.get(scopes.repository())?;
        let mut covering = entries.iter().filter(|entry| entry.scopes.cover(scopes));
        covering.find_map(|entry| entry.slot.good())
    }

    fn slot(&self, scopes: &Scopes) -> Arc<Slot> {
        let mut repositories = lock(&self.repositories);
        if repositories.len() > MANY {
            // Slots in use are held by their users as well.
            let alive =
                |entry: &Entry| entry.slot.good().is_some() || Arc::strong_count(&entry.slot) > 1;
            repositories.retain(|_, entries| {
                entries.retain(alive);
                !entries.is_empty()
            });
        }
        let entries = repositories.entry(scopes.repository().to_owned()).or_default();
        if let Some(entry) = entries.iter().find(|entry| entry.scopes == *scopes) {
            return entry.slot.clone();
        }
        let slot = Arc::<Slot>::default();
        entries.push(Entry { scopes: scopes.clone(), slot: slot.clone() });
        slot
    }
}

impl Slot {
    fn good(&self) -> Option<Token> {
        lock(&self.token).as_ref().filter(|token| token.good()).cloned()
    }

    fn failed_since(&self, asked: Instant) -> Option<Failure> {
        lock(&self.failure).clone().filter(|failure| failure.at >= asked)
    }
}

impl Failure {
    /// The error that another waiter met, for this one.
    fn error(&self, place: &str) -> StoreError {
        let kind = if self.denied {
            ErrorKind::Denied(self.text.clone())
        } else {
            ErrorKind::Network(self.text.clone().into())
        };
        StoreError::new(place, kind)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
