//! Who we are to a host: challenges, credentials, tokens.
//!
//! The first request to an endpoint goes out bare; its answer tells what the endpoint wants, and
//! every later one brings it along. Tokens are exchanged once per set of scopes, however many
//! requests wait for one, and anew before they end.

mod challenge;
mod credentials;
mod exchange;
mod files;
mod helper;
mod scopes;
mod token;
mod tokens;
mod trial;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use tokio::sync::{OnceCell, OwnedMutexGuard};
use tokio::time::Instant;
use url::Url;

use challenge::Challenge;
pub(super) use credentials::Credentials;
pub(super) use scopes::Scopes;
use token::Token;
use tokens::Tokens;
use trial::Trials;

use super::credential::Credential;
use super::proof::Proof;
use super::wires::Wires;
use crate::store::{ErrorKind, StoreError};

/// What one endpoint wants to see, and what we have to show.
pub(super) struct Authority {
    /// The name that credentials go by.
    account: String,
    /// The endpoint, which basic credentials may go to.
    base: Url,
    wires: Arc<Wires>,
    credentials: Arc<Credentials>,
    challenge: Mutex<Known>,
    first: Arc<tokio::sync::Mutex<()>>,
    /// The first request got no answer: nobody waits for another's any more.
    silent: AtomicBool,
    tokens: Tokens,
    trials: Trials,
    /// Somebody has tried what there is for a host that wants user and password.
    is_tried: AtomicBool,
    /// The host was asked what it wants, though it had answered a bare request.
    introduced: OnceCell<()>,
}

#[derive(Debug, Clone, Default)]
enum Known {
    /// No answer yet.
    #[default]
    Nothing,
    /// The host has answered a bare request.
    Open,
    /// The host wants this.
    Wanted(Challenge),
}

impl Authority {
    pub(super) fn new(
        account: String,
        base: Url,
        wires: Arc<Wires>,
        credentials: Arc<Credentials>,
    ) -> Self {
        Authority {
            account,
            base,
            wires,
            credentials,
            challenge: Mutex::default(),
            first: Arc::default(),
            silent: AtomicBool::default(),
            tokens: Tokens::default(),
            trials: Trials::default(),
            is_tried: AtomicBool::new(false),
            introduced: OnceCell::new(),
        }
    }

    /// Whether the endpoint has said what it wants to see, and what it says to a password.
    fn is_known(&self) -> bool {
        match *self.lock() {
            Known::Nothing => false,
            Known::Wanted(Challenge::Basic) => self.is_tried.load(Ordering::Relaxed),
            Known::Open | Known::Wanted(Challenge::Bearer(_)) => true,
        }
    }

    /// Held by the first request to an endpoint until its answer is there, so that of many that
    /// start together one learns what is wanted, and not each for itself; and one shows a password
    /// that may be wrong. Where it got no answer the others learn for themselves: they would wait for
    /// as long as an answer may take, each in turn.
    pub(super) async fn first_contact(&self) -> Option<OwnedMutexGuard<()>> {
        if self.asks_at_once() {
            return None;
        }
        let guard = self.first.clone().lock_owned().await;
        (!self.asks_at_once()).then_some(guard)
    }

    /// Whether no request waits for what the first one learns. A password is shown by one first,
    /// however silent the host was before it asked for that.
    pub(super) fn asks_at_once(&self) -> bool {
        let nothing = matches!(*self.lock(), Known::Nothing);
        self.is_known() || (nothing && self.silent.load(Ordering::Relaxed))
    }

    /// The first request got no answer.
    pub(super) fn unanswered(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// The endpoint answered something else than 401 to a request that carried `proof`.
    pub(super) fn answered(&self, proof: &Proof) {
        if let Proof::Basic(_) = proof
            && !self.is_tried.swap(true, Ordering::Relaxed)
        {
            self.trials.of_proof(proof).iter().for_each(|trial| trial.passed());
        }
        let mut known = self.lock();
        if matches!(*known, Known::Nothing) {
            *known = Known::Open;
        }
    }

    /// What the first request to an endpoint should carry.
    pub(super) async fn first_proof(&self, scopes: &Scopes) -> Result<Proof, StoreError> {
        match self.known() {
            Known::Wanted(Challenge::Basic) => self.basic(scopes).await,
            _ => Ok(Proof::None),
        }
    }

    /// What a request for `scopes` should carry. A token that came since `asked` is fresh.
    pub(super) async fn proof(&self, scopes: &Scopes, asked: Instant) -> Result<Proof, StoreError> {
        let bearer = |token: Token| {
            let fresh = token.since >= asked;
            Proof::Bearer { token: token.secret, fresh }
        };
        match self.known() {
            Known::Nothing | Known::Open => Ok(Proof::None),
            Known::Wanted(Challenge::Basic) => self.basic(scopes).await,
            Known::Wanted(Challenge::Bearer(wanted)) => {
                if let Some(token) = self.tokens.at_hand(scopes) {
                    return Ok(bearer(token));
                }
                let credential = self.credential(scopes).await?;
                if let Some(Credential::Registry(token)) = credential {
                    return Ok(Proof::Bearer { token, fresh: true });
                }
                let exchange = exchange::Exchange {
                    wires: &self.wires,
                    base: &self.base,
                    account: &self.account,
                    bearer: &wanted,
                    trial: credential.as_ref().and_then(|credential| self.trials.of(credential)),
                    credential,
                };
                // In a box: most requests need no token, or have it at hand.
                Box::pin(self.tokens.get(scopes, &exchange)).await.map(bearer)
            }
        }
    }

    /// Takes in a 401 to a request that carried `proof`. Whether trying again makes sense.
    pub(super) fn challenged(&self, headers: &HeaderMap, scopes: &Scopes, proof: &Proof) -> bool {
        let Some(challenge) = challenge::choose(headers) else { return false };
        let widened = match &challenge {
            Challenge::Bearer(bearer) => self.tokens.widen(scopes, bearer.scope.as_deref()),
            Challenge::Basic => false,
        };
        let same = {
            let mut known = self.lock();
            let same = matches!(&*known, Known::Wanted(old) if old.same_door(&challenge));
            if !same {
                self.is_tried.store(false, Ordering::Relaxed);
            }
            *known = Known::Wanted(challenge);
            same
        };
        match proof {
            Proof::Bearer { token, fresh } => {
                self.tokens.discard(scopes, token);
                !fresh || widened || !same
            }
            Proof::None => true,
            Proof::Basic(_) => {
                if same {
                    self.refused(proof);
                }
                // What a helper said long ago may have ended: some give passwords for half a day.
                self.credentials.expire(&self.account) || !same
            }
        }
    }

    /// One sentence on the credentials used, for the error of a request that was refused.
    pub(super) async fn explain(&self, scopes: &Scopes) -> String {
        match self.credentials.find(&self.account, scopes.repository()).await {
            Ok(Some(found)) => {
                format!("the credentials for {} from {} do not suffice", self.account, found.origin)
            }
            _ => format!("no credentials for {} are known", self.account),
        }
    }

    /// Remembers that the host refused user and password.
    fn refused(&self, proof: &Proof) {
        let text = format!("{} refused the credentials with 401", self.account);
        let trial = self.trials.of_proof(proof);
        let over = trial.is_none_or(|trial| trial.refused(text));
        self.is_tried.store(over, Ordering::Relaxed);
    }

    /// Whether a host that answered a bare request may have more for whom it knows: there are
    /// credentials for `scopes` that it never asked for, as far as that is not settled.
    pub(super) async fn may_have_more(&self, scopes: &Scopes) -> bool {
        if matches!(self.known(), Known::Open) && self.introduced.initialized() {
            return false;
        }
        matches!(self.credential(scopes).await, Ok(Some(_)))
    }

    /// Asks the host what it wants by `ask`, once. Whether it wants something.
    pub(super) async fn introduce(&self, ask: impl Future<Output = ()>) -> bool {
        self.introduced.get_or_init(|| ask).await;
        matches!(self.known(), Known::Wanted(_))
    }

    /// Where an endpoint says what it wants, whatever is asked for.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    async fn basic(&self, scopes: &Scopes) -> Result<Proof, StoreError> {
        let credential = self.credential(scopes).await;
        if !matches!(credential, Ok(Some(Credential::Basic { .. }))) {
            // Nothing that is to be shown by one alone.
            self.is_tried.store(true, Ordering::Relaxed);
        }
        Ok(match credential? {
            Some(Credential::Basic { username, password }) => {
                let proof = Proof::basic(&username, &password);
                if let Some(trial) = self.trials.of_proof(&proof)
                    && let Err(error) = trial.known(&self.account)
                {
                    let why = self.explain(scopes).await;
                    let text = format!("{}: {why}", error.kind());
                    return Err(StoreError::new(&self.account, ErrorKind::Denied(text)));
                }
                proof
            }
            Some(Credential::Registry(token)) => Proof::Bearer { token, fresh: true },
            Some(Credential::Identity(_)) => {
                let text = format!(
                    "{} wants user and password, but only an identity token is known",
                    self.account
                );
                return Err(StoreError::new(&self.account, ErrorKind::Denied(text)));
            }
            None => Proof::None,
        })
    }

    async fn credential(&self, scopes: &Scopes) -> Result<Option<Credential>, StoreError> {
        let found = Box::pin(self.credentials.find(&self.account, scopes.repository())).await?;
        Ok(found.map(|found| found.credential))
    }

    fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
