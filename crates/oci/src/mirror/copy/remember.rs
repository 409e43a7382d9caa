//! A source that reads no manifest twice, and no configuration that was looked into.
//!
//! Several copies of one image, and a selection by configuration, would otherwise read the same
//! again; pulls from public registries are counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::store::{Blob, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Tag, Version};

/// A source with what was read from it.
pub(super) struct Remembering {
    inner: Arc<dyn Source>,
    manifests: Mutex<HashMap<Version, Arc<OnceCell<Manifest>>>>,
    blobs: Mutex<HashMap<Digest, Bytes>>,
}

impl Remembering {
    pub(super) fn new(inner: Arc<dyn Source>) -> Self {
        Remembering { inner, manifests: Mutex::default(), blobs: Mutex::default() }
    }

    /// Reads a small blob, and keeps it.
    pub(super) async fn read(&self, descriptor: &Descriptor) -> Result<Bytes, StoreError> {
        let known = lock(&self.blobs).get(&descriptor.digest).cloned();
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let bytes = self.inner.open(descriptor, 0).await?.read_all().await?;
        lock(&self.blobs).insert(descriptor.digest.clone(), bytes.clone());
        Ok(bytes)
    }
}

#[async_trait]
impl Source for Remembering {
    fn place(&self) -> String {
        self.inner.place()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.inner.resolve(version).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let cell = lock(&self.manifests).entry(version.clone()).or_default().clone();
        let manifest = cell.get_or_try_init(|| self.inner.fetch(version)).await?;
        if let Version::Tag(_) = version {
            // The walk asks by digest for what was read by tag.
            let by_digest = Version::Digest(manifest.digest().clone());
            let cell = lock(&self.manifests).entry(by_digest).or_default().clone();
            // It may be there already, as the same manifest.
            let _ = cell.set(manifest.clone());
        }
        Ok(manifest.clone())
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let known = lock(&self.blobs).get(&descriptor.digest).cloned();
        match known {
            Some(bytes) => Ok(Blob::from_bytes(descriptor.clone(), offset, self.place(), bytes)),
            None => self.inner.open(descriptor, offset).await,
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.inner.referrers(subject).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.inner.tags().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
