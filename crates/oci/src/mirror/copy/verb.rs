//! The verb: looks at both ends of every copy, then moves what is not in place.
//!
//! Looking costs one request an end at most: the destination is asked what it has, and only when
//! it has something is the source asked whether that is the same. Copies are looked at in windows
//! ahead of those that are moved, and moved in their order, so that whole images finish early. Copies
//! between the same two hosts are one group, and no group waits for another, as far as there is room.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::known::Known;
use super::limit::{LimitFault, limit};
use super::open::Open;
use super::remember::Remembering;
use super::spec::Spec;
use crate::mirror::in_place::is_same;
use crate::mirror::odds::Odds;
use crate::mirror::plan::Root;
use crate::mirror::{Executor, ItemReport, Report, Target, Transfer, TransferError};
use crate::observe::{Event, How, Tally};
use crate::store::{Presence, Source, StoreError, chain};
use crate::stores::{OpenedDestination, OpenedSource};
use crate::types::{Descriptor, Location, LocationError, Name, Version, media};

/// Copies looked at ahead.
const WINDOW: usize = 256;
/// Copies looked at at once.
const LOOKS: usize = 64;
/// Groups under way at once.
const GROUPS: usize = 32;
/// Requests saved by finding an image in place: as for an image of a few platforms.
const SAVED: usize = 18;

/// What the operator asks of a copy.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Begin what is logged of each image with its number.
    pub numbered: bool,
}

/// Why one copy failed before anything of it was moved.
#[derive(Debug, thiserror::Error)]
enum CopyFault {
    #[error("{0} cannot be used")]
    Location(String, #[source] LocationError),
    #[error("opening the source {0} failed")]
    Source(String, #[source] StoreError),
    #[error("opening the destination {0} failed")]
    Destination(String, #[source] StoreError),
    #[error("reading the source {0} failed")]
    Read(String, #[source] StoreError),
    #[error("choosing platforms of {0} failed")]
    Limit(String, #[source] LimitFault),
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// Carries out `specs`, which were checked together. Failures are in the report, in their order.
pub async fn copy(
    executor: &Executor,
    specs: Vec<Spec>,
    open: &dyn Open,
    options: &CopyOptions,
) -> Report {
    let items = specs.len() as u64;
    executor.observer().event(&Event::Planned { items, blobs: 0, bytes: 0 });
    let run = Run::new(executor, open, options, &specs);
    let mut groups: BTreeMap<String, Vec<(usize, &Spec)>> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        groups.entry(hosts(spec)).or_default().push((index, spec));
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| group.first().map(|(index, _)| *index));
    let run = &run;
    let groups = groups.into_iter().map(|group| carry_group(run, group).boxed());
    let reports = stream::iter(groups.collect::<Vec<_>>()).buffer_unordered(GROUPS);
    let mut reports: Vec<(usize, ItemReport)> = reports.concat().await;
    reports.sort_by_key(|(index, _)| *index);
    Report { items: reports.into_iter().map(|(_, report)| report).collect(), index: None }
}

/// The hosts that a copy needs, as far as it needs any.
fn hosts(spec: &Spec) -> String {
    let host = |location: Result<Location, LocationError>| match location {
        Ok(Location::Registry(reference)) => reference.name.registry().to_owned(),
        _ => String::new(),
    };
    host(spec.source_location()) + " " + &host(spec.destination_location())
}

/// Carries out copies between the same hosts; their reports, as they came.
async fn carry_group<'a>(
    run: &Run<'a>,
    copies: Vec<(usize, &'a Spec)>,
) -> Vec<(usize, ItemReport)> {
    let images = run.executor.images();
    let mut reports = Vec::with_capacity(copies.len());
    let mut waiting = copies.into_iter();
    let mut looking: Option<BoxFuture<'_, Vec<Looked<'_>>>> = None;
    let mut ready: VecDeque<Looked<'_>> = VecDeque::new();
    let mut moving = FuturesUnordered::new();
    loop {
        if looking.is_none() && ready.len() < images {
            let window: Vec<_> = waiting.by_ref().take(WINDOW).collect();
            looking = (!window.is_empty()).then(|| run.look_at(window).boxed());
        }
        while moving.len() < images
            && let Some(looked) = ready.pop_front()
        {
            moving.push(run.finish(looked));
        }
        tokio::select! {
            window = looked(&mut looking), if looking.is_some() => {
                looking = None;
                ready.extend(window);
            }
            Some(report) = moving.next(), if !moving.is_empty() => reports.push(report),
            else => break,
        }
    }
    reports
}

/// Waits for the window that is looked at.
async fn looked<'a>(looking: &mut Option<BoxFuture<'_, Vec<Looked<'a>>>>) -> Vec<Looked<'a>> {
    match looking {
        Some(window) => window.await,
        None => Vec::new(),
    }
}

/// A copy that was looked at.
struct Looked<'a> {
    index: usize,
    spec: &'a Spec,
    outcome: Result<Outcome, CopyFault>,
}

/// What looking found.
enum Outcome {
    /// The destination has the image.
    InPlace(Descriptor),
    /// It has not, or that is not known.
    Move(Move),
}

/// What is to be moved.
struct Move {
    from: Arc<Remembering>,
    mount_from: Option<(String, Name)>,
    version: Version,
    /// What it is, when looking told.
    root: Option<Root>,
    to: OpenedDestination,
}

struct Run<'a> {
    executor: &'a Executor,
    open: &'a dyn Open,
    options: &'a CopyOptions,
    odds: Odds,
    known: Known,
    /// Room for images, of whatever hosts.
    room: Semaphore,
    shared: Mutex<HashMap<&'a str, Shared>>,
}

/// A source that several copies read.
struct Shared {
    left: usize,
    source: Option<Arc<Remembering>>,
}

impl<'a> Run<'a> {
    fn new(
        executor: &'a Executor,
        open: &'a dyn Open,
        options: &'a CopyOptions,
        specs: &'a [Spec],
    ) -> Self {
        let mut shared: HashMap<&str, Shared> = HashMap::new();
        for spec in specs {
            shared.entry(spec.source()).or_insert(Shared { left: 0, source: None }).left += 1;
        }
        shared.retain(|_, shared| shared.left > 1);
        let (odds, known) = (Odds::default(), Known::default());
        let room = Semaphore::new(executor.all_images());
        Run { executor, open, options, odds, known, room, shared: Mutex::new(shared) }
    }

    async fn look_at(&self, window: Vec<(usize, &'a Spec)>) -> Vec<Looked<'a>> {
        let mut looks = Vec::new();
        for (index, spec) in window {
            looks.push(async move { Looked { index, spec, outcome: self.look(spec).await } });
        }
        stream::iter(looks).buffered(LOOKS).collect().await
    }

    async fn look(&self, spec: &'a Spec) -> Result<Outcome, CopyFault> {
        let (from, to) = self.open_ends(spec).await?;
        let read = |error| CopyFault::Read(spec.source().to_owned(), error);
        let source = self.share(spec, from.store);
        let (mount_from, version) = (from.mount_from, from.version);
        let (found, root) = if spec.keep.is_all() {
            self.look_whole(spec, &source, &version, &to).await?
        } else {
            let chosen = async {
                let manifest = source.fetch(&version).await.map_err(read)?;
                let left = limit(&source, manifest, &spec.keep).await;
                left.map_err(|error| CopyFault::Limit(spec.source().to_owned(), error))
            };
            let (chosen, found) = futures_util::join!(chosen, self.has(spec, &to));
            (found, Some(Root::Read(chosen?)))
        };
        if let (Some(found), Some(root), false) = (found, &root, self.options.referrers)
            && is_same(to.store.as_ref(), &found, &root.descriptor().digest).await
        {
            self.known.add(&to.store, found.digest.clone()).await;
            return Ok(Outcome::InPlace(found));
        }
        Ok(Outcome::Move(Move { from: source, mount_from, version, root, to }))
    }

    /// Looks for an image that is carried as it is: what the destination has and what the source
    /// is, as far as they were asked.
    async fn look_whole(
        &self,
        spec: &Spec,
        source: &Arc<Remembering>,
        version: &Version,
        to: &OpenedDestination,
    ) -> Result<(Option<Descriptor>, Option<Root>), CopyFault> {
        // With referrers the executor looks, for what refers to an image may be new.
        let found = if self.options.referrers { None } else { self.has(spec, to).await };
        let Some(found) = found else { return Ok((None, None)) };
        let wanted = match version {
            Version::Digest(digest) => {
                if !is_same(to.store.as_ref(), &found, digest).await {
                    return Ok((Some(found), None));
                }
                found.clone()
            }
            Version::Tag(_) => {
                let read = |error| CopyFault::Read(spec.source().to_owned(), error);
                source.resolve(version).await.map_err(read)?
            }
        };
        Ok((Some(found), Some(Root::Known(Box::new(wanted)))))
    }

    async fn open_ends(&self, spec: &Spec) -> Result<(OpenedSource, OpenedDestination), CopyFault> {
        let bad = |error| CopyFault::Location(spec.source().to_owned(), error);
        let source = spec.source_location().map_err(bad)?;
        let bad = |error| CopyFault::Location(spec.destination().to_owned(), error);
        let destination = spec.destination_location().map_err(bad)?;
        let from = self.open.source(&source).await;
        let from = from.map_err(|error| CopyFault::Source(spec.source().to_owned(), error))?;
        let to = self.open.destination(&destination).await;
        let to =
            to.map_err(|error| CopyFault::Destination(spec.destination().to_owned(), error))?;
        Ok((from, to))
    }

    /// The source, as one with the other copies that read it.
    fn share(&self, spec: &Spec, store: Arc<dyn Source>) -> Arc<Remembering> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Remembering::new(store));
        let Some(entry) = shared.get_mut(spec.source()) else { return new() };
        entry.left -= 1;
        let source = entry.source.get_or_insert_with(new).clone();
        if entry.left == 0 {
            shared.remove(spec.source());
        }
        source
    }

    /// What the destination has there now, as far as asking is worth it.
    async fn has(&self, spec: &Spec, to: &OpenedDestination) -> Option<Descriptor> {
        let domain = to.store.domain();
        if !self.odds.worth_asking(&domain, SAVED) {
            return None;
        }
        let version = match (&to.tag, spec.destination_location().ok()?.reference()) {
            (Some(tag), _) => Version::Tag(tag.clone()),
            (None, Some(reference)) => reference.version(),
            (None, None) => return None,
        };
        // Whatever prevents an answer will show, with better words, when the image is moved.
        let found = to.store.resolve(&version).await.ok();
        self.odds.learn(&domain, found.is_some());
        found
    }

    async fn finish(&self, looked: Looked<'a>) -> (usize, ItemReport) {
        // Nobody closes it.
        let _room = self.room.acquire().await.ok();
        let Looked { index, spec, outcome } = looked;
        let mut report = ItemReport::new(spec.source());
        report.destinations.push(spec.destination().to_owned());
        let work = self.carry(spec, outcome, &mut report);
        let result = if self.options.numbered {
            work.instrument(tracing::error_span!("image", number = index + 1)).await
        } else {
            work.await
        };
        if let Err(error) = result {
            report.fail_by(&error);
        }
        self.executor.ended(&report);
        (index, report)
    }

    async fn carry(
        &self,
        spec: &Spec,
        outcome: Result<Outcome, CopyFault>,
        report: &mut ItemReport,
    ) -> Result<(), CopyFault> {
        let found = match outcome {
            Ok(Outcome::InPlace(found)) => {
                let tally = Tally::default();
                tally.add(found.size, How::Skipped);
                let item = spec.source();
                self.tell(&Event::Started { item });
                let platform = !media::is_index(&found.media_type);
                self.tell(&Event::Manifest { bytes: found.size, how: How::Skipped, platform });
                self.tell(&Event::Finished { item, error: None });
                report.digest = Some(found.digest);
                report.succeed(tally.totals());
                return Ok(());
            }
            Ok(Outcome::Move(found)) => found,
            Err(error) => return Err(self.failed(spec, error)),
        };
        let Move { from, mount_from, version, root, to } = found;
        let root = if let Some(root) = root {
            root
        } else {
            let read = |error| CopyFault::Read(spec.source().to_owned(), error);
            let root = from.fetch(&version).await.map_err(read);
            Root::Read(root.map_err(|error| self.failed(spec, error))?)
        };
        self.known.share(self.executor, &to.store).await;
        report.digest = Some(root.descriptor().digest.clone());
        let target = Target {
            store: to.store,
            tag: to.tag,
            label: spec.destination().to_owned(),
            presence: Presence::Unknown,
            look: self.options.referrers,
        };
        let transfer = Transfer {
            item: spec.source().to_owned(),
            from,
            mount_from,
            root,
            to: vec![target],
            referrers: self.options.referrers,
        };
        let done = self.executor.transfer(&transfer).await?;
        report.succeed(done.tally.totals());
        Ok(())
    }

    /// Tells that a copy failed before the executor had it.
    fn failed(&self, spec: &Spec, error: CopyFault) -> CopyFault {
        let (item, text) = (spec.source(), chain(&error));
        self.tell(&Event::Started { item });
        self.tell(&Event::Finished { item, error: Some(&text) });
        error
    }

    fn tell(&self, event: &Event<'_>) {
        self.executor.observer().event(event);
    }
}
