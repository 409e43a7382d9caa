//! The ways to all hosts: one for each, made when it is first needed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::contact::Contact;
use super::direct::Direct;
use super::endpoint::authority;
use super::limits::Limits;
use super::settings::Tls;
use super::transport::Transport;
use super::wire::{Common, Wire};
use crate::store::StoreError;

/// The ways, and what they share.
pub(super) struct Wires {
    pub(super) common: Arc<Common>,
    by_authority: Mutex<HashMap<String, Arc<Wire>>>,
    /// TLS settings of every endpoint, by authority.
    tls: BTreeMap<String, Tls>,
    transports: Mutex<HashMap<Tls, Transport>>,
}

impl Wires {
    /// None yet, with the TLS settings of every endpoint by authority. Certificates that cannot be
    /// used are told here.
    pub(super) fn new(common: Common, tls: BTreeMap<String, Tls>) -> Result<Self, StoreError> {
        let (by_authority, transports) = (Mutex::default(), Mutex::default());
        let made = Wires { common: Arc::new(common), by_authority, tls, transports };
        for tls in made.tls.values() {
            made.transport(tls)?;
        }
        made.common.plain.get_or_init(|| made.transport(&Tls::default()).ok());
        Ok(made)
    }

    /// The way to another host that `base` sent us to: with its TLS settings where it is the same
    /// machine, else with that host's own.
    pub(super) fn wire(&self, url: &Url, base: &Url) -> Result<Arc<Wire>, StoreError> {
        let same = url.host() == base.host();
        let key = authority(if same { base } else { url });
        let tls = self.tls.get(&key).cloned().unwrap_or_default();
        self.wire_with(url, &tls)
    }

    /// The way to the host of `url`, with these TLS settings when it is the first one there.
    pub(super) fn wire_with(&self, url: &Url, tls: &Tls) -> Result<Arc<Wire>, StoreError> {
        let authority = authority(url);
        let mut wires = self.by_authority.lock().unwrap_or_else(PoisonError::into_inner);
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
            direct: Direct::to(url, settings),
            has_identity: tls.cert.is_some(),
            contact: Contact::default(),
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
