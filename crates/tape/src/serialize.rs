//! The verb serialize: a graph, from wherever it lives, onto a medium.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use crate::apart::apart;
use crate::archive::{ArchiveOptions, Body, Entry, Layout, Omitted, Placed, Plan, PlanError};
use crate::buffer::{BlockBuffer, BufferOptions, Flow};
use crate::defaults::{CONCURRENCY, DEFAULT_MEMORY};
use crate::device::{Destination, Device, DeviceError, OpenOptions};
use crate::framing::{Compression, Encoder};
use crate::ledger::LedgerDraft;
use crate::needed::named;
use crate::pool::Pool;
use crate::prefetch::{Ahead, Prefetch, is_far};
use crate::resume::{Point, Resume, ResumeError, prepare, whole};
use crate::writer::{LARGEST_CHARGE, Writer};
use airlift_oci::graph::{Graph, WalkOptions, walk};
use airlift_oci::observe::{Event, Observer};
use airlift_oci::store::{Source, StoreError};
use airlift_oci::types::{Digest, Manifest};

/// Bytes of blobs that are fetched ahead, at most, besides what the buffer has no use for.
const MAX_AHEAD: u64 = 30 << 20;
/// The same where the place is near: nothing is gained by more.
const MAX_AHEAD_NEAR: u64 = 12 << 20;

/// Lengths of blocks of which the memory serves for what is fetched ahead, too.
const PIECES: RangeInclusive<u64> = (256 << 10)..=(2 << 20);
/// Else this is the length of its pieces, and how many are kept at most.
const PIECE: usize = 256 << 10;
const SPARE: usize = 32;

/// How an archive is written.
#[derive(Debug, Clone)]
pub struct SerializeOptions {
    /// What its bytes depend on. The record is that of `block`, when that is given.
    pub archive: ArchiveOptions,
    /// Compression.
    pub compression: Compression,
    /// Bytes of a block: a multiple of 512. None: what suits the destination.
    pub block: Option<u64>,
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Bytes of the buffer before the device.
    pub memory: u64,
    /// Percentage of the buffer that must be filled before the device starts. None: what suits
    /// the destination.
    pub high_water: Option<u8>,
    /// Requests at once.
    pub concurrency: usize,
    /// The ledger to be written.
    pub checkpoint: Option<PathBuf>,
    /// Go on with what an interrupted run left.
    pub resume: Resume,
    /// Overwrite what is there.
    pub force: bool,
}

impl Default for SerializeOptions {
    fn default() -> Self {
        SerializeOptions {
            archive: ArchiveOptions::default(),
            compression: Compression::None,
            block: None,
            referrers: false,
            memory: DEFAULT_MEMORY,
            high_water: None,
            concurrency: CONCURRENCY,
            checkpoint: None,
            resume: Resume::No,
            force: false,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The root.
    pub root: Digest,
    /// Length of the archive on the medium.
    pub bytes: u64,
    /// Entries in it: documents, directories, manifests and blobs.
    pub entries: u64,
    /// The gathered images, by their sources.
    pub images: Vec<(String, Digest)>,
    /// Manifests in it, the transfer manifest not counted.
    pub manifests: u64,
    /// Blobs in it, those of the transfer manifest not counted.
    pub blobs: u64,
    /// Blobs that were left out: the far side has them, or they may not be distributed.
    pub omitted: Vec<Omitted>,
    /// How the device fared.
    pub flow: Flow,
    /// Whether the archive was there already, whole: then nothing was written.
    pub found: bool,
}

impl Written {
    fn new(root: Digest, manifests: u64, plan: &Plan) -> Self {
        let items = plan.transfer.items.iter();
        Written {
            root,
            bytes: 0,
            entries: plan.layout.placed().len() as u64,
            images: items.map(|item| (item.source.clone(), item.digest.clone())).collect(),
            manifests,
            blobs: plan.transfer.blobs.len() as u64,
            omitted: plan.transfer.omitted.clone(),
            flow: Flow::default(),
            found: false,
        }
    }
}

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerializeError {
    /// The source failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob cannot be had, so the archive, which has its place for it, cannot be completed.
    #[error("{digest} cannot be had from the source; it is needed by {}", named(.images))]
    Blob {
        /// The blob.
        digest: Digest,
        /// The gathered images that need it; none when the archive is of one image.
        images: Vec<String>,
        /// Why.
        source: Box<StoreError>,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The archive cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What an interrupted run left cannot be gone on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The medium is full, and another one has to take the rest.
    #[error(
        "{place} is full: {safe} bytes of the archive are safe on it, the rest is not. {}",
        next(.ledger.as_deref(), *safe)
    )]
    EndOfMedium {
        /// The medium.
        place: String,
        /// Bytes that are safe on it.
        safe: u64,
        /// The ledger that says what these are.
        ledger: Option<PathBuf>,
    },
}

fn next(ledger: Option<&std::path::Path>, safe: u64) -> String {
    let Some(ledger) = ledger else {
        return "No ledger was kept (--checkpoint), so what is on it is not known: write the archive again, with one".to_owned();
    };
    let offset = safe + 1;
    format!(
        "Put the rest on the next medium: serialize the same image to it with --existing-from-checkpoint {}:{offset} and another --checkpoint. On the other side give deserialize both media, this one first",
        ledger.display()
    )
}

/// Writes everything reachable from `root`, in `source`, as one archive.
///
/// The archive's bytes depend on the graph and `options.archive` alone. Nothing is written before
/// the whole graph is known. Dropped, it stops the device after the block in flight, with the
/// ledger up to date.
pub async fn serialize(
    source: Arc<dyn Source>,
    root: Manifest,
    destination: Destination,
    options: &SerializeOptions,
    observer: Arc<dyn Observer>,
) -> Result<Written, SerializeError> {
    destination.check(options.force, options.resume != Resume::No)?;
    let walking = WalkOptions { referrers: options.referrers, ..WalkOptions::default() };
    let graph = walk(&source, root, &walking).await?;
    let mut archive = options.archive.clone();
    archive.record = options.block.unwrap_or_else(|| destination.default_block());
    leave_out_foreign(&source, &graph, &mut archive, &*observer).await?;
    let plan = Arc::new(Plan::new(&graph, &archive)?);
    // Of a large artifact it holds as much as the plan, which has everything that is needed.
    let (root, manifests) = (graph.root().digest().clone(), graph.manifests().len() as u64);
    drop(graph);
    if let Some(bytes) = found(&destination, &plan, options).await? {
        return Ok(Written { bytes, found: true, ..Written::new(root, manifests, &plan) });
    }
    let sizes = BufferOptions {
        block: usize::try_from(destination.piece(archive.record)).unwrap_or(usize::MAX),
        memory: destination.buffer(options.memory),
        high_water: options.high_water.unwrap_or_else(|| destination.default_high_water()),
    };
    let resume = options.resume != Resume::No;
    let open = OpenOptions { force: options.force, resume, block: archive.record };
    sizes.check()?;
    let draft = draft_ledger(options)?;
    let (device, point) = open_device(destination, open, &plan, options).await?;
    let ledger = draft.map(|(draft, path)| {
        draft.begin(&point.lines).map_err(|source| DeviceError::Ledger { path, source })
    });
    let buffer =
        BlockBuffer::start(device, point.at, sizes, ledger.transpose()?, observer.clone())?;
    announce(&plan, &point, &*observer);
    let streaming = stream(source, &plan, buffer, &point, options, observer);
    let ended =
        |error: SerializeError| end_of_medium(error.of(&plan.layout), &plan.layout, options);
    let flow = streaming.await.map_err(ended)?;
    let bytes = flow.written;
    Ok(Written { bytes, flow, ..Written::new(root, manifests, &plan) })
}

/// Layers that may not be distributed are often not where the image is, but at the place that its
/// manifest names. Those that the source lacks are left out, as other tools leave them out.
async fn leave_out_foreign(
    source: &Arc<dyn Source>,
    graph: &Graph,
    archive: &mut ArchiveOptions,
    observer: &dyn Observer,
) -> Result<(), StoreError> {
    let known = archive.existing.keys().cloned().collect::<BTreeSet<Digest>>();
    for blob in graph.blobs().iter().filter(|blob| blob.is_foreign()) {
        if known.contains(&blob.digest) {
            continue;
        }
        match source.open(blob, 0).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                let url = blob.urls.first().map_or("", String::as_str);
                let text = format!(
                    "the layer {} may not be distributed and is not in {}: it is left out, to be had from {url}",
                    blob.digest,
                    source.place()
                );
                observer.event(&Event::Warning { text: &text });
                archive.existing.insert(blob.digest.clone(), url.to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The length of the archive, when a run that is to go on has nothing left to do.
async fn found(
    destination: &Destination,
    plan: &Arc<Plan>,
    options: &SerializeOptions,
) -> Result<Option<u64>, SerializeError> {
    let Destination::File(path) = destination else { return Ok(None) };
    if options.resume == Resume::No || options.force {
        return Ok(None);
    }
    let (path, plan, compression) = (path.clone(), plan.clone(), options.compression);
    let place = path.display().to_string();
    let looking = apart(move || whole(&path, &plan.layout, compression)).await;
    let length = looking.unwrap_or(Ok(None)).map_err(|source| ResumeError::read(&place, source))?;
    Ok(length)
}

/// Opens the device and finds where to begin. Devices block: not on this thread.
async fn open_device(
    destination: Destination,
    open: OpenOptions,
    plan: &Arc<Plan>,
    options: &SerializeOptions,
) -> Result<(Box<dyn Device>, Point), SerializeError> {
    let (plan, compression) = (plan.clone(), options.compression);
    let (resume, checkpoint) = (options.resume.clone(), options.checkpoint.clone());
    // Opening a FIFO waits for its reader, a drive for its tape: nobody waits for that at an end.
    let opening = apart(move || {
        let mut device = destination.open(open)?;
        let (layout, ledger) = (&plan.layout, checkpoint.as_deref());
        match prepare(&mut *device, layout, compression, &resume, ledger) {
            Ok(point) => Ok((device, point)),
            Err(error) => {
                device.withdraw();
                Err(error.into())
            }
        }
    });
    opening.await.unwrap_or_else(|| Err(DeviceError::Lost("the device".to_owned()).into()))
}

/// Makes room for the ledger, before the medium is touched. A ledger of an earlier run is not
/// overwritten by one that begins anew.
fn draft_ledger(options: &SerializeOptions) -> Result<Option<(LedgerDraft, PathBuf)>, DeviceError> {
    let Some(path) = options.checkpoint.as_ref() else { return Ok(None) };
    let held = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
    if held && options.resume == Resume::No && !options.force {
        return Err(DeviceError::Settings(format!(
            "the ledger {} exists already; choose another name, or say --resume to go on with its run, or --force to overwrite it",
            path.display()
        )));
    }
    let draft = LedgerDraft::new(path)
        .map_err(|source| DeviceError::Ledger { path: path.clone(), source })?;
    Ok(Some((draft, path.clone())))
}

async fn stream(
    source: Arc<dyn Source>,
    plan: &Arc<Plan>,
    buffer: BlockBuffer,
    point: &Point,
    options: &SerializeOptions,
    observer: Arc<dyn Observer>,
) -> Result<Flow, SerializeError> {
    let first = plan.layout.entry_at(point.archive);
    let bytes = blobs(&plan.layout.placed()[first..]).map(Entry::size).sum();
    let ahead = ahead(&*source, options, &buffer);
    if ahead.lent > 0 {
        buffer.lend();
    }
    let blobs = (first..plan.layout.placed().len()).filter_map({
        let plan = plan.clone();
        move |at| blobs(&plan.layout.placed()[at..=at]).next()?.descriptor().map(Arc::new)
    });
    let prefetch = Prefetch::start(source.clone(), blobs, bytes, ahead, options.concurrency);
    let encoder = Encoder::new(buffer, options.compression, plan.transfer.record, point);
    let writer = Writer::new(encoder, observer);
    let encoder = writer.write(&plan.layout, point.archive, &*source, prefetch).await?;
    Ok(encoder.finish().await?)
}

/// The blobs among entries.
fn blobs(entries: &[Placed]) -> impl Iterator<Item = &Entry> {
    let entries = entries.iter().map(|placed| &placed.entry);
    entries.filter(|entry| matches!(entry.body, Body::Blob))
}

/// What is fetched ahead. Over a long line many connections with long requests need memory, so
/// that of the buffer before the device serves for it too, as long as the buffer is empty: bytes go
/// from one to the other as they are. Not where they are compressed in between.
fn ahead(source: &dyn Source, options: &SerializeOptions, buffer: &BlockBuffer) -> Ahead {
    let block = buffer.block() as u64;
    let far = is_far(&source.line());
    let lends = options.compression == Compression::None && far;
    let lent = if lends { options.memory + block + LARGEST_CHARGE } else { 0 };
    // Blocks that are far shorter or longer than what is read at once are of no use for it.
    let pool = if PIECES.contains(&block) { buffer.pool() } else { Pool::new(PIECE, SPARE) };
    let most = if far { MAX_AHEAD } else { MAX_AHEAD_NEAR };
    Ahead { own: options.memory.min(most), lent, pool: Some(pool) }
}

fn end_of_medium(
    error: SerializeError,
    layout: &Layout,
    options: &SerializeOptions,
) -> SerializeError {
    match error {
        SerializeError::Device(DeviceError::Full { place, synced, removable: true, .. }) => {
            let ledger = options.checkpoint.clone();
            SerializeError::EndOfMedium { place, safe: synced, ledger }
        }
        // How long it is compressed shows only when it is whole.
        SerializeError::Device(error) if options.compression == Compression::None => {
            error.needing(layout.end()).into()
        }
        other => other,
    }
}

/// Tells what is still to be written.
fn announce(plan: &Plan, point: &Point, observer: &dyn Observer) {
    let rest = &plan.layout.placed()[plan.layout.entry_at(point.archive)..];
    observer.event(&Event::Planned {
        items: 0,
        blobs: rest.iter().filter(|placed| placed.entry.digest().is_some()).count() as u64,
        bytes: blobs(rest).map(Entry::size).sum(),
    });
}
