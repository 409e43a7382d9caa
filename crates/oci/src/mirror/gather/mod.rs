//! `gather`: every source into one repository, and an index that says what was gathered.

mod earlier;
mod finish;
mod harvest;
mod options;
mod run;

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

pub(super) use earlier::Earlier;
pub(super) use harvest::{Gathered, Harvest};
pub use options::{GatherError, GatherOptions};
pub(super) use run::Run;

use super::executor::Executor;
use super::report::Report;
use super::sources::SourceImage;
use super::turns::{abreast, in_order};
use crate::observe::Event;
use crate::store::Store;
use crate::types::Tag;

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
    let jobs = sources.into_iter().map(|source| (source.host().to_owned(), source));
    let mut results = in_order(abreast(jobs, executor, |source| {
        let run = &run;
        async move { (source.text.clone(), run.source(source).await) }.boxed()
    }));
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
