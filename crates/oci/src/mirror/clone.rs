//! `clone`: sources straight to where the rules send them, with nothing gathered between.
//!
//! Two halves, because rules are another crate's business: [`read_sources`] gives the items to be
//! routed, [`clone`] carries out what came of it.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt};

use super::executor::Executor;
use super::plan::{Root, Target, Transfer};
use super::report::{ItemReport, Report, Status};
use super::scatter::Destination;
use super::sources::{ReadSource, SourceFault, SourceImage, read_source};
use super::turns::{abreast, in_order};
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
    let jobs = sources.into_iter().map(|source| (source.host().to_owned(), source));
    let reads = abreast(jobs, executor, |source| {
        let work = async move {
            let read = read_source(&source, platforms).await;
            (source, read)
        };
        work.boxed()
    });
    in_order(reads).collect().await
}

/// Sends each source to its destinations. Failures are in the report, in the order of the sources;
/// with `fail_fast` images that had not ended by the first of them are missing from it.
pub async fn clone(
    executor: &Executor,
    routed: Vec<RoutedSource>,
    options: &CloneOptions,
) -> Report {
    let count = routed.iter().filter(|routed| !routed.destinations.is_empty()).count();
    executor.observer().event(&Event::Planned { items: count as u64, blobs: 0, bytes: 0 });
    let jobs = routed.into_iter().map(|routed| {
        let hosts = routed.source.host().to_owned();
        (
            Destination::hosts(&routed.destinations).fold(hosts, |all, host| all + " " + &host),
            routed,
        )
    });
    let referrers = options.referrers;
    let mut reports = abreast(jobs, executor, |routed| send(executor, routed, referrers).boxed());
    let mut items = Vec::new();
    while let Some((number, report)) = reports.next().await {
        let failed = report.status == Status::Failed;
        items.push((number, report));
        if failed && options.fail_fast {
            break;
        }
    }
    drop(reports);
    items.sort_by_key(|(number, _)| *number);
    Report { items: items.into_iter().map(|(_, report)| report).collect(), index: None }
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
    executor.ended(&report);
    report
}

impl Destination {
    /// The hosts of `all`, each once.
    pub(super) fn hosts(all: &[Destination]) -> impl Iterator<Item = String> {
        all.iter().map(|to| to.store.domain()).collect::<BTreeSet<_>>().into_iter()
    }

    /// As a target of which nothing is known.
    pub(super) fn target(self) -> Target {
        let presence = Presence::Unknown;
        Target { store: self.store, tag: self.tag, label: self.label, presence, look: true }
    }
}
