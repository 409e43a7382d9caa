//! A fixed set of repositories that can only be read: archives, and views that give names to what
//! is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use airlift_oci::store::{
    ArchiveStore, Blob, Content, ErrorKind, Hints, Ingest, Put, Sink, Source, StoreError,
};
use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, Version};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::{Repositories, Repository, RepositoryName, not_found};

/// Repositories that are there from the start; no other can be made.
#[derive(Default)]
pub struct Fixed {
    repositories: BTreeMap<RepositoryName, Arc<dyn Repository>>,
}

impl Fixed {
    /// No repositories yet.
    pub fn new() -> Self {
        Fixed::default()
    }

    /// Adds a repository, in place of any other of that name.
    pub fn insert(&mut self, name: RepositoryName, repository: Arc<dyn Repository>) {
        self.repositories.insert(name, repository);
    }

    /// Shows manifests of one store under names of their own: each name is a repository with the
    /// tags that are given for it. Everything in the store can be had by digest in all of them.
    pub fn of_names(
        store: &Arc<dyn Repository>,
        names: impl IntoIterator<Item = (RepositoryName, Tag, Digest)>,
    ) -> Self {
        let mut tags: BTreeMap<RepositoryName, BTreeMap<Tag, Digest>> = BTreeMap::new();
        for (name, tag, digest) in names {
            tags.entry(name).or_default().insert(tag, digest);
        }
        let mut fixed = Fixed::new();
        for (name, tags) in tags {
            let attached = OnceCell::new();
            fixed.insert(name, Arc::new(View { store: store.clone(), tags, attached }));
        }
        fixed
    }
}

#[async_trait]
impl Repositories for Fixed {
    async fn get(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Repository>>, StoreError> {
        Ok(self.repositories.get(name).cloned())
    }

    async fn create(&self, name: &RepositoryName) -> Result<Arc<dyn Repository>, StoreError> {
        self.repositories.get(name).cloned().ok_or_else(|| read_only(name.as_str()))
    }

    async fn list(&self) -> Result<Vec<RepositoryName>, StoreError> {
        Ok(self.repositories.keys().cloned().collect())
    }

    async fn share(
        &self,
        _digest: &Digest,
        _from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        Err(read_only(to.as_str()))
    }
}

pub(super) fn read_only(place: &str) -> StoreError {
    let text = "this registry can only be read: it serves what is on a medium";
    StoreError::new(place, ErrorKind::Unsupported(text.to_owned()))
}

#[async_trait]
impl Repository for ArchiveStore {
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(ArchiveStore::blob_size(self, digest))
    }

    async fn remove_tag(&self, _tag: &Tag) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn remove_manifest(&self, _digest: &Digest) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn remove_blob(&self, _digest: &Digest) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }
}

/// The digest to which cosign attaches something by a tag: `sha256-HEX.sig`.
fn attached_to(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let (hex, _) = rest.split_once('.')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// A store with tags of its own.
struct View {
    store: Arc<dyn Repository>,
    tags: BTreeMap<Tag, Digest>,
    /// Cosign's tags of what the own ones name.
    attached: OnceCell<Vec<Tag>>,
}

impl View {
    fn by_digest(&self, version: &Version) -> Result<Version, StoreError> {
        let Version::Tag(tag) = version else { return Ok(version.clone()) };
        match self.tags.get(tag) {
            Some(digest) => Ok(Version::Digest(digest.clone())),
            // What belongs to an image by its digest belongs to it under every name.
            None if attached_to(tag).is_some() => Ok(version.clone()),
            None => Err(not_found(&self.place(), tag)),
        }
    }

    async fn find_attached(&self) -> Result<Vec<Tag>, StoreError> {
        let mut attached = self.store.tags().await?;
        attached.retain(|tag| attached_to(tag).is_some());
        if attached.is_empty() {
            return Ok(attached);
        }
        let mut own: BTreeSet<Digest> = self.tags.values().cloned().collect();
        for digest in self.tags.values() {
            let manifest = self.store.fetch(&Version::Digest(digest.clone())).await?;
            own.extend(manifest.manifests().map(|child| child.digest.clone()));
        }
        attached.retain(|tag| attached_to(tag).is_some_and(|digest| own.contains(&digest)));
        Ok(attached)
    }
}

#[async_trait]
impl Source for View {
    fn place(&self) -> String {
        self.store.place()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.store.resolve(&self.by_digest(version)?).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.store.fetch(&self.by_digest(version)?).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        self.store.open(descriptor, offset).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.store.referrers(subject).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        let attached = self.attached.get_or_try_init(|| self.find_attached()).await?;
        let all: BTreeSet<Tag> = self.tags.keys().chain(attached).cloned().collect();
        Ok(all.into_iter().collect())
    }
}

#[async_trait]
impl Sink for View {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        self.store.has(descriptor).await
    }

    async fn put(&self, _content: &dyn Content, _hints: &Hints) -> Result<Put, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn put_manifest(
        &self,
        _manifest: &Manifest,
        _tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        Err(read_only(&self.place()))
    }

    fn domain(&self) -> String {
        self.store.domain()
    }
}

#[async_trait]
impl Repository for View {
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        self.store.blob_size(digest).await
    }

    async fn remove_tag(&self, _tag: &Tag) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn remove_manifest(&self, _digest: &Digest) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }

    async fn remove_blob(&self, _digest: &Digest) -> Result<bool, StoreError> {
        Err(read_only(&self.place()))
    }
}
