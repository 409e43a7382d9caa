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
mod tokens;

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use tokio::sync::OwnedMutexGuard;
use url::Url;

pub use credentials::Credential;

use challenge::Challenge;
pub(super) use credentials::Credentials;
pub(super) use scopes::Scopes;
use tokens::Tokens;

use super::client::Shared;
use super::secret::Secret;
use crate::store::{ErrorKind, StoreError};

/// What one endpoint wants to see, and what we have to show.
#[derive(Debug)]
pub(super) struct Authority {
    /// The name that credentials go by.
    account: String,
    /// The endpoint, which basic credentials may go to.
    base: Url,
    challenge: Mutex<Known>,
    first: std::sync::Arc<tokio::sync::Mutex<()>>,
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

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    None,
    /// User and password, encoded.
    Basic(Secret),
    /// A token. `fresh`: exchanged for this very request.
    Bearer {
        /// The token.
        token: Secret,
        /// Whether it cannot be a stale one.
        fresh: bool,
    },
}

impl Authority {
    pub(super) fn new(account: String, base: Url) -> Self {
        Authority {
            account,
            base,
            challenge: Mutex::default(),
            first: std::sync::Arc::default(),
            tokens: Tokens::default(),
        }
    }

    /// Held by the first request to an endpoint until its answer is there, so that of many that
    /// start together one learns what is wanted, and not each for itself.
    pub(super) async fn first_contact(&self) -> Option<OwnedMutexGuard<()>> {
        if !matches!(self.known(), Known::Nothing) {
            return None;
        }
        let guard = self.first.clone().lock_owned().await;
        matches!(self.known(), Known::Nothing).then_some(guard)
    }

    /// The endpoint answered something else than 401.
    pub(super) fn answered(&self) {
        let mut known = self.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Known::Nothing) {
            *known = Known::Open;
        }
    }

    /// What a request for `scopes` should carry.
    pub(super) async fn proof(
        &self,
        shared: &Shared,
        scopes: &Scopes,
    ) -> Result<Proof, StoreError> {
        match self.known() {
            Known::Nothing | Known::Open => Ok(Proof::None),
            Known::Wanted(Challenge::Basic) => self.basic(shared, scopes).await,
            Known::Wanted(Challenge::Bearer(bearer)) => {
                let credential = self.credential(shared, scopes).await?;
                if let Some(Credential::Registry(token)) = credential {
                    return Ok(Proof::Bearer { token, fresh: true });
                }
                let exchange = exchange::Exchange {
                    shared,
                    base: &self.base,
                    account: &self.account,
                    bearer: &bearer,
                    credential,
                };
                let (token, fresh) = self.tokens.get(scopes, &exchange).await?;
                Ok(Proof::Bearer { token, fresh })
            }
        }
    }

    /// Takes in a 401 to a request that carried `proof`. Whether trying again makes sense.
    pub(super) fn challenged(
        &self,
        shared: &Shared,
        headers: &HeaderMap,
        scopes: &Scopes,
        proof: &Proof,
    ) -> bool {
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
            Proof::Basic(_) => shared.credentials.expire(&self.account) || !same,
        }
    }

    /// One sentence on the credentials used, for the error of a request that was refused.
    pub(super) async fn explain(&self, shared: &Shared, scopes: &Scopes) -> String {
        match shared.credentials.find(&self.account, scopes.repository()).await {
            Ok(Some(found)) => {
                format!("the credentials for {} from {} do not suffice", self.account, found.origin)
            }
            _ => format!("no credentials for {} are known", self.account),
        }
    }

    async fn basic(&self, shared: &Shared, scopes: &Scopes) -> Result<Proof, StoreError> {
        Ok(match self.credential(shared, scopes).await? {
            Some(Credential::Basic { username, password }) => {
                Proof::Basic(encode(&username, &password))
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

    async fn credential(
        &self,
        shared: &Shared,
        scopes: &Scopes,
    ) -> Result<Option<Credential>, StoreError> {
        let found = shared.credentials.find(&self.account, scopes.repository()).await?;
        Ok(found.map(|found| found.credential))
    }

    fn known(&self) -> Known {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// User and password as basic authentication wants them.
fn encode(username: &str, password: &Secret) -> Secret {
    Secret::new(STANDARD.encode(format!("{username}:{}", password.expose())))
}

impl Proof {
    /// The `Authorization` header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Proof::None => return None,
            Proof::Basic(encoded) => format!("Basic {}", encoded.expose()),
            Proof::Bearer { token, .. } => format!("Bearer {}", token.expose()),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
