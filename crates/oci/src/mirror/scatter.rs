//! `scatter`: every item of a gathered index to where its routing says.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

use super::executor::Executor;
use super::meet::join_platforms;
use super::plan::{Root, Transfer};
use super::report::{ItemReport, Report};
use super::turns::{abreast, in_order};
use crate::inventory::Item;
use crate::observe::Event;
use crate::store::{Source, Store};
use crate::types::{Descriptor, Manifest, ManifestError, Name, Tag, media};

/// One item with its destinations, opened.
pub struct Routed {
    /// The item.
    pub item: Item,
    /// Where it is to go; nowhere means that no rule matched.
    pub destinations: Vec<Destination>,
}

/// One destination.
#[derive(Clone)]
pub struct Destination {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// The tag; none for a destination by digest.
    pub tag: Option<Tag>,
    /// The destination as the rules give it.
    pub label: String,
}

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

/// The index of manifests that are one image's platforms, as scatter makes it of a source that was
/// gathered platform by platform.
pub fn platform_index<'a>(
    platforms: impl IntoIterator<Item = &'a Descriptor>,
) -> Result<Manifest, ManifestError> {
    let children: Vec<Descriptor> = platforms
        .into_iter()
        .map(|child| Descriptor { platform: child.platform.clone(), ..child.bare() })
        .collect();
    let docker = children.iter().all(|child| child.media_type == media::DOCKER_MANIFEST);
    let media_type = if docker { media::DOCKER_LIST } else { media::OCI_INDEX };
    let index =
        serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
    Manifest::parse(media_type, index.to_string().into())
}
