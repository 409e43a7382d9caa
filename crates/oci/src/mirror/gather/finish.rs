//! The end of a gather: the index that names what came in.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::harvest::Harvest;
use super::options::GatherError;
use super::run::Run;
use crate::graph::{SizeCounter, WalkOptions, walk};
use crate::inventory::{Inventory, Item, Sizes};
use crate::store::{Source, StoreError};
use crate::types::{Descriptor, Digest, Tag, media};

impl Run<'_> {
    /// Puts the index, unless it is there already.
    pub(in crate::mirror) async fn finish(
        &self,
        harvest: Harvest,
        tag: &Tag,
    ) -> Result<Digest, GatherError> {
        let failed = |source| GatherError::Destination { place: self.store.place(), source };
        let write = |items, sizes| {
            let (version, user) = (&self.options.version, &self.options.annotations);
            Inventory::write(items, sizes, version, user, self.options.index_fallback)
        };
        if let (Some(earlier), Some(sizes)) =
            (&self.earlier.index, self.earlier_sizes(&harvest.items))
        {
            let index = write(harvest.items.clone(), sizes)?;
            if index.digest() == earlier.digest() {
                return Ok(index.digest().clone());
            }
        }
        let Harvest { items, counter, unread, .. } = harvest;
        let sizes = self.sizes(counter, unread).await.map_err(failed)?;
        let index = write(items, sizes)?;
        self.store.put_manifest(&index, Some(tag)).await.map_err(failed)?;
        Ok(index.digest().clone())
    }

    /// The sizes that the earlier index states, when nothing that counts for them has changed.
    fn earlier_sizes(&self, items: &[Item]) -> Option<Sizes> {
        let same = |item: &Item| {
            let earlier = self.earlier.items.get(&item.source);
            earlier.is_some_and(|earlier| earlier.descriptor.digest == item.descriptor.digest)
        };
        if items.len() != self.earlier.items.len() || !items.iter().all(same) {
            return None;
        }
        let index = self.earlier.index.as_ref()?;
        let number = |key| index.annotation(key)?.parse().ok();
        Some(Sizes { total: number(media::SIZE_TOTAL)?, deduplicated: number(media::SIZE_DEDUP)? })
    }

    /// Counts the sizes of everything gathered; what was not read in this run is read back.
    async fn sizes(
        &self,
        mut counter: SizeCounter,
        unread: Vec<Descriptor>,
    ) -> Result<Sizes, StoreError> {
        let source: Arc<dyn Source> = self.store.clone();
        let graphs = stream::iter(unread).map(|root| {
            let source = &source;
            async move { walk(source, source.manifest(&root).await?, &WalkOptions::default()).await }
        });
        let mut graphs = graphs.buffered(16);
        while let Some(graph) = graphs.next().await {
            counter.add(&graph?);
        }
        Ok(counter.sizes())
    }
}
