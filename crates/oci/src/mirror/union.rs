//! Many sources as one source of content.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::graph::Graph;
use crate::observe::Totals;
use crate::store::{Blob, ErrorKind, Line, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Tag, Version};

/// The content of many images, under a gathered index of them that is stored nowhere.
#[derive(Default)]
pub struct UnionSource {
    pub(super) manifests: HashMap<Digest, Manifest>,
    blobs: HashMap<Digest, Vec<Arc<dyn Source>>>,
    referrers: HashMap<Digest, BTreeMap<Digest, Descriptor>>,
    tags: BTreeMap<Tag, Digest>,
    /// Some of the sources: what the way to them is like.
    some: Vec<Arc<dyn Source>>,
}

/// Sources that are asked for what the way to all of them is like.
const SOME: usize = 8;

impl UnionSource {
    pub(super) fn add(&mut self, store: &Arc<dyn Source>, graph: &Graph) {
        for manifest in graph.manifests() {
            if let Some(subject) = manifest.subject() {
                let list = self.referrers.entry(subject.digest.clone()).or_default();
                list.insert(manifest.digest().clone(), manifest.referrer_descriptor());
            }
            self.manifests.insert(manifest.digest().clone(), manifest.clone());
        }
        for blob in graph.blobs() {
            let stores = self.blobs.entry(blob.digest.clone()).or_default();
            if !stores.iter().any(|known| Arc::ptr_eq(known, store)) {
                stores.push(store.clone());
            }
        }
        self.tags.extend(graph.tags().iter().cloned());
        if self.some.len() < SOME {
            self.some.push(store.clone());
        }
    }

    /// What the image adds to what is here. Blobs that are `elsewhere`, or that may not be
    /// distributed, are not carried.
    pub(super) fn news(&self, graph: &Graph, elsewhere: &BTreeMap<Digest, String>) -> Totals {
        let mut totals = Totals::default();
        let mut count = |new: bool, size: u64| {
            if new {
                totals.moved += 1;
                totals.bytes += size;
            } else {
                totals.skipped += 1;
            }
        };
        for manifest in graph.manifests() {
            let descriptor = manifest.descriptor();
            count(!self.manifests.contains_key(&descriptor.digest), descriptor.size);
        }
        for blob in graph.blobs() {
            let known =
                self.blobs.contains_key(&blob.digest) || elsewhere.contains_key(&blob.digest);
            count(!known && !blob.is_foreign(), blob.size);
        }
        totals
    }

    fn missing(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::new(self.place(), ErrorKind::NotFound(what.to_string()))
    }
}

#[async_trait]
impl Source for UnionSource {
    fn place(&self) -> String {
        "the sources".to_owned()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        Ok(self.fetch(version).await?.descriptor().bare())
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let digest = match version {
            Version::Digest(digest) => Some(digest),
            Version::Tag(tag) => self.tags.get(tag),
        };
        let manifest = digest.and_then(|digest| self.manifests.get(digest)).cloned();
        manifest.ok_or_else(|| self.missing(version))
    }

    /// Opens the blob at the first source that has it; another is tried when that one fails.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let mut failure = self.missing(&descriptor.digest);
        for store in self.blobs.get(&descriptor.digest).into_iter().flatten() {
            match store.open(descriptor, offset).await {
                Ok(blob) => return Ok(blob),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn open_range(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Blob, StoreError> {
        let mut failure = self.missing(&descriptor.digest);
        for store in self.blobs.get(&descriptor.digest).into_iter().flatten() {
            match store.open_range(descriptor, range.clone()).await {
                Ok(blob) => return Ok(blob),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self
            .referrers
            .get(subject)
            .map(|list| list.values().cloned().collect())
            .unwrap_or_default())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.tags.keys().cloned().collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn line(&self) -> Line {
        self.some.iter().map(|store| store.line()).fold(Line::default(), Line::join)
    }
}
