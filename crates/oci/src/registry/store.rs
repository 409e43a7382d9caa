//! The seam over registries: which file does what, and which endpoint is asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::{HeaderMap, Method};
use url::Url;

use super::answer::Answer;
use super::auth::{Authority, Scopes};
use super::client::{Registry, Shared};
use super::facts::{HostFacts, RepoFacts};
use super::http::{Call, Identity, Payload, Read, Wire};
use super::kind::Kind;
use super::limits::Lane;
use super::{blob_read, blob_write, manifest, mount, referrers, tags};
use crate::store::{Blob, Content, ErrorKind, Hints, Put, Sink, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Name, Tag, Version};

/// One endpoint at work.
pub(super) struct Host {
    pub(super) wire: Arc<Wire>,
    pub(super) shared: Arc<Shared>,
    pub(super) authority: Authority,
    pub(super) facts: HostFacts,
    pub(super) headers: HeaderMap,
    pub(super) base: Url,
}

/// One repository at one endpoint: what the operations work on.
#[derive(Clone)]
pub(super) struct Repo {
    pub(super) host: Arc<Host>,
    /// The path at this endpoint.
    pub(super) path: String,
    /// The name as written, for messages.
    pub(super) place: String,
    pub(super) facts: Arc<RepoFacts>,
}

/// One repository of a registry. Made by [`super::Client::repository`].
pub struct RegistryStore {
    name: Name,
    domain: String,
    /// In the order in which they are asked; the first is written to.
    repos: Result<Repos, String>,
    /// Which endpoint a blob was last read from, where there are several: a blob that is asked for
    /// again came damaged, perhaps.
    opened: Mutex<HashMap<Digest, usize>>,
}

struct Repos {
    read: Vec<Repo>,
    write: Repo,
}

impl RegistryStore {
    pub(super) fn new(name: Name, registry: Result<Arc<Registry>, String>) -> Self {
        let domain = super::endpoint::canonical(name.registry()).to_owned();
        let repos = registry.map(|registry| Repos::new(&name, &registry));
        RegistryStore { name, domain, repos, opened: Mutex::default() }
    }

    fn repos(&self) -> Result<&Repos, StoreError> {
        self.repos.as_ref().map_err(|text| {
            StoreError::new(self.name.to_string(), ErrorKind::Configuration(text.clone()))
        })
    }

    fn write(&self) -> Result<&Repo, StoreError> {
        Ok(&self.repos()?.write)
    }

    /// The endpoint to begin with when a blob is opened.
    fn turn(&self, digest: &Digest, endpoints: usize) -> usize {
        if endpoints < 2 {
            return 0;
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = opened.entry(digest.clone()).or_insert(0);
        let now = *turn;
        *turn = (now + 1) % endpoints;
        now
    }

    /// Asks one endpoint after another until one has an answer. The error is that of the first,
    /// unless that merely has not what another failed to give.
    async fn first<T, F>(&self, turn: usize, ask: impl Fn(Repo) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let repos = &self.repos()?.read;
        let mut worst: Option<StoreError> = None;
        for at in 0..repos.len() {
            match ask(repos[(turn + at) % repos.len()].clone()).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    if worst.as_ref().is_none_or(StoreError::is_not_found) {
                        worst = Some(error);
                    }
                }
            }
        }
        let none = || ErrorKind::Configuration("the registry has no endpoint".to_owned());
        Err(worst.unwrap_or_else(|| StoreError::new(self.place(), none())))
    }
}

impl fmt::Debug for RegistryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegistryStore").field(&self.name.to_string()).finish()
    }
}

impl Repos {
    fn new(name: &Name, registry: &Registry) -> Self {
        let path = name.repository();
        let rewrites = &registry.settings.rewrite_pull;
        let rewrite = rewrites.iter().find(|(from, _)| from.is_match(path));
        let rewritten =
            rewrite.map_or_else(|| path.into(), |(from, to)| from.replace(path, to.as_str()));
        let repo = |host: &Arc<Host>, path: &str| Repo {
            host: host.clone(),
            path: path.to_owned(),
            place: name.to_string(),
            facts: registry.repository(path),
        };
        let read = registry.hosts.iter().map(|host| repo(host, &rewritten)).collect();
        Repos { read, write: repo(&registry.hosts[0], path) }
    }
}

impl Repo {
    /// A call below this repository: `rest` is `manifests/…`, `blobs/…`, ….
    pub(super) fn call(&self, kind: Kind, method: Method, rest: &str, read: Read) -> Call {
        let mut url = self.host.base.clone();
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        url.set_path(&format!("{}{}/{rest}", url.path(), self.path));
        url.set_query(query);
        Call {
            kind,
            method,
            url,
            headers: self.host.headers.clone(),
            payload: Payload::None,
            lane: Lane::Small,
            place: self.place.clone(),
            read,
        }
    }

    /// Sends a call that reads.
    pub(super) async fn pull(&self, call: &Call) -> Result<Answer, StoreError> {
        self.send(call, &Scopes::pull(&self.path)).await
    }

    /// Sends a call that writes.
    pub(super) async fn push(&self, call: &Call) -> Result<Answer, StoreError> {
        self.send(call, &Scopes::push(&self.path)).await
    }

    /// Sends a call.
    pub(super) async fn send(&self, call: &Call, scopes: &Scopes) -> Result<Answer, StoreError> {
        let (shared, authority) = (&*self.host.shared, &self.host.authority);
        self.host.wire.call(call, &Identity { shared, authority, scopes }).await
    }

    /// An error of the protocol here.
    pub(super) fn protocol(&self, text: impl Into<String>) -> StoreError {
        super::failure::protocol(&self.place, text)
    }
}

#[async_trait]
impl Source for RegistryStore {
    fn place(&self) -> String {
        self.name.to_string()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.first(0, |repo| async move { manifest::resolve(&repo, version).await }).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.first(0, |repo| async move { manifest::fetch(&repo, version).await }).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let turn = self.turn(&descriptor.digest, self.repos()?.read.len());
        let open = |repo| async move { blob_read::open(repo, descriptor, offset).await };
        self.first(turn, open).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.first(0, |repo| async move { referrers::list(&repo, subject).await }).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.first(0, |repo| async move { tags::list(&repo).await }).await
    }
}

#[async_trait]
impl Sink for RegistryStore {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        let repo = self.write()?;
        if descriptor.is_manifest() {
            return manifest::has(repo, &descriptor.digest).await;
        }
        blob_read::has(repo, &descriptor.digest).await
    }

    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError> {
        let from = hints.mount_from.as_ref();
        let near = |from: &&Name| super::endpoint::canonical(from.registry()) == self.domain;
        let from = from.filter(near).map(Name::repository);
        blob_write::put(self.write()?, content, from, hints.presence).await
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        manifest::put(self.write()?, manifest, tag).await
    }

    async fn mount(&self, descriptor: &Descriptor, from: &Name) -> Result<bool, StoreError> {
        if super::endpoint::canonical(from.registry()) != self.domain {
            return Ok(false);
        }
        mount::mount(self.write()?, &descriptor.digest, from.repository()).await
    }

    fn domain(&self) -> String {
        self.domain.clone()
    }

    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}
