//! `gather --join`: the gathered artifacts of several processes as one.
//!
//! Each took a part of one list. The index that is written is the one that gathering the whole list
//! would have written, byte for byte; what lies in the same repository is not even looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

use super::executor::Executor;
use super::gather::{Earlier, GatherError, GatherOptions, Gathered, Harvest, Run};
use super::plan::{Root, Transfer};
use super::report::{ItemReport, Report};
use super::sources::{SourceFault, SourceImage};
use super::turns::{abreast, in_order};
use crate::inventory::{Inventory, Item};
use crate::observe::{Event, Totals};
use crate::store::{ErrorKind, Store, StoreError};
use crate::types::Tag;

/// One item, and the artifact that it is in.
struct Part {
    item: Item,
    artifact: SourceImage,
}

/// Brings every item of `artifacts` into `store`, and puts the index of all of them there under
/// `tag`, last. Platforms among `options` are not looked at. An artifact that cannot be read, or an
/// item that cannot be copied, is reported and left out.
pub async fn join(
    executor: &Executor,
    artifacts: Vec<SourceImage>,
    store: Arc<dyn Store>,
    tag: &Tag,
    options: &GatherOptions,
) -> Result<Report, GatherError> {
    let earlier = Earlier::read(&store, tag).await?;
    let run = Run { executor, store: &store, options, earlier: &earlier };
    let mut harvest = Harvest::default();
    let parts = parts(executor, artifacts, &mut harvest.report).await?;
    let items = parts.len() as u64;
    executor.observer().event(&Event::Planned { items, blobs: 0, bytes: 0 });
    let jobs = parts.into_iter().map(|part| (part.artifact.host().to_owned(), part));
    let mut brought = in_order(abreast(jobs, executor, |part| {
        let run = &run;
        async move { (part.item.source.clone(), run.bring(part).await) }.boxed()
    }));
    while let Some((text, result)) = brought.next().await {
        harvest.take(&text, result);
    }
    let mut report = std::mem::take(&mut harvest.report);
    if !harvest.is_empty() || report.failed().next().is_none() {
        report.index = Some(run.finish(harvest, tag).await?);
    }
    Ok(report)
}

/// The items of all artifacts, sorted by source. What stands in several of them as the same is one
/// item; as something else it is an error, before anything is moved.
async fn parts(
    executor: &Executor,
    artifacts: Vec<SourceImage>,
    report: &mut Report,
) -> Result<Vec<Part>, GatherError> {
    let jobs = artifacts.into_iter().map(|artifact| (artifact.host().to_owned(), artifact));
    let mut reads = in_order(abreast(jobs, executor, |artifact| {
        let work = async move {
            let items = items(&artifact).await;
            (artifact, items)
        };
        work.boxed()
    }));
    let mut found: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    while let Some((artifact, items)) = reads.next().await {
        let items = match items {
            Ok(items) => items,
            Err(error) => {
                let mut line = ItemReport::new(&artifact.text);
                line.fail_by(&error);
                report.items.push(line);
                continue;
            }
        };
        for item in items {
            let same = found.entry(item.source.clone()).or_default();
            if same.iter().any(|part| part.item == item) {
                continue;
            }
            // An artifact of ace-dt has an item for each platform of a source.
            if let Some(other) = same.iter().find(|part| part.artifact.text != artifact.text) {
                let (one, other) = (other.artifact.text.clone(), artifact.text);
                return Err(GatherError::Twice { text: item.source, one, other });
            }
            same.push(Part { item, artifact: artifact.clone() });
        }
    }
    Ok(found.into_values().flatten().collect())
}

async fn items(artifact: &SourceImage) -> Result<Vec<Item>, SourceFault> {
    let failed = |error| SourceFault::Read { text: artifact.text.clone(), source: error };
    let index = artifact.store.fetch(&artifact.version).await.map_err(failed)?;
    let inventory = Inventory::read(&index).map_err(|error| {
        let kind = ErrorKind::Protocol(crate::store::chain(&error));
        failed(StoreError::new(artifact.store.place(), kind))
    })?;
    Ok(inventory.items)
}

impl Run<'_> {
    /// Brings an item over from its artifact's repository.
    async fn bring(&self, part: Part) -> Result<Gathered, SourceFault> {
        let Part { item, artifact } = part;
        let own = self.store.name().map(|name| (self.store.domain(), name.clone()));
        let here = own.is_some() && own == artifact.mount_from;
        let earlier = self.earlier.items.get(&item.source);
        let known = earlier.is_some_and(|known| known.descriptor.digest == item.descriptor.digest);
        if here || (known && !self.options.referrers) {
            self.executor.observer().event(&Event::Finished { item: &item.source, error: None });
            return Ok(Gathered { item, totals: Totals::default(), graph: None });
        }
        let transfer = Transfer {
            item: item.source.clone(),
            from: artifact.store,
            mount_from: artifact.mount_from,
            root: Root::Known(Box::new(item.descriptor.bare())),
            to: vec![self.target()],
            referrers: self.options.referrers,
        };
        let done = self.executor.transfer(&transfer).await?;
        Ok(Gathered { item, totals: done.tally.totals(), graph: done.graph })
    }
}
