//! `scatter`: every item of a gathered index to where its routing says.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

use super::executor::Executor;
use super::meet::join_platforms;
pub use super::meet::platform_index;
use super::plan::{Root, Transfer};
use super::report::{ItemReport, Report};
pub use super::routed::{Destination, Routed};
use super::turns::{abreast, in_order};
use crate::observe::Event;
use crate::store::Source;
use crate::types::{ManifestError, Name};

/// What the operator asks of a scatter.
#[derive(Debug, Clone, Default)]
pub struct ScatterOptions {
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
}

/// Sends each item from the gathered repository `from` to its destinations. `mount_from` is that
/// repository's domain and name, when it is in a registry. Failures of items are in the report.
pub async fn scatter(
    executor: &Executor,
    from: Arc<dyn Source>,
    mount_from: Option<(String, Name)>,
    routed: Vec<Routed>,
    options: &ScatterOptions,
) -> Report {
    let count = routed.iter().filter(|routed| !routed.destinations.is_empty()).count();
    executor.observer().event(&Event::Planned { items: count as u64, blobs: 0, bytes: 0 });
    let jobs = join_platforms(routed).into_iter().map(|(root, routed)| {
        let hosts = Destination::hosts(&routed.destinations).collect::<Vec<_>>().join(" ");
        (hosts, (root, routed))
    });
    let reports = abreast(jobs, executor, |(root, routed)| {
        send(executor, from.clone(), mount_from.clone(), root, routed, options).boxed()
    });
    Report { items: in_order(reports).collect().await, index: None }
}

async fn send(
    executor: &Executor,
    from: Arc<dyn Source>,
    mount_from: Option<(String, Name)>,
    root: Result<Root, ManifestError>,
    routed: Routed,
    options: &ScatterOptions,
) -> ItemReport {
    let mut report = ItemReport::new(&routed.item.source);
    report.destinations = routed.destinations.iter().map(|to| to.label.clone()).collect();
    if routed.destinations.is_empty() {
        return report;
    }
    let to = routed.destinations.into_iter().map(Destination::target);
    let root = match root {
        Ok(root) => root,
        Err(error) => {
            report.fail_by(&error);
            return report;
        }
    };
    report.digest = Some(root.descriptor().digest.clone());
    let (item, referrers) = (routed.item.source, options.referrers);
    let transfer = Transfer { item, from, mount_from, root, to: to.collect(), referrers };
    match executor.transfer(&transfer).await {
        Ok(done) => report.succeed(done.tally.totals()),
        Err(error) => report.fail_by(&error),
    }
    executor.ended(&report);
    report
}
