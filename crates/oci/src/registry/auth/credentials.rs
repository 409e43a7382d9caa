//! Which credentials belong to a host or repository, from every source the operator named.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
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

type Asked = Arc<OnceCell<Arc<Said>>>;

/// What a helper said, or why it said nothing.
#[derive(Debug)]
struct Said {
    at: Instant,
    answer: Result<Option<Credential>, String>,
    /// The operator was told of the failure.
    is_told: AtomicBool,
}

/// What a helper said so long ago may be out of date when it is refused.
const STALE: Duration = Duration::from_secs(60);
/// So long after a helper failed it is not asked again: one that hangs would hold up every image.
const FAILED: Duration = Duration::from_secs(5 * 60);

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
            let said = self.ask(helper.name(), registry).await;
            match (&said.answer, helper) {
                (Ok(Some(credential)), _) => {
                    return Ok(Some(Found { credential: credential.clone(), origin }));
                }
                (Ok(None), _) => {}
                (Err(text), Helper::Own(_)) => {
                    let kind = ErrorKind::Configuration(text.clone());
                    return Err(StoreError::new(registry, kind));
                }
                // A store for everything may be missing on this machine: entries of the file, or
                // no credentials at all, may well do.
                (Err(_), Helper::Store(_)) => trouble = Some(said),
            }
        }
        if let Some(credential) = file.entry(registry, repository) {
            return Ok(Some(Found { credential, origin: file.path().to_owned() }));
        }
        if let Some(Said { answer: Err(error), is_told, .. }) = trouble.as_deref()
            && !is_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(registry, %error, "credential store passed over");
        }
        Ok(None)
    }

    async fn ask(&self, name: &str, registry: &str) -> Arc<Said> {
        let key = (name.to_owned(), registry.to_owned());
        let asked = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            let known = helpers.entry(key).or_default();
            let failed = |said: &Arc<Said>| said.answer.is_err() && said.at.elapsed() > FAILED;
            if known.get().is_some_and(failed) {
                *known = Asked::default();
            }
            known.clone()
        };
        let ask = || async {
            let answer = helper::get(name, registry, self.sources.helper_timeout).await;
            Arc::new(Said { at: Instant::now(), answer, is_told: AtomicBool::new(false) })
        };
        asked.get_or_init(ask).await.clone()
    }

    /// Forgets what helpers said of `registry` some time ago. Whether there was any such answer.
    pub(super) fn expire(&self, registry: &str) -> bool {
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = helpers.len();
        helpers.retain(|(_, known), asked| {
            let old = |said: &Arc<Said>| said.answer.is_ok() && said.at.elapsed() > STALE;
            known != canonical(registry) || !asked.get().is_some_and(old)
        });
        helpers.len() < before
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Credentials of a file with this text.
    fn from(directory: &Path, text: &str) -> Credentials {
        let file = directory.join("auth.json");
        std::fs::write(&file, text).unwrap();
        let sources = CredentialSources {
            auth_files: vec![file],
            helper_timeout: Duration::from_secs(1),
            ..CredentialSources::default()
        };
        Credentials::new(sources).unwrap()
    }

    #[tokio::test]
    async fn a_helper_that_fails_is_asked_once() {
        let directory = tempfile::tempdir().unwrap();
        let text = r#"{"credHelpers":{"r":"no-such-program"},"credsStore":"no-such-program"}"#;
        let credentials = from(directory.path(), text);
        let failed = |registry: &str| {
            let key = ("no-such-program".to_owned(), registry.to_owned());
            let said = credentials.helpers.lock().unwrap()[&key].get().cloned().unwrap();
            assert!(said.answer.is_err());
            (said.at, said.is_told.load(Ordering::Relaxed))
        };
        let first = credentials.find("r", "a").await.unwrap_err().to_string();
        let known = failed("r");
        for repository in ["a", "b", "c"] {
            let error = credentials.find("r", repository).await.unwrap_err().to_string();
            assert_eq!(error, first);
        }
        assert_eq!(failed("r"), known, "it was not asked again");
        // A store for all registries is passed over, and that is told once.
        for repository in ["a", "b", "c"] {
            assert!(credentials.find("other", repository).await.unwrap().is_none());
            assert!(failed("other").1);
        }
        assert!(!credentials.expire("other"), "there is nothing that could have ended");
    }
}
