//! The seam over registries: which file does what, and which endpoint is asked.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::{HeaderMap, Method};
use url::Url;

use super::answer::Answer;
use super::auth::{Authority, Scopes};
use super::call::{Call, Payload, Read};
use super::client::{Registry, Shared};
use super::endpoints::{self, Endpoints};
use super::facts::{HostFacts, RepoFacts};
use super::http::{Identity, Wire};
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
    /// There is another endpoint to ask, so that this one is not insisted on.
    pub(super) hasty: bool,
}

/// One repository of a registry. Made by [`super::Client::repository`].
pub struct RegistryStore {
    name: Name,
    domain: String,
    repos: Result<Repos, String>,
}

struct Repos {
    read: Endpoints,
    /// The first endpoint.
    write: Repo,
}

impl RegistryStore {
    pub(super) fn new(name: Name, registry: Result<Arc<Registry>, String>) -> Self {
        let domain = super::endpoint::canonical(name.registry()).to_owned();
        let repos = registry.map(|registry| Repos::new(&name, &registry));
        RegistryStore { name, domain, repos }
    }

    fn repos(&self) -> Result<&Repos, StoreError> {
        self.repos.as_ref().map_err(|text| {
            StoreError::new(self.name.to_string(), ErrorKind::Configuration(text.clone()))
        })
    }

    fn write(&self) -> Result<&Repo, StoreError> {
        Ok(&self.repos()?.write)
    }

    /// Asks the endpoints that are read from, in their order.
    async fn first<T, F>(&self, ask: impl Fn(Repo) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let repos = self.repos()?.read.in_order();
        Ok(endpoints::first(&repos, 0, ask).await?.1)
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
            hasty: false,
        };
        let read = registry.hosts.iter().map(|host| repo(host, &rewritten)).collect();
        Repos { read: Endpoints::new(read), write: repo(&registry.hosts[0], path) }
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
            hasty: self.hasty,
            permit: Mutex::default(),
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
        self.first(|repo| async move { manifest::resolve(&repo, version).await }).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.first(|repo| async move { manifest::fetch(&repo, version).await }).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        blob_read::open(&self.repos()?.read, &self.place(), descriptor, offset).await
    }

    async fn open_range(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Blob, StoreError> {
        blob_read::open_range(&self.repos()?.read, &self.place(), descriptor, range).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.first(|repo| async move { referrers::list(&repo, subject).await }).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.first(|repo| async move { tags::list(&repo).await }).await
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
