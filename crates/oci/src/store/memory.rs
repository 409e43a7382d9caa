//! A store in memory: for tests, for the embedded registry, and as the plainest reading of the seam.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{Blob, Content, ErrorKind, Hints, Ingest, Put, Sink, Source, StoreError, drain};
use crate::types::{Descriptor, Digest, Manifest, Name, Tag, Version};

/// One repository's content in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: std::sync::Arc<Mutex<State>>,
    name: Option<Name>,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// An empty store that is known to others of its domain as `name`.
    pub fn named(name: Name) -> Self {
        MemoryStore { name: Some(name), ..MemoryStore::default() }
    }

    /// Starts taking in a blob.
    pub fn ingest(&self) -> Box<dyn Ingest> {
        Box::new(MemoryIngest {
            state: self.state.clone(),
            place: self.place(),
            bytes: BytesMut::new(),
        })
    }

    /// Takes over a blob from another store in memory, without copying it.
    pub fn share(&self, digest: &Digest, from: &MemoryStore) -> bool {
        let Some(bytes) = from.lock().blobs.get(digest).cloned() else { return false };
        self.lock().blobs.insert(digest.clone(), bytes);
        true
    }

    /// Size of a blob, when it is there.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        self.lock().blobs.get(digest).map(|bytes| bytes.len() as u64)
    }

    /// Removes a tag. `false`: there was none.
    pub fn remove_tag(&self, tag: &Tag) -> bool {
        self.lock().tags.remove(tag).is_some()
    }

    /// Removes a manifest with every tag that names it. `false`: there was none.
    pub fn remove_manifest(&self, digest: &Digest) -> bool {
        let mut state = self.lock();
        state.tags.retain(|_, named| named != digest);
        state.manifests.remove(digest).is_some()
    }

    /// Removes a blob. `false`: there was none.
    pub fn remove_blob(&self, digest: &Digest) -> bool {
        self.lock().blobs.remove(digest).is_some()
    }

    /// Digests of everything held: manifests and blobs.
    pub fn digests(&self) -> Vec<Digest> {
        let state = self.lock();
        state.manifests.keys().chain(state.blobs.keys()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::new(self.place(), ErrorKind::NotFound(what.to_string()))
    }
}

#[async_trait]
impl Source for MemoryStore {
    fn place(&self) -> String {
        self.name.as_ref().map_or_else(|| "memory".to_owned(), ToString::to_string)
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        Ok(self.fetch(version).await?.descriptor().bare())
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let state = self.lock();
        let digest = match version {
            Version::Digest(digest) => Some(digest),
            Version::Tag(tag) => state.tags.get(tag),
        };
        let found = digest.and_then(|digest| state.manifests.get(digest)).cloned();
        drop(state);
        found.ok_or_else(|| self.missing(version))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let bytes = self.lock().blobs.get(&descriptor.digest).cloned();
        let bytes = bytes.ok_or_else(|| self.missing(&descriptor.digest))?;
        Ok(Blob::from_bytes(descriptor.clone(), offset, self.place(), bytes))
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let state = self.lock();
        let refers =
            |manifest: &&Manifest| manifest.subject().is_some_and(|named| named.digest == *subject);
        Ok(state.manifests.values().filter(refers).map(Manifest::referrer_descriptor).collect())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.lock().tags.keys().cloned().collect())
    }
}

#[async_trait]
impl Sink for MemoryStore {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        let state = self.lock();
        Ok(state.blobs.contains_key(&descriptor.digest)
            || state.manifests.contains_key(&descriptor.digest))
    }

    async fn put(&self, content: &dyn Content, _hints: &Hints) -> Result<Put, StoreError> {
        let descriptor = content.descriptor();
        if self.lock().blobs.contains_key(&descriptor.digest) {
            return Ok(Put::Existed);
        }
        let mut ingest = self.ingest();
        drain(content.open(0).await?, ingest.as_mut()).await?;
        ingest.finish(&descriptor.digest).await?;
        Ok(Put::Written)
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.manifests.insert(manifest.digest().clone(), manifest.clone());
        if let Some(tag) = tag {
            state.tags.insert(tag.clone(), manifest.digest().clone());
        }
        Ok(())
    }

    fn domain(&self) -> String {
        format!("memory {:p}", std::sync::Arc::as_ptr(&self.state))
    }

    fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }
}

struct MemoryIngest {
    state: std::sync::Arc<Mutex<State>>,
    place: String,
    bytes: BytesMut,
}

#[async_trait]
impl Ingest for MemoryIngest {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn written(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn finish(self: Box<Self>, expected: &Digest) -> Result<(), StoreError> {
        let found = expected.like(&self.bytes);
        if found != *expected {
            let expected = expected.clone();
            return Err(StoreError::new(self.place, ErrorKind::Digest { expected, found }));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.blobs.insert(found, self.bytes.freeze());
        Ok(())
    }
}
