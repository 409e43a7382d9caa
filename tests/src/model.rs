//! What is at one end, read whole and checked, to be compared with what is at the other.

use std::collections::{BTreeMap, BTreeSet};

use airlift_oci::store::{Source, StoreError};
use airlift_oci::types::{Descriptor, Digest, Manifest, Version};
use bytes::Bytes;
use futures_util::TryStreamExt;

/// Everything that a root names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// The manifests, byte for byte.
    pub manifests: BTreeMap<Digest, Bytes>,
    /// The blobs and their sizes. Each was read to its end.
    pub blobs: BTreeMap<Digest, u64>,
    /// How often a manifest names a blob.
    pub mentions: usize,
    /// Which manifests refer to which.
    pub referrers: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Model {
    /// Reads a graph.
    pub async fn walk(source: &dyn Source, root: &Version) -> Result<Model, StoreError> {
        Model::read(source, root, false).await
    }

    /// Reads a graph with everything that refers to it, and to that in turn.
    pub async fn walk_with_referrers(
        source: &dyn Source,
        root: &Version,
    ) -> Result<Model, StoreError> {
        Model::read(source, root, true).await
    }

    async fn read(source: &dyn Source, root: &Version, all: bool) -> Result<Model, StoreError> {
        let mut model = Model::default();
        let mut left = vec![source.fetch(root).await?];
        while let Some(manifest) = left.pop() {
            if model.manifests.insert(manifest.digest().clone(), manifest.raw().clone()).is_some() {
                continue;
            }
            model.read_blobs(source, &manifest).await?;
            for child in manifest.manifests() {
                left.push(source.manifest(child).await?);
            }
            if all {
                let referrers = source.referrers(manifest.digest()).await?;
                for referrer in &referrers {
                    left.push(source.manifest(referrer).await?);
                }
                let digests = referrers.into_iter().map(|referrer| referrer.digest);
                model.referrers.insert(manifest.digest().clone(), digests.collect());
            }
        }
        Ok(model)
    }

    /// Adds another graph; what both have is there once.
    pub fn join(&mut self, other: Model) {
        for (digest, raw) in other.manifests {
            if self.manifests.contains_key(&digest) {
                continue;
            }
            let manifest = Manifest::parse_as("", digest.clone(), raw.clone()).expect("a manifest");
            self.mentions += manifest.blobs().count();
            self.manifests.insert(digest, raw);
        }
        self.blobs.extend(other.blobs);
        self.referrers.extend(other.referrers);
    }

    async fn read_blobs(
        &mut self,
        source: &dyn Source,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        for blob in manifest.blobs().filter(|blob| !blob.is_foreign()) {
            self.mentions += 1;
            if !self.blobs.contains_key(&blob.digest) {
                drain(source, blob).await?;
                self.blobs.insert(blob.digest.clone(), blob.size);
            }
        }
        Ok(())
    }
}

/// Reads a blob to its end, which is where it is found to be whole.
async fn drain(source: &dyn Source, blob: &Descriptor) -> Result<(), StoreError> {
    source.open(blob, 0).await?.try_for_each(|_| std::future::ready(Ok(()))).await
}
