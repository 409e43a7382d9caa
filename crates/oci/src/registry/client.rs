//! The client: settings made ready, and what is shared by every repository.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::auth::{Authority, Credentials};
use super::endpoint::{Address, addresses, authority, canonical};
use super::facts::HostFacts;
use super::hints::Hints;
use super::host::{Host, Registry};
use super::kind::{Counts, Kind};
use super::pace::Pace;
use super::ranges;
use super::settings::Settings;
use super::store::RegistryStore;
use super::wire::Common;
use super::wires::Wires;
use crate::observe::Observer;
use crate::store::StoreError;
use crate::types::Name;

/// Access to registries. Cheap to clone; clones share connections, tokens, limits and everything
/// learned of hosts. Proxies are taken from the environment.
#[derive(Clone)]
pub struct Client {
    wires: Arc<Wires>,
    credentials: Arc<Credentials>,
    registries: Arc<Mutex<HashMap<String, Arc<Registry>>>>,
}

impl Client {
    /// Makes a client. Everything that settings can get wrong is reported here: unreadable
    /// certificates and credentials, endpoints that are no URLs.
    pub fn new(settings: Settings, observer: Arc<dyn Observer>) -> Result<Self, StoreError> {
        let mut tls = BTreeMap::new();
        for (registry, host) in &settings.hosts {
            for address in addresses(canonical(registry), host)? {
                tls.insert(authority(&address.base), address.tls);
            }
        }
        let credentials = Arc::new(Credentials::new(settings.credentials.clone())?);
        let counts = Counts::default();
        let plain = OnceLock::new();
        let pace = Pace::new(settings.rate, settings.hours.clone(), observer.clone());
        let ahead = ranges::budget();
        let common = Common { settings, observer, counts, plain, ahead, pace };
        let wires = Arc::new(Wires::new(common, tls)?);
        Ok(Client { wires, credentials, registries: Arc::default() })
    }

    /// One repository. Nothing is sent.
    pub fn repository(&self, name: Name) -> Arc<RegistryStore> {
        let registry = self.registry(name.registry());
        Arc::new(RegistryStore::new(name, registry))
    }

    /// Requests sent so far, by host and kind, tries that failed included.
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<Kind, u64>> {
        self.wires.common.counts.read()
    }

    pub(super) fn registry(&self, written: &str) -> Result<Arc<Registry>, String> {
        let name = canonical(written);
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = registries.get(name) {
            return Ok(known.clone());
        }
        let settings = &self.wires.common.settings.hosts;
        let found = settings.iter().find(|(key, _)| canonical(key) == name);
        let settings = found.map(|(_, settings)| settings.clone()).unwrap_or_default();
        let hosts = addresses(name, &settings).and_then(|found| {
            found.into_iter().map(|address| self.host(address)).collect::<Result<Vec<_>, _>>()
        });
        let directory = self.wires.common.settings.blob_hints.as_deref();
        let hints = directory.map(|directory| Arc::new(Hints::of(directory, name)));
        let hosts = hosts.map_err(|error| crate::store::chain(&error))?;
        let registry = Arc::new(Registry::new(hosts, settings, hints));
        registries.insert(name.to_owned(), registry.clone());
        Ok(registry)
    }

    fn host(&self, address: Address) -> Result<Arc<Host>, StoreError> {
        let wire = self.wires.wire_with(&address.base, &address.tls)?;
        let (wires, credentials) = (self.wires.clone(), self.credentials.clone());
        let base = address.base.clone();
        Ok(Arc::new(Host {
            wire,
            wires: wires.clone(),
            authority: Authority::new(address.account, base, wires, credentials),
            facts: HostFacts::new(address.referrers),
            headers: address.headers,
            base: address.base,
            shown: address.shown,
        }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
