//! Which credentials belong to a host or repository, from every source the operator named.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::files::{AuthFile, Helper};
use super::helper;
use crate::registry::credential::Credential;
use crate::registry::endpoint::canonical;
use crate::registry::settings::CredentialSources;
use crate::store::{ErrorKind, StoreError};

/// A credential and where it was found.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Found {
    pub(in crate::registry) credential: Credential,
    /// For messages: a file, a helper.
    pub(in crate::registry) origin: String,
}

type Asked = Arc<OnceCell<(Instant, Option<Credential>)>>;

/// What a helper said so long ago may be out of date when it is refused.
const STALE: Duration = Duration::from_secs(60);

/// All sources of credentials.
#[derive(Debug)]
pub(in crate::registry) struct Credentials {
    sources: CredentialSources,
    files: Vec<AuthFile>,
    /// Answers of helpers, by helper and server.
    helpers: Mutex<HashMap<(String, String), Asked>>,
}

impl Credentials {
    /// Reads the files. A file that is not JSON is an error, a missing one is not.
    pub(in crate::registry) fn new(sources: CredentialSources) -> Result<Self, StoreError> {
        let mut files = Vec::new();
        for path in &sources.auth_files {
            files.extend(AuthFile::read(path)?);
        }
        Ok(Credentials { sources, files, helpers: Mutex::default() })
    }

    /// The credentials for `repository` of `registry`: fixed ones, then the first file with an
    /// entry; in a file the longest key that matches, a helper named for the registry before all.
    pub(in crate::registry) async fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>, StoreError> {
        let registry = canonical(registry);
        let fixed = self.sources.fixed.iter().find(|(key, _)| canonical(key) == registry);
        if let Some((_, credential)) = fixed {
            let origin = self.sources.fixed_origin.clone();
            return Ok(Some(Found { credential: credential.clone(), origin }));
        }
        for file in &self.files {
            if let Some(found) = self.find_in(file, registry, repository).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn find_in(
        &self,
        file: &AuthFile,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>, StoreError> {
        let mut trouble = None;
        if let Some(helper) = file.helper(registry) {
            let origin = format!("{} (named in {})", helper::program(helper.name()), file.path());
            match self.ask(helper.name(), registry).await {
                Ok(Some(credential)) => return Ok(Some(Found { credential, origin })),
                Ok(None) => {}
                Err(error) if matches!(helper, Helper::Own(_)) => return Err(error),
                // A store for everything may be missing on this machine: entries of the file, or
                // no credentials at all, may well do.
                Err(error) => trouble = Some(error),
            }
        }
        if let Some(credential) = file.entry(registry, repository) {
            return Ok(Some(Found { credential, origin: file.path().to_owned() }));
        }
        if let Some(error) = trouble {
            tracing::warn!(registry, error = %crate::store::chain(&error), "credential store passed over");
        }
        Ok(None)
    }

    async fn ask(&self, name: &str, registry: &str) -> Result<Option<Credential>, StoreError> {
        let key = (name.to_owned(), registry.to_owned());
        let asked = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            helpers.entry(key).or_default().clone()
        };
        let ask = || async {
            let answer = helper::get(name, registry, self.sources.helper_timeout).await?;
            Ok((Instant::now(), answer))
        };
        let answer = asked.get_or_try_init(ask).await;
        let answer = answer.map(|(_, credential)| credential.clone());
        answer.map_err(|text: String| StoreError::new(registry, ErrorKind::Configuration(text)))
    }

    /// Forgets what helpers said of `registry` some time ago. Whether there was any such answer.
    pub(super) fn expire(&self, registry: &str) -> bool {
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = helpers.len();
        helpers.retain(|(_, known), asked| {
            let old = asked.get().is_some_and(|(at, _)| at.elapsed() > STALE);
            known != canonical(registry) || !old
        });
        helpers.len() < before
    }
}
