//! Registries and their endpoints, with everything learned of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use url::Url;

use super::auth::Authority;
use super::facts::{HostFacts, RepoFacts};
use super::hints::Hints;
use super::settings::HostSettings;
use super::wire::Wire;
use super::wires::Wires;

/// One endpoint at work.
pub(super) struct Host {
    pub(super) wire: Arc<Wire>,
    pub(super) wires: Arc<Wires>,
    pub(super) authority: Authority,
    pub(super) facts: HostFacts,
    pub(super) headers: HeaderMap,
    pub(super) base: Url,
    /// The URL, for messages, when the registry's name does not say it.
    pub(super) shown: Option<Arc<str>>,
}

/// One registry: its endpoints in order, at least one.
pub(super) struct Registry {
    pub(super) hosts: Vec<Arc<Host>>,
    pub(super) settings: HostSettings,
    repositories: Mutex<HashMap<String, Arc<RepoFacts>>>,
    hints: Option<Arc<Hints>>,
}

impl Registry {
    /// A registry of which nothing is known yet but what earlier runs left.
    pub(super) fn new(
        hosts: Vec<Arc<Host>>,
        settings: HostSettings,
        hints: Option<Arc<Hints>>,
    ) -> Self {
        Registry { hosts, settings, repositories: Mutex::default(), hints }
    }

    /// What is known of a repository, by all who use it.
    pub(super) fn repository(&self, repository: &str) -> Arc<RepoFacts> {
        let mut known = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(RepoFacts::new(repository, self.hints.clone()));
        known.entry(repository.to_owned()).or_insert_with(new).clone()
    }
}
