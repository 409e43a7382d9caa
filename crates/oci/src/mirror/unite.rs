//! What `gather` would have made of many sources, read where they are, without gathering it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};

use super::executor::Executor;
use super::gather::GatherOptions;
use super::report::{ItemReport, Report, Status};
use super::sources::{SourceFault, SourceImage, read_source};
use super::turns::{abreast, in_order};
use super::union::UnionSource;
use crate::graph::{Graph, SizeCounter, WalkOptions, walk};
use crate::inventory::{Inventory, InventoryError, Item};
use crate::store::{Source, StoreError, chain};
use crate::types::{Descriptor, Digest, Manifest};

/// Blobs of one image that are asked for at once.
const ASKED_AT_ONCE: usize = 8;

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

type Read = Result<(Item, Graph), SourceFault>;

/// A union as its sources come.
#[derive(Default)]
struct Uniting {
    source: UnionSource,
    items: Vec<Item>,
    sizes: SizeCounter,
    report: Report,
}

/// Reads all manifests of all sources, and makes the index that gathering them would have made.
/// A source that fails is reported and left out. Whether blobs are there is not asked; those that are
/// `elsewhere` already are not counted as moved.
pub async fn unite(
    executor: &Executor,
    sources: Vec<SourceImage>,
    options: &GatherOptions,
    elsewhere: &BTreeMap<Digest, String>,
) -> Result<Union, InventoryError> {
    let mut reads = reads(executor, sources, options);
    let mut uniting = Uniting::default();
    while let Some((source, read)) = reads.next().await {
        uniting.add(&source, read, elsewhere);
    }
    uniting.end(options)
}

/// The graphs of all sources, in their order.
fn reads<'a>(
    executor: &Executor,
    sources: Vec<SourceImage>,
    options: &'a GatherOptions,
) -> BoxStream<'a, (SourceImage, Read)> {
    let jobs = sources.into_iter().map(|source| (source.host().to_owned(), source));
    in_order(abreast(jobs, executor, move |source| {
        let work = async move {
            let read = read_graph(&source, options).await;
            (source, read)
        };
        work.boxed()
    }))
}

/// As [`unite`], but leaves out every image that needs one of the blobs `lost`, or one that no source
/// has. Every blob is asked for, which is worth its requests once one was found to be lacking; but
/// for those that are `elsewhere` already, which no image needs.
pub async fn unite_without(
    executor: &Executor,
    sources: Vec<SourceImage>,
    options: &GatherOptions,
    mut lost: BTreeMap<Digest, String>,
    elsewhere: &BTreeMap<Digest, String>,
) -> Result<Union, InventoryError> {
    let reads: Vec<(SourceImage, Read)> = reads(executor, sources, options).collect().await;
    let mut all = UnionSource::default();
    let mut blobs: BTreeMap<&Digest, &Descriptor> = BTreeMap::new();
    for (source, read) in &reads {
        let Ok((_, graph)) = read else { continue };
        all.add(&source.store, graph);
        let own = graph.blobs().iter().filter(|blob| !blob.is_foreign());
        blobs.extend(own.map(|blob| (&blob.digest, blob)));
    }
    blobs.retain(|digest, _| !lost.contains_key(*digest) && !elsewhere.contains_key(*digest));
    let asked = stream::iter(blobs.into_values()).map(|blob| lacking(&all, blob));
    let mut asked = asked.buffered(executor.images() * ASKED_AT_ONCE);
    while let Some(found) = asked.next().await {
        lost.extend(found);
    }
    drop(asked);
    let mut uniting = Uniting::default();
    for (source, read) in reads {
        let fault = read.as_ref().ok().and_then(|(_, graph)| without(&source, graph, &lost));
        uniting.add(&source, fault.map_or(read, Err), elsewhere);
    }
    uniting.end(options)
}

/// A blob that cannot be had and will not be, and why.
async fn lacking(all: &UnionSource, blob: &Descriptor) -> Option<(Digest, String)> {
    match all.open_range(blob, 0..blob.size.min(1)).await {
        Err(error) if error.is_final() => Some((blob.digest.clone(), chain(&error))),
        // What fails for now may be there when it is its turn.
        _ => None,
    }
}

/// Why an image is left out.
fn without(
    source: &SourceImage,
    graph: &Graph,
    lost: &BTreeMap<Digest, String>,
) -> Option<SourceFault> {
    graph.blobs().iter().find_map(|blob| {
        let reason = lost.get(&blob.digest)?.clone();
        let (text, digest) = (source.text.clone(), blob.digest.clone());
        Some(SourceFault::Lacks { text, digest, reason })
    })
}

async fn read_graph(source: &SourceImage, options: &GatherOptions) -> Read {
    let read = read_source(source, &options.platforms).await?;
    let walk_options = WalkOptions { referrers: options.referrers, ..WalkOptions::default() };
    let graph = walk(&source.store, read.root, &walk_options).await;
    let failed = |error: StoreError| SourceFault::Read { text: source.text.clone(), source: error };
    Ok((read.item, graph.map_err(failed)?))
}

impl Uniting {
    fn add(&mut self, source: &SourceImage, read: Read, elsewhere: &BTreeMap<Digest, String>) {
        let mut line = ItemReport::new(&source.text);
        match read {
            Ok((item, graph)) => {
                line.digest = Some(item.descriptor.digest.clone());
                line.succeed(self.source.news(&graph, elsewhere));
                // It is named there, whatever it shares with others.
                line.status = Status::Done;
                self.sizes.add(&graph);
                self.source.add(&source.store, &graph);
                self.items.push(item);
            }
            Err(error) => line.fail_by(&error),
        }
        self.report.items.push(line);
    }

    fn end(self, options: &GatherOptions) -> Result<Union, InventoryError> {
        let Uniting { mut source, items, sizes, mut report } = self;
        if items.is_empty() && !options.empty {
            return Ok(Union { source: Arc::new(source), index: None, report });
        }
        let (version, user) = (&options.version, &options.annotations);
        let index = Inventory::write(items, sizes.sizes(), version, user, options.index_fallback)?;
        report.index = Some(index.digest().clone());
        source.manifests.insert(index.digest().clone(), index.clone());
        Ok(Union { source: Arc::new(source), index: Some(index), report })
    }
}
