//! `gather`: every source into one repository, and an index that says what was gathered.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::executor::Executor;
use super::harvest::Harvest;
use super::plan::{Root, Target, Transfer};
use super::report::Report;
use super::sources::{SourceFault, SourceImage, read_source, resolve_source};
use crate::graph::Graph;
use crate::inventory::{Inventory, InventoryError, Item};
use crate::observe::{Event, Totals};
use crate::store::{Presence, Store, StoreError};
use crate::types::{Annotations, Descriptor, Digest, Manifest, Platform, Tag, Version};

/// What the operator asks of a gather.
#[derive(Debug, Clone, Default)]
pub struct GatherOptions {
    /// Platforms to select; none means all.
    pub platforms: Vec<Platform>,
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Name indexes in an annotation instead of as children.
    pub index_fallback: bool,
    /// Annotations for the index.
    pub annotations: Annotations,
    /// Name and version of the program, for the index.
    pub version: String,
    /// Write the index even of nothing: a part of a list may be empty, and is none the less done.
    pub empty: bool,
}

/// Why nothing was gathered. Failures of single sources are in the report instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The index could not be made.
    #[error("making the gathered index failed")]
    Index(#[from] InventoryError),
    /// The destination could not be read or written.
    #[error("the destination {place} cannot be used")]
    Destination {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Two artifacts that are to be joined have a source with different content.
    #[error("{text} is in {one} and in {other} with different content; gather one of them anew")]
    Twice {
        /// The source.
        text: String,
        /// The artifact that has it.
        one: String,
        /// The other artifact.
        other: String,
    },
}

/// What became of one source.
pub(super) struct Gathered {
    pub(super) item: Item,
    pub(super) totals: Totals,
    /// What it consists of; `None` when it is known to be in place.
    pub(super) graph: Option<Graph>,
}

/// Copies every source into `store` and puts the gathered index there under `tag`, last.
///
/// What the index at `tag` already lists with the same content is not looked at again, unless
/// referrers are to be followed, which may have been added since. A source that fails is reported
/// and left out of the index; when all fail no index is written, nor when there are none, unless
/// [`GatherOptions::empty`].
pub async fn gather(
    executor: &Executor,
    sources: Vec<SourceImage>,
    store: Arc<dyn Store>,
    tag: &Tag,
    options: &GatherOptions,
) -> Result<Report, GatherError> {
    let earlier = Earlier::read(&store, tag).await?;
    let run = Run { executor, store: &store, options, earlier: &earlier };
    let count = sources.len() as u64;
    executor.observer().event(&Event::Planned { items: count, blobs: 0, bytes: 0 });
    let mut results = stream::iter(sources)
        .map(|source| {
            let run = &run;
            async move { (source.text.clone(), run.source(source).await) }
        })
        .buffered(executor.images());
    let mut harvest = Harvest::default();
    while let Some((text, result)) = results.next().await {
        harvest.take(&text, result);
    }
    let mut report = std::mem::take(&mut harvest.report);
    if !harvest.is_empty() || options.empty {
        report.index = Some(run.finish(harvest, tag).await?);
    }
    Ok(report)
}

/// What the destination holds from an earlier gather.
pub(super) struct Earlier {
    pub(super) index: Option<Manifest>,
    pub(super) items: HashMap<String, Item>,
    pub(super) presence: Presence,
}

impl Earlier {
    pub(super) async fn read(store: &Arc<dyn Store>, tag: &Tag) -> Result<Self, GatherError> {
        let failed = |source| GatherError::Destination { place: store.place(), source };
        match store.fetch(&Version::Tag(tag.clone())).await {
            Ok(index) => {
                let inventory =
                    Inventory::read(&index).map(|inventory| inventory.items).unwrap_or_default();
                let items = inventory.into_iter().map(|item| (item.source.clone(), item)).collect();
                Ok(Earlier { index: Some(index), items, presence: Presence::Unknown })
            }
            Err(error) if error.is_not_found() => {
                // A repository that does not exist is empty: nothing in it need be asked for.
                let fresh = match store.tags().await {
                    Ok(_) => false,
                    Err(error) if error.is_not_found() => true,
                    Err(error) => return Err(failed(error)),
                };
                let presence = if fresh { Presence::Absent } else { Presence::Unknown };
                Ok(Earlier { index: None, items: HashMap::new(), presence })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The earlier item of a source that still is what it was.
    fn same(&self, source: &str, found: &Digest) -> Option<&Item> {
        let item = self.items.get(source)?;
        let was = item.source_index.as_ref().unwrap_or(&item.descriptor.digest);
        (was == found).then_some(item)
    }
}

pub(super) struct Run<'a> {
    pub(super) executor: &'a Executor,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) options: &'a GatherOptions,
    pub(super) earlier: &'a Earlier,
}

impl Run<'_> {
    async fn source(&self, source: SourceImage) -> Result<Gathered, SourceFault> {
        if self.earlier.items.contains_key(&source.text) && !self.options.referrers {
            let found = resolve_source(&source).await?;
            if let Some(item) = self.unchanged(&source, &found) {
                self.executor
                    .observer()
                    .event(&Event::Finished { item: &source.text, error: None });
                return Ok(Gathered { item, totals: Totals::default(), graph: None });
            }
        }
        let read = read_source(&source, &self.options.platforms).await?;
        let transfer = Transfer {
            item: source.text.clone(),
            from: source.store.clone(),
            mount_from: source.mount_from.clone(),
            root: Root::Read(read.root),
            to: vec![self.target()],
            referrers: self.options.referrers,
        };
        let done = self.executor.transfer(&transfer).await?;
        Ok(Gathered { item: read.item, totals: done.tally.totals(), graph: done.graph })
    }

    /// The repository that everything is gathered into.
    pub(super) fn target(&self) -> Target {
        Target {
            store: self.store.clone(),
            tag: None,
            label: self.store.place(),
            presence: self.earlier.presence,
            look: true,
        }
    }

    /// The item of an earlier gather, when source, platforms and content are the same.
    fn unchanged(&self, source: &SourceImage, found: &Descriptor) -> Option<Item> {
        let item = self.earlier.same(&source.text, &found.digest)?;
        let platforms = &self.options.platforms;
        let same_platforms =
            match (&item.descriptor.platform, &item.source_index, platforms.as_slice()) {
                (None, None, []) => true,
                (Some(have), Some(_), [want]) => have.satisfies(want),
                _ => false,
            };
        let mut item = item.clone();
        let index = item.descriptor.annotations.remove(crate::types::media::SOURCE_INDEX);
        let bare = Descriptor { annotations: Annotations::new(), ..item.descriptor };
        let mut new = Item::new(&bare, &source.text, source.labels.clone(), None);
        if let Some(text) = index {
            new.descriptor.annotations.insert(crate::types::media::SOURCE_INDEX.to_owned(), text);
            new.source_index.clone_from(&item.source_index);
        }
        same_platforms.then_some(new)
    }
}
