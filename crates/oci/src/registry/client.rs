//! The client: settings made ready, and what is shared by every repository.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use url::Url;

use super::auth::{Authority, Credentials};
use super::endpoint::{Address, addresses, authority, canonical};
use super::facts::{HostFacts, RepoFacts};
use super::hints::Hints;
use super::http::{Common, Wire};
use super::kind::{Counts, Kind};
use super::limits::Limits;
use super::pace::Pace;
use super::ranges;
use super::settings::{HostSettings, Settings, Tls};
use super::store::{Host, RegistryStore};
use super::transport::Transport;
use crate::observe::Observer;
use crate::store::StoreError;
use crate::types::Name;

/// Access to registries. Cheap to clone; clones share connections, tokens, limits and everything
/// learned of hosts. Proxies are taken from the environment.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    registries: Arc<Mutex<HashMap<String, Arc<Registry>>>>,
}

/// One registry: its endpoints in order, at least one, or why there are none.
pub(super) struct Registry {
    pub(super) hosts: Vec<Arc<Host>>,
    pub(super) settings: HostSettings,
    repositories: Mutex<HashMap<String, Arc<RepoFacts>>>,
    hints: Option<Arc<Hints>>,
}

/// What all hosts share.
pub(super) struct Shared {
    pub(super) common: Arc<Common>,
    pub(super) credentials: Credentials,
    wires: Mutex<HashMap<String, Arc<Wire>>>,
    /// TLS settings of every endpoint, by authority.
    tls: BTreeMap<String, Tls>,
    transports: Mutex<HashMap<Tls, Transport>>,
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
        let credentials = Credentials::new(settings.credentials.clone())?;
        let counts = Counts::default();
        let plain = OnceLock::new();
        let pace = Pace::new(settings.rate, settings.hours.clone(), observer.clone());
        let ahead = ranges::budget();
        let common = Common { settings, observer, counts, plain, ahead, pace };
        let shared = Shared {
            common: Arc::new(common),
            credentials,
            wires: Mutex::default(),
            tls,
            transports: Mutex::default(),
        };
        for tls in shared.tls.values() {
            shared.transport(tls)?;
        }
        shared.common.plain.get_or_init(|| shared.transport(&Tls::default()).ok());
        Ok(Client { shared: Arc::new(shared), registries: Arc::default() })
    }

    /// One repository. Nothing is sent.
    pub fn repository(&self, name: Name) -> Arc<RegistryStore> {
        let registry = self.registry(name.registry());
        Arc::new(RegistryStore::new(name, registry))
    }

    /// Requests sent so far, by host and kind, tries that failed included.
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<Kind, u64>> {
        self.shared.common.counts.read()
    }

    pub(super) fn registry(&self, written: &str) -> Result<Arc<Registry>, String> {
        let name = canonical(written);
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = registries.get(name) {
            return Ok(known.clone());
        }
        let settings = &self.shared.common.settings.hosts;
        let found = settings.iter().find(|(key, _)| canonical(key) == name);
        let settings = found.map(|(_, settings)| settings.clone()).unwrap_or_default();
        let hosts = addresses(name, &settings).and_then(|found| {
            found.into_iter().map(|address| self.host(address)).collect::<Result<Vec<_>, _>>()
        });
        let directory = self.shared.common.settings.blob_hints.as_deref();
        let registry = Arc::new(Registry {
            hints: directory.map(|directory| Arc::new(Hints::of(directory, name))),
            hosts: hosts.map_err(|error| crate::store::chain(&error))?,
            settings,
            repositories: Mutex::default(),
        });
        registries.insert(name.to_owned(), registry.clone());
        Ok(registry)
    }

    fn host(&self, address: Address) -> Result<Arc<Host>, StoreError> {
        let wire = self.shared.wire_with(&address.base, &address.tls)?;
        Ok(Arc::new(Host {
            wire,
            shared: self.shared.clone(),
            authority: Authority::new(address.account, address.base.clone()),
            facts: HostFacts::new(address.referrers),
            headers: address.headers,
            base: address.base,
        }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Registry {
    /// What is known of a repository, by all who use it.
    pub(super) fn repository(&self, repository: &str) -> Arc<RepoFacts> {
        let mut known = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(RepoFacts::new(repository, self.hints.clone()));
        known.entry(repository.to_owned()).or_insert_with(new).clone()
    }
}

impl Shared {
    /// The way to another host that `base` sent us to: with its TLS settings where it is the same
    /// machine, else with that host's own.
    pub(super) fn wire(&self, url: &Url, base: &Url) -> Result<Arc<Wire>, StoreError> {
        let same = url.host() == base.host();
        let key = authority(if same { base } else { url });
        let tls = self.tls.get(&key).cloned().unwrap_or_default();
        self.wire_with(url, &tls)
    }

    fn wire_with(&self, url: &Url, tls: &Tls) -> Result<Arc<Wire>, StoreError> {
        let authority = authority(url);
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wire) = wires.get(&authority) {
            return Ok(wire.clone());
        }
        let settings = &self.common.settings;
        let wire = Arc::new(Wire {
            common: self.common.clone(),
            authority: authority.clone(),
            limits: Limits::new(
                settings.max_connections_per_host,
                settings.most_far(),
                settings.requests_per_second,
            ),
            transport: self.transport(tls)?,
            has_identity: tls.cert.is_some(),
        });
        wires.insert(authority, wire.clone());
        Ok(wire)
    }

    fn transport(&self, tls: &Tls) -> Result<Transport, StoreError> {
        let mut transports = self.transports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = transports.get(tls) {
            return Ok(transport.clone());
        }
        let transport = Transport::new(&self.common.settings, tls)?;
        transports.insert(tls.clone(), transport.clone());
        Ok(transport)
    }
}
