//! Many sources as one: what `gather` would have made, read where it is, without gathering it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::executor::Executor;
use super::gather::GatherOptions;
use super::report::{ItemReport, Report};
use super::sources::{SourceFault, SourceImage, read_source};
use crate::graph::{Graph, SizeCounter, WalkOptions, walk};
use crate::inventory::{Inventory, InventoryError, Item};
use crate::observe::Totals;
use crate::store::{Blob, ErrorKind, Line, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Tag, Version};

/// The content of many images, under a gathered index of them that is stored nowhere.
pub struct UnionSource {
    manifests: HashMap<Digest, Manifest>,
    blobs: HashMap<Digest, Vec<Arc<dyn Source>>>,
    referrers: HashMap<Digest, BTreeMap<Digest, Descriptor>>,
    tags: BTreeMap<Tag, Digest>,
    /// Some of the sources: what the way to them is like.
    some: Vec<Arc<dyn Source>>,
}

/// Sources that are asked for what the way to all of them is like.
const SOME: usize = 8;

/// A union with its gathered index, and what became of each source.
pub struct Union {
    /// The content.
    pub source: Arc<UnionSource>,
    /// The gathered index: the same bytes that a gather of the same sources writes. `None` when
    /// no source could be read.
    pub index: Option<Manifest>,
    /// What became of each source.
    pub report: Report,
}

/// Reads all manifests of all sources, and makes the index that gathering them would have made.
/// A source that fails is reported and left out.
pub async fn unite(
    executor: &Executor,
    sources: Vec<SourceImage>,
    options: &GatherOptions,
) -> Result<Union, InventoryError> {
    let reads = stream::iter(sources).map(|source| async move {
        let read = read_graph(&source, options).await;
        (source, read)
    });
    let mut reads = reads.buffered(executor.images());
    let mut union = UnionSource {
        manifests: HashMap::new(),
        blobs: HashMap::new(),
        referrers: HashMap::new(),
        tags: BTreeMap::new(),
        some: Vec::new(),
    };
    let (mut items, mut sizes, mut report) =
        (Vec::new(), SizeCounter::default(), Report::default());
    while let Some((source, read)) = reads.next().await {
        let mut line = ItemReport::new(&source.text);
        match read {
            Ok((item, graph)) => {
                line.digest = Some(item.descriptor.digest.clone());
                line.succeed(Totals {
                    moved: graph.len() as u64,
                    bytes: graph.bytes(),
                    ..Totals::default()
                });
                sizes.add(&graph);
                union.add(&source.store, &graph);
                items.push(item);
            }
            Err(error) => line.fail_by(&error),
        }
        report.items.push(line);
    }
    if items.is_empty() && !options.empty {
        return Ok(Union { source: Arc::new(union), index: None, report });
    }
    let (version, user) = (&options.version, &options.annotations);
    let index = Inventory::write(items, sizes.sizes(), version, user, options.index_fallback)?;
    report.index = Some(index.digest().clone());
    union.manifests.insert(index.digest().clone(), index.clone());
    Ok(Union { source: Arc::new(union), index: Some(index), report })
}

async fn read_graph(
    source: &SourceImage,
    options: &GatherOptions,
) -> Result<(Item, Graph), SourceFault> {
    let read = read_source(source, &options.platforms).await?;
    let walk_options = WalkOptions { referrers: options.referrers, ..WalkOptions::default() };
    let graph = walk(&source.store, read.root, &walk_options).await;
    let graph =
        graph.map_err(|error| SourceFault::Read { text: source.text.clone(), source: error })?;
    Ok((read.item, graph))
}

impl UnionSource {
    fn add(&mut self, store: &Arc<dyn Source>, graph: &Graph) {
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
