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

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tokio::sync::OwnedMutexGuard;
use url::Url;

use challenge::Challenge;
pub(super) use credentials::Credentials;
pub(super) use scopes::Scopes;
use tokens::Tokens;

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
        }
    }

    /// Whether the endpoint has said what it wants to see.
    fn is_known(&self) -> bool {
        !matches!(self.known(), Known::Nothing)
    }

    /// Held by the first request to an endpoint until its answer is there, so that of many that
    /// start together one learns what is wanted, and not each for itself. Where it got no answer the
    /// others learn for themselves: they would wait for as long as an answer may take, each in turn.
    pub(super) async fn first_contact(&self) -> Option<OwnedMutexGuard<()>> {
        if self.asks_at_once() {
            return None;
        }
        let guard = self.first.clone().lock_owned().await;
        (!self.asks_at_once()).then_some(guard)
    }

    /// Whether no request waits for what the first one learns.
    pub(super) fn asks_at_once(&self) -> bool {
        self.silent.load(Ordering::Relaxed) || self.is_known()
    }

    /// The first request got no answer.
    pub(super) fn unanswered(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// The endpoint answered something else than 401.
    pub(super) fn answered(&self) {
        let mut known = self.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Known::Nothing) {
            *known = Known::Open;
        }
    }

    /// What a request for `scopes` should carry.
    pub(super) async fn proof(&self, scopes: &Scopes) -> Result<Proof, StoreError> {
        match self.known() {
            Known::Nothing | Known::Open => Ok(Proof::None),
            Known::Wanted(Challenge::Basic) => self.basic(scopes).await,
            Known::Wanted(Challenge::Bearer(bearer)) => {
                let credential = self.credential(scopes).await?;
                if let Some(Credential::Registry(token)) = credential {
                    return Ok(Proof::Bearer { token, fresh: true });
                }
                let exchange = exchange::Exchange {
                    wires: &self.wires,
                    base: &self.base,
                    account: &self.account,
                    bearer: &bearer,
                    credential,
                };
                // In a box: most requests need no token, or have it at hand.
                let (token, fresh) = Box::pin(self.tokens.get(scopes, &exchange)).await?;
                Ok(Proof::Bearer { token, fresh })
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
        let mut known = self.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        let same = matches!(&*known, Known::Wanted(old) if old.same_door(&challenge));
        *known = Known::Wanted(challenge);
        drop(known);
        match proof {
            Proof::Bearer { token, fresh } => {
                self.tokens.discard(scopes, token);
                !fresh || widened || !same
            }
            Proof::None => true,
            // What a helper said long ago may have ended: some give passwords for half a day.
            Proof::Basic(_) => self.credentials.expire(&self.account) || !same,
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

    async fn basic(&self, scopes: &Scopes) -> Result<Proof, StoreError> {
        Ok(match self.credential(scopes).await? {
            Some(Credential::Basic { username, password }) => Proof::basic(&username, &password),
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
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
