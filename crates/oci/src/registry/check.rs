//! Whether a registry lets us in (distribution-spec, "Determining Support").

use http::Method;

use super::auth::Scopes;
use super::call::Read;
use super::client::Client;
use super::kind::Kind;
use super::repo::Repo;
use crate::store::{ErrorKind, StoreError};

/// More than any registry says there, in bytes.
const ANSWER: usize = 64 << 10;

impl Client {
    /// Whether the first endpoint of `registry` lets us in with the credentials at hand. A registry
    /// that asks for none lets everybody in.
    pub async fn check(&self, registry: &str) -> Result<(), StoreError> {
        let wrong = |text| StoreError::new(registry, ErrorKind::Configuration(text));
        let found = self.registry(registry).map_err(wrong)?;
        let repo = Repo {
            host: found.hosts[0].clone(),
            path: String::new(),
            place: registry.to_owned(),
            facts: found.repository(""),
            hasty: false,
        };
        let mut call = repo.call(Kind::Base, Method::GET, "", Read::Whole(ANSWER));
        call.url = repo.host.base.clone();
        let answer = repo.send(&call, &Scopes::none()).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.error()) }
    }
}
