//! One repository made of several: what any of them has, the first having precedence.
//!
//! A delta and its base, or a directory in front of the media it was begun from. At most one of
//! them is written to; what is written there is complete there, so that it outlives the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use airlift_oci::store::{Blob, Content, Hints, Ingest, Put, Remote, Sink, Source, StoreError};
use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, Version};
use async_trait::async_trait;

use super::fixed::read_only;
use super::{Repository, not_found};

/// Several repositories as one.
pub struct Stack {
    parts: Vec<Arc<dyn Repository>>,
    /// The part that is written to.
    writable: Option<Arc<dyn Repository>>,
}

impl Stack {
    /// All `parts` to be read, none to be written.
    pub fn of(parts: Vec<Arc<dyn Repository>>) -> Self {
        Stack { parts, writable: None }
    }

    /// `writable` in front of `parts`.
    pub(super) fn over(writable: Arc<dyn Repository>, parts: Vec<Arc<dyn Repository>>) -> Self {
        let parts = [writable.clone()].into_iter().chain(parts).collect();
        Stack { parts, writable: Some(writable) }
    }

    fn writable(&self) -> Result<&Arc<dyn Repository>, StoreError> {
        self.writable.as_ref().ok_or_else(|| read_only(&self.place()))
    }

    /// The part that has a blob.
    async fn holder(&self, digest: &Digest) -> Result<Option<&Arc<dyn Repository>>, StoreError> {
        for part in &self.parts {
            if part.blob_size(digest).await?.is_some() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Sees to it that the part that is written to has a blob itself.
    async fn bring_blob(&self, to: &dyn Repository, blob: &Descriptor) -> Result<(), StoreError> {
        if to.has(blob).await? {
            return Ok(());
        }
        let from = self.holder(&blob.digest).await?;
        let from = from.ok_or_else(|| not_found(&self.place(), &blob.digest))?.clone();
        to.put(&Remote::new(from, blob.clone()), &Hints::default()).await?;
        Ok(())
    }
}

#[async_trait]
impl Source for Stack {
    fn place(&self) -> String {
        self.parts.first().map(|part| part.place()).unwrap_or_default()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        for part in &self.parts {
            match part.resolve(version).await {
                Err(error) if error.is_not_found() => {}
                found => return found,
            }
        }
        Err(not_found(&self.place(), version))
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        for part in &self.parts {
            match part.fetch(version).await {
                Err(error) if error.is_not_found() => {}
                found => return found,
            }
        }
        Err(not_found(&self.place(), version))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let holder = self.holder(&descriptor.digest).await?;
        let holder = holder.ok_or_else(|| not_found(&self.place(), &descriptor.digest))?;
        holder.open(descriptor, offset).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut found = BTreeMap::new();
        for part in &self.parts {
            for descriptor in part.referrers(subject).await? {
                found.entry(descriptor.digest.clone()).or_insert(descriptor);
            }
        }
        Ok(found.into_values().collect())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        let mut tags = Vec::new();
        for part in &self.parts {
            tags.extend(part.tags().await?);
        }
        tags.sort();
        tags.dedup();
        Ok(tags)
    }
}

#[async_trait]
impl Sink for Stack {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        for part in &self.parts {
            if part.has(descriptor).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError> {
        self.writable()?.put(content, hints).await
    }

    /// Brings along whatever the manifest names and only another part has.
    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let writable = self.writable()?;
        for blob in manifest.blobs().filter(|blob| !blob.is_foreign()) {
            self.bring_blob(writable.as_ref(), blob).await?;
        }
        for child in manifest.manifests() {
            if !writable.has(child).await? {
                let child = self.fetch(&Version::Digest(child.digest.clone())).await?;
                self.put_manifest(&child, None).await?;
            }
        }
        writable.put_manifest(manifest, tag).await
    }

    fn domain(&self) -> String {
        self.writable.as_ref().map_or_else(|| self.place(), |writable| writable.domain())
    }
}

#[async_trait]
impl Repository for Stack {
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        self.writable()?.ingest().await
    }

    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        match self.holder(digest).await? {
            Some(holder) => holder.blob_size(digest).await,
            None => Ok(None),
        }
    }

    async fn claim(&self, digest: &Digest) -> Result<bool, StoreError> {
        for part in &self.parts {
            if part.claim(digest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError> {
        let removed = self.writable()?.remove_tag(tag).await?;
        // What another part shows under this name cannot be taken away.
        match self.resolve(&Version::Tag(tag.clone())).await {
            Ok(_) => Err(read_only(&self.place())),
            Err(error) if error.is_not_found() => Ok(removed),
            Err(error) => Err(error),
        }
    }

    async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.writable()?.remove_manifest(digest).await?;
        if self.holder(digest).await?.is_some() {
            Err(read_only(&self.place()))
        } else {
            Ok(removed)
        }
    }

    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.writable()?.remove_blob(digest).await?;
        if self.holder(digest).await?.is_some() {
            Err(read_only(&self.place()))
        } else {
            Ok(removed)
        }
    }
}
