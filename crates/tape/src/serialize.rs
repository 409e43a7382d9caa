//! The verb serialize: a graph, from wherever it lives, onto a medium.

use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::{ArchiveOptions, Plan, PlanError};
use crate::buffer::{BlockBuffer, BufferOptions, Flow};
use crate::device::{Destination, DeviceError, OpenOptions};
use crate::ledger::LedgerWriter;
use crate::prefetch::Prefetch;
use crate::writer::Writer;
use airlift_oci::graph::{Graph, WalkOptions, walk};
use airlift_oci::observe::{Event, Observer};
use airlift_oci::store::{Source, StoreError};
use airlift_oci::types::{Digest, Manifest};

/// Bytes of the block buffer when nothing else is asked for.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// Bytes of blobs that are fetched ahead, at most.
const MAX_AHEAD: u64 = 64 << 20;
/// Files and pipes are written in pieces of about this many bytes, whatever the record is.
const PIECE: u64 = 1 << 20;

/// How an archive is written.
#[derive(Debug, Clone)]
pub struct SerializeOptions {
    /// What its bytes depend on.
    pub archive: ArchiveOptions,
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Bytes of the buffer before the device.
    pub memory: u64,
    /// Percentage of the buffer that must be filled before the device starts.
    pub high_water: u8,
    /// Requests at once.
    pub concurrency: usize,
    /// The ledger to be written.
    pub checkpoint: Option<PathBuf>,
    /// Overwrite what is there.
    pub force: bool,
}

impl Default for SerializeOptions {
    fn default() -> Self {
        SerializeOptions {
            archive: ArchiveOptions::default(),
            referrers: false,
            memory: DEFAULT_MEMORY,
            high_water: 0,
            concurrency: 8,
            checkpoint: None,
            force: false,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The root.
    pub root: Digest,
    /// Length of the archive on the medium.
    pub bytes: u64,
    /// Manifests in it, the transfer manifest not counted.
    pub manifests: u64,
    /// Blobs in it, those of the transfer manifest not counted.
    pub blobs: u64,
    /// Blobs that were left out because the far side has them.
    pub omitted: u64,
    /// How the device fared.
    pub flow: Flow,
}

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerializeError {
    /// The source failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The archive cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
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
    let walking = WalkOptions { referrers: options.referrers, ..WalkOptions::default() };
    let graph = walk(&source, root, &walking).await?;
    let plan = Plan::new(&graph, &options.archive)?;
    let sizes = BufferOptions {
        block: piece(options.archive.record),
        memory: options.memory,
        high_water: options.high_water,
    };
    let open = OpenOptions { force: options.force, resume_at: None };
    let device = destination.open(open)?;
    let ledger = options.checkpoint.as_ref().map(|path| {
        LedgerWriter::create(path, &[])
            .map_err(|source| DeviceError::Ledger { path: path.clone(), source })
    });
    let buffer = BlockBuffer::start(device, 0, sizes, ledger.transpose()?)?;
    announce(&graph, &plan, &*observer);
    let flow = stream(source, &plan, buffer, options, observer).await?;
    Ok(Written {
        root: graph.root().digest().clone(),
        bytes: flow.written,
        manifests: graph.manifests().len() as u64,
        blobs: plan.transfer.blobs.len() as u64,
        omitted: plan.transfer.omitted.len() as u64,
        flow,
    })
}

async fn stream(
    source: Arc<dyn Source>,
    plan: &Plan,
    buffer: BlockBuffer,
    options: &SerializeOptions,
    observer: Arc<dyn Observer>,
) -> Result<Flow, SerializeError> {
    use crate::archive::Body;
    let from = 0;
    let rest = &plan.layout.placed()[plan.layout.entry_at(from)..];
    let blobs = rest.iter().filter(|placed| matches!(placed.entry.body, Body::Blob));
    let blobs = blobs.filter_map(|placed| placed.entry.descriptor.clone()).collect();
    let place = source.place();
    let ahead = options.memory.min(MAX_AHEAD);
    let prefetch = Prefetch::start(source, blobs, ahead, options.concurrency);
    let buffer = Writer::new(buffer, observer).write(&plan.layout, from, &place, prefetch).await?;
    Ok(buffer.finish().await?)
}

fn announce(graph: &Graph, plan: &Plan, observer: &dyn Observer) {
    observer.event(&Event::Planned {
        items: plan.transfer.items.len().max(1) as u64,
        blobs: (graph.manifests().len() + plan.transfer.blobs.len()) as u64,
        bytes: plan.transfer.blobs.iter().map(|blob| blob.size).sum(),
    });
}

/// The unit of writing a file: a multiple of the record, so that every write is a whole one.
fn piece(record: u64) -> usize {
    let record = record.max(1);
    usize::try_from(record * (PIECE / record).max(1)).unwrap_or(usize::MAX)
}
