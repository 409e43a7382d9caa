//! A medium that can only be read forwards, read through to know what it holds: manifests are
//! kept, of blobs only that they were there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use airlift_oci::observe::silent;
use airlift_oci::store::{Blob, Content, Hints, MemoryStore, Put, Sink, Source, Store, StoreError};
use airlift_oci::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, Tag, Version, media};
use airlift_tape::{DeserializeOptions, Medium, Received, deserialize};
use async_trait::async_trait;

/// What a medium holds.
pub(super) struct Survey {
    kept: MemoryStore,
    seen: Mutex<HashSet<Digest>>,
    /// Whether the medium is still being read. Meanwhile everything counts as there: what is not
    /// is to be shown, not to end the reading.
    reading: bool,
}

/// Reads `medium` through, checking every byte, and gives what it holds and what was found of it.
pub(super) async fn survey(medium: Medium) -> anyhow::Result<(Survey, Received)> {
    let survey =
        Arc::new(Survey { kept: MemoryStore::new(), seen: Mutex::default(), reading: true });
    let sink: Arc<dyn Store> = survey.clone();
    let received =
        deserialize(vec![medium], sink, &DeserializeOptions::default(), silent()).await?;
    let survey = Arc::into_inner(survey).ok_or_else(|| anyhow::anyhow!("a reader is left over"))?;
    Ok((Survey { reading: false, ..survey }, received))
}

#[async_trait]
impl Source for Survey {
    fn place(&self) -> String {
        "the medium".to_owned()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.kept.resolve(version).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.kept.fetch(version).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        self.kept.open(descriptor, offset).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.kept.referrers(subject).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.kept.tags().await
    }
}

#[async_trait]
impl Sink for Survey {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.reading || seen.contains(&descriptor.digest))
    }

    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError> {
        let Descriptor { digest, size, media_type, .. } = content.descriptor();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
        let config = matches!(media_type.as_str(), media::OCI_CONFIG | media::DOCKER_CONFIG);
        if config && *size <= MAX_MANIFEST {
            return self.kept.put(content, hints).await;
        }
        Ok(Put::Existed)
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.kept.put_manifest(manifest, tag).await
    }

    fn domain(&self) -> String {
        self.place()
    }
}
