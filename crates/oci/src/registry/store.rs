//! The seam over registries: which file does what, and which endpoint is asked.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::endpoints::{self, Endpoints};
use super::host::{Host, Registry};
use super::repo::Repo;
use super::{blob_read, blob_write, manifest, manifest_put, mount, referrers, tags};
use crate::store::{Blob, Content, ErrorKind, Hints, Line, Put, Sink, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Name, Tag, Version};

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
        blob_read::open(&self.repos()?.read, descriptor, offset).await
    }

    async fn open_range(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Blob, StoreError> {
        blob_read::open_range(&self.repos()?.read, descriptor, range).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.first(|repo| async move { referrers::list(&repo, subject).await }).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.first(|repo| async move { tags::list(&repo).await }).await
    }

    fn line(&self) -> Line {
        let Ok(repos) = self.repos() else { return Line::default() };
        let lines = repos.read.in_order();
        lines.first().map_or_else(Line::default, |repo| {
            let (at_once, round_trip) = repo.host.wire.limits.outlook();
            Line { at_once: Some(at_once), round_trip, rate: repo.host.facts.speed() }
        })
    }
}

#[async_trait]
impl Sink for RegistryStore {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        let repo = self.write()?;
        let found = if descriptor.is_manifest() {
            manifest::has(repo, &descriptor.digest).await
        } else {
            blob_read::has(repo, &descriptor.digest).await
        };
        found.map_err(|error| repo.at(error))
    }

    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError> {
        let from = hints.mount_from.as_ref();
        let near = |from: &&Name| super::endpoint::canonical(from.registry()) == self.domain;
        let from = from.filter(near).map(Name::repository);
        let repo = self.write()?;
        let put = blob_write::put(repo, content, from, hints.presence).await;
        put.map_err(|error| repo.at(error))
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let repo = self.write()?;
        manifest_put::put(repo, manifest, tag).await.map_err(|error| repo.at(error))
    }

    async fn mount(&self, descriptor: &Descriptor, from: &Name) -> Result<bool, StoreError> {
        if super::endpoint::canonical(from.registry()) != self.domain {
            return Ok(false);
        }
        let repo = self.write()?;
        let mounted = mount::mount(repo, &descriptor.digest, from.repository()).await;
        mounted.map_err(|error| repo.at(error))
    }

    fn domain(&self) -> String {
        self.domain.clone()
    }

    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}
