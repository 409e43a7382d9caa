//! The one executor of all plans.
//!
//! For each image: is it there? else its manifests are read, its blobs placed (largest first, many
//! at a time, each fetched once a run), then its manifests stored children first, the tag last.
//! Images overlap, and are begun in the order of the plan, so whole images finish early.
//! Limits of hosts are not this module's business: they live in the registry client.

mod error;
mod manifests;
mod origin;
mod slots;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tracing::Instrument;

pub use self::error::TransferError;
use self::origin::Origin;
use self::slots::Slots;
use super::ended::Ended;
use super::in_place::in_place;
use super::odds::Odds;
use super::placement::{Placement, Step};
use super::plan::{Root, Target, Transfer};
use super::report::ItemReport;
use crate::graph::{Graph, WalkOptions, walk};
use crate::observe::{Event, How, Meter, Observer, Tally};
use crate::store::{Hints, Presence, Put, Remote, Source, Store, StoreError, chain};
use crate::types::{Descriptor, Digest, Manifest, Version, media};

/// How much is done at once.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// Images begun at once, of those that wait for the same hosts.
    pub images: usize,
    /// Images begun at once of all hosts.
    pub all_images: usize,
    /// Blobs in motion at once between two hosts, over all images.
    pub blobs: usize,
    /// Where images are noted that have ended.
    pub ended: Ended,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        ExecutorOptions { images: 24, all_images: 8 * 24, blobs: 48, ended: Ended::default() }
    }
}

/// Steps of one kind, begun one by one. Boxed, for the compiler to see that whoever waits for them
/// may go from thread to thread.
type Steps<'a, T> = Box<dyn Iterator<Item = BoxFuture<'a, T>> + Send + 'a>;

/// What a transfer came to.
#[derive(Debug)]
pub struct Transferred {
    /// What the image consists of; `None` when it was in place everywhere and was not read.
    pub graph: Option<Graph>,
    /// What it took.
    pub tally: Tally,
}

/// Carries out transfers that share what they learn: where blobs are, what is worth asking.
pub struct Executor {
    options: ExecutorOptions,
    observer: Arc<dyn Observer>,
    placement: Placement,
    manifests: Placement,
    odds: Odds,
    slots: Slots,
}

impl Executor {
    /// An executor for one run.
    pub fn new(options: ExecutorOptions, observer: Arc<dyn Observer>) -> Self {
        let slots = Slots::new(options.blobs);
        let (placement, manifests) = (Placement::default(), Placement::default());
        Executor { options, observer, placement, manifests, odds: Odds::default(), slots }
    }

    /// Images that should be begun at once, of those that wait for the same hosts.
    pub fn images(&self) -> usize {
        self.options.images.clamp(1, self.all_images())
    }

    /// An image has ended, and is in place or has failed.
    pub(super) fn ended(&self, report: &ItemReport) {
        self.options.ended.note(report);
    }

    /// Images that should be begun at once of all hosts.
    pub(super) fn all_images(&self) -> usize {
        self.options.all_images.max(1)
    }

    /// Who is told what happens.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        &self.observer
    }

    /// Tells that `store` holds a blob already, for others of its registry to mount from.
    pub(super) fn offer(&self, digest: &Digest, store: &Arc<dyn Store>) {
        self.placement.offer(digest, store);
    }

    /// Copies one image to all its targets. On success it is whole at each of them, under its tag.
    /// After an error some targets may have it, and no target has a tag of something incomplete.
    pub async fn transfer(&self, transfer: &Transfer) -> Result<Transferred, TransferError> {
        self.observer.event(&Event::Started { item: &transfer.item });
        let span = tracing::info_span!("image", item = transfer.item);
        let result = self.copy(transfer).instrument(span).await;
        let error = result.as_ref().err().map(|error| chain(error));
        self.observer.event(&Event::Finished { item: &transfer.item, error: error.as_deref() });
        result
    }

    async fn copy(&self, transfer: &Transfer) -> Result<Transferred, TransferError> {
        let tally = Tally::default();
        let read_error = |source| TransferError::Read { item: transfer.item.clone(), source };
        let targets = self.look(transfer, &tally).await;
        if !transfer.referrers && targets.iter().all(|(_, in_place)| *in_place) {
            return Ok(Transferred { graph: None, tally });
        }
        let root = match &transfer.root {
            Root::Read(manifest) => manifest.clone(),
            Root::Known(descriptor) => {
                transfer.from.manifest(descriptor).await.map_err(read_error)?
            }
        };
        let options = WalkOptions { referrers: transfer.referrers, ..WalkOptions::default() };
        let graph = walk(&transfer.from, root, &options).await.map_err(read_error)?;
        for (target, in_place) in targets {
            if !in_place || transfer.referrers {
                self.place(transfer, &graph, target, in_place, &tally).await?;
            }
        }
        Ok(Transferred { graph: Some(graph), tally })
    }

    /// The targets, each with whether it has the image under its tag, as far as asking is worth it.
    async fn look<'a>(&self, transfer: &'a Transfer, tally: &Tally) -> Vec<(&'a Target, bool)> {
        let wanted = &transfer.root.descriptor().digest;
        let check = move |target: &'a Target| async move {
            let domain = target.store.domain();
            let ask = target.look && target.presence == Presence::Unknown;
            if !ask || !self.odds.worth_asking(&domain, requests_saved(&transfer.root)) {
                return (target, false);
            }
            let version = match &target.tag {
                Some(tag) => Version::Tag(tag.clone()),
                None => Version::Digest(wanted.clone()),
            };
            let there = in_place(target.store.as_ref(), &version, wanted).await;
            self.odds.learn(&domain, there);
            if there {
                self.stored_manifest(tally, transfer.root.descriptor(), How::Skipped);
            }
            (target, there)
        };
        let checks: Steps<'_, _> = Box::new(transfer.to.iter().map(move |t| check(t).boxed()));
        stream::iter(checks).buffered(8).collect().await
    }

    /// Brings the whole graph to one target; of an image `in_place` only what refers to it.
    async fn place(
        &self,
        transfer: &Transfer,
        graph: &Graph,
        target: &Target,
        in_place: bool,
        tally: &Tally,
    ) -> Result<(), TransferError> {
        let skip = if in_place { graph.own_manifests().len() } else { 0 };
        let mut blobs = graph.blobs_from(skip);
        let bytes = blobs.iter().map(|blob| blob.size).sum();
        self.observer.event(&Event::Planned { items: 0, blobs: blobs.len() as u64, bytes });
        let manifests = graph.manifests()[skip..].iter().map(Manifest::descriptor);
        let platforms = manifests.filter(|manifest| !media::is_index(&manifest.media_type));
        self.observer.event(&Event::Platforms { known: platforms.count() as u64 });
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        let copy = move |blob: &Descriptor, source| TransferError::Blob {
            item: transfer.item.clone(),
            digest: blob.digest.clone(),
            target: target.label.clone(),
            source,
        };
        let copies: Steps<'_, _> = Box::new(blobs.into_iter().map(move |blob| {
            let placed = self.place_blob(transfer, blob, target, tally);
            async move { placed.await.map_err(|source| copy(blob, source)) }.boxed()
        }));
        stream::iter(copies)
            .buffer_unordered(self.options.blobs.max(1))
            .try_collect::<Vec<()>>()
            .await?;
        self.place_manifests(transfer, graph, target, skip, tally).await
    }

    async fn place_blob(
        &self,
        transfer: &Transfer,
        blob: &Descriptor,
        target: &Target,
        tally: &Tally,
    ) -> Result<(), StoreError> {
        let step = self.placement.step(&blob.digest, &target.store).await;
        let (turn, content, mount_from) = match step {
            Step::Nothing => {
                self.stored(tally, blob, How::Skipped);
                return Ok(());
            }
            Step::Mount(name) => (None, self.content(transfer, blob, None), Some(name)),
            Step::Fetch(turn, copy) => {
                let near = transfer
                    .mount_from
                    .as_ref()
                    .filter(|(domain, _)| *domain == target.store.domain());
                (Some(turn), self.content(transfer, blob, copy), near.map(|(_, name)| name.clone()))
            }
        };
        let from = transfer.mount_from.as_ref().map_or("", |(host, _)| host);
        let _slot = self.slots.take(from, &target.store.domain()).await;
        let hints = Hints { mount_from, presence: target.presence };
        let put = self.put_measured(transfer, blob, target, &content, &hints).await;
        let put = match put {
            Err(error) if blob.is_foreign() && error.is_not_found() => {
                let text = format!(
                    "{} of {} is a foreign layer that its registry does not hold; it stays behind",
                    blob.digest, transfer.item
                );
                self.observer.event(&Event::Warning { text: &text });
                return Ok(());
            }
            put => put?,
        };
        self.placement.placed(&blob.digest, &target.store);
        drop(turn);
        self.stored(tally, blob, put.into());
        Ok(())
    }

    /// Puts a blob, and tells what that took.
    async fn put_measured(
        &self,
        transfer: &Transfer,
        blob: &Descriptor,
        target: &Target,
        content: &Origin,
        hints: &Hints,
    ) -> Result<Put, StoreError> {
        let (meter, begun) = (Arc::new(Meter::default()), Instant::now());
        let host = target.store.domain();
        let span =
            tracing::info_span!("blob", digest = %blob.digest, bytes = blob.size, host = host);
        let work = async {
            let put = meter.measure(target.store.put(content, hints)).await;
            let effort = meter.read();
            tracing::debug!(
                how = put.as_ref().map_or("failed", |put| How::from(*put).as_str()),
                requests = effort.requests,
                again = effort.again,
                waited_ms = effort.waited.as_millis() as u64,
                took_ms = begun.elapsed().as_millis() as u64,
                "blob"
            );
            put
        };
        let put = work.instrument(span).await;
        self.observer.event(&Event::Blob {
            item: &transfer.item,
            digest: &blob.digest,
            bytes: blob.size,
            from: &transfer.from.place(),
            to: &target.label,
            how: put.as_ref().ok().map(|put| How::from(*put)),
            begun,
            effort: meter.read(),
        });
        put
    }

    /// The blob as it can be read: from the copy that this run made elsewhere, else the source.
    fn content(
        &self,
        transfer: &Transfer,
        blob: &Descriptor,
        copy: Option<Arc<dyn Store>>,
    ) -> Origin {
        let source = Remote::new(transfer.from.clone(), blob.clone());
        let copy = copy.map(|store| Remote::new(store as Arc<dyn Source>, blob.clone()));
        Origin { copy, source, observer: self.observer.clone() }
    }

    fn stored_manifest(&self, tally: &Tally, what: &Descriptor, how: How) {
        tally.add(what.size, how);
        let platform = !media::is_index(&what.media_type);
        self.observer.event(&Event::Manifest { bytes: what.size, how, platform });
    }

    fn stored(&self, tally: &Tally, what: &Descriptor, how: How) {
        tally.add(what.size, how);
        self.observer.event(&Event::Stored { bytes: what.size, how });
    }
}

/// A guess at the requests that an image in place saves: each manifest is read and written, each
/// blob costs one or two. Without its content an image is taken for a common one.
fn requests_saved(root: &Root) -> usize {
    match root {
        Root::Read(manifest) => 1 + 8 * manifest.manifests().count() + manifest.blobs().count(),
        Root::Known(descriptor) if media::is_index(&descriptor.media_type) => 18,
        Root::Known(_) => 8,
    }
}
