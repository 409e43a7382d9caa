//! `clone`: sources straight to where the rules send them, with nothing gathered between.
//!
//! Two halves, because rules are another crate's business: [`read_sources`] gives the items to be
//! routed, [`clone`] carries out what came of it.

use futures_util::{StreamExt, stream};

use super::executor::Executor;
use super::plan::{Root, Target, Transfer};
use super::report::{ItemReport, Report, Status};
use super::scatter::Destination;
use super::sources::{ReadSource, SourceFault, SourceImage, read_source};
use crate::observe::Event;
use crate::store::Presence;
use crate::types::Platform;

/// A source, read and routed.
pub struct RoutedSource {
    /// The source.
    pub source: SourceImage,
    /// What it is.
    pub read: ReadSource,
    /// Where it is to go; nowhere means that no rule matched.
    pub destinations: Vec<Destination>,
}

/// What the operator asks of a clone.
#[derive(Debug, Clone, Default)]
pub struct CloneOptions {
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Begin no further image once one has failed.
    pub fail_fast: bool,
}

/// Reads every source, many at a time, in their order. A source that cannot be read is no reason
/// to give up the others.
pub async fn read_sources(
    executor: &Executor,
    sources: Vec<SourceImage>,
    platforms: &[Platform],
) -> Vec<(SourceImage, Result<ReadSource, SourceFault>)> {
    stream::iter(sources)
        .map(|source| async move {
            let read = read_source(&source, platforms).await;
            (source, read)
        })
        .buffered(executor.images())
        .collect()
        .await
}

/// Sends each source to its destinations. Failures are in the report, in the order of the sources;
/// with `fail_fast` images that were not begun are missing from it.
pub async fn clone(
    executor: &Executor,
    routed: Vec<RoutedSource>,
    options: &CloneOptions,
) -> Report {
    let count = routed.iter().filter(|routed| !routed.destinations.is_empty()).count();
    executor.observer().event(&Event::Planned { items: count as u64, blobs: 0, bytes: 0 });
    let mut reports = stream::iter(routed)
        .map(|routed| send(executor, routed, options.referrers))
        .buffered(executor.images());
    let mut items = Vec::new();
    while let Some(report) = reports.next().await {
        let failed = report.status == Status::Failed;
        items.push(report);
        if failed && options.fail_fast {
            break;
        }
    }
    Report { items, index: None }
}

async fn send(executor: &Executor, routed: RoutedSource, referrers: bool) -> ItemReport {
    let mut report = ItemReport::new(&routed.source.text);
    report.digest = Some(routed.read.root.digest().clone());
    report.destinations = routed.destinations.iter().map(|to| to.label.clone()).collect();
    if routed.destinations.is_empty() {
        return report;
    }
    let to = routed.destinations.into_iter().map(Destination::target).collect();
    let transfer = Transfer {
        item: routed.source.text,
        from: routed.source.store,
        mount_from: routed.source.mount_from,
        root: Root::Read(routed.read.root),
        to,
        referrers,
    };
    match executor.transfer(&transfer).await {
        Ok(done) => report.succeed(done.tally.totals()),
        Err(error) => report.fail_by(&error),
    }
    report
}

impl Destination {
    /// As a target of which nothing is known.
    pub(super) fn target(self) -> Target {
        let presence = Presence::Unknown;
        Target { store: self.store, tag: self.tag, label: self.label, presence, look: true }
    }
}
