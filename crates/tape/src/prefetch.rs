//! Fetches blobs ahead of the writer: many at a time, handed out in order, within a budget of memory.
//!
//! A blob larger than a segment is fetched in segments, so that one large blob uses several
//! connections as many small ones do. Permits are taken in order before a fetch begins: the one
//! whose turn it is always has its share, so the budget cannot deadlock.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use airlift_oci::store::{ErrorKind, Source, StoreError};
use airlift_oci::types::Descriptor;

/// A unit of the budget, in bytes.
const UNIT: u64 = 1024;
/// Segments of large blobs that the budget has room for at once. More would be smaller, and cost a
/// request each; small blobs are fetched by more connections than this.
const LARGE_AT_ONCE: u64 = 16;
const MIN_SEGMENT: u64 = 1 << 20;
const MAX_SEGMENT: u64 = 16 << 20;

type Chunk = Result<(Bytes, Option<OwnedSemaphorePermit>), StoreError>;

/// Part of a blob.
#[derive(Debug, Clone)]
struct Segment {
    descriptor: Descriptor,
    offset: u64,
    length: u64,
}

/// Blobs on their way, in order. Dropped, it stops fetching.
pub(crate) struct Prefetch {
    queue: mpsc::Receiver<mpsc::UnboundedReceiver<Chunk>>,
    current: Option<mpsc::UnboundedReceiver<Chunk>>,
    place: String,
    _tasks: JoinSet<()>,
}

impl Prefetch {
    /// Begins to fetch `blobs` with up to `concurrency` requests at once, holding at most
    /// `memory` bytes (but never less than one segment).
    pub(crate) fn start(
        source: Arc<dyn Source>,
        blobs: Vec<Descriptor>,
        memory: u64,
        concurrency: usize,
    ) -> Self {
        let concurrency = concurrency.clamp(1, 1024);
        let segment = (memory / LARGE_AT_ONCE).clamp(MIN_SEGMENT, MAX_SEGMENT);
        let budget = Arc::new(Semaphore::new(units(memory.max(segment)) as usize));
        let (sender, queue) = mpsc::channel(4096);
        let place = source.place();
        let mut tasks = JoinSet::new();
        let segments = blobs.into_iter().flat_map(move |blob| segments(blob, segment));
        tasks.spawn(run(source, segments, budget, concurrency, sender));
        Prefetch { queue, current: None, place, _tasks: tasks }
    }

    /// The next bytes of the blobs, which follow one another without marks between them. Fails
    /// when a fetch failed, or when there are no more.
    pub(crate) async fn chunk(&mut self) -> Result<Bytes, StoreError> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(chunk) = current.recv().await {
                    // The permit goes with the bytes: they leave the budget here.
                    return chunk.map(|(bytes, _permit)| bytes);
                }
                self.current = None;
            }
            let next = self.queue.recv().await;
            let ended = || ErrorKind::Protocol("fetching ended before the last blob".to_owned());
            self.current = Some(next.ok_or_else(|| StoreError::new(self.place.clone(), ended()))?);
        }
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4)
}

fn segments(blob: Descriptor, segment: u64) -> impl Iterator<Item = Segment> {
    let size = blob.size;
    (0..size.div_ceil(segment)).map(move |index| {
        let offset = index * segment;
        Segment { descriptor: blob.clone(), offset, length: segment.min(size - offset) }
    })
}

async fn run(
    source: Arc<dyn Source>,
    segments: impl Iterator<Item = Segment>,
    budget: Arc<Semaphore>,
    concurrency: usize,
    sender: mpsc::Sender<mpsc::UnboundedReceiver<Chunk>>,
) {
    let connections = Arc::new(Semaphore::new(concurrency));
    let mut fetches = JoinSet::new();
    for segment in segments {
        while fetches.try_join_next().is_some() {}
        // Neither semaphore is ever closed.
        let Ok(connection) = connections.clone().acquire_owned().await else { return };
        let Ok(share) = budget.clone().acquire_many_owned(units(segment.length)).await else {
            return;
        };
        let (chunks, receiver) = mpsc::unbounded_channel();
        if sender.send(receiver).await.is_err() {
            return;
        }
        let source = source.clone();
        fetches.spawn(async move {
            fetch(&*source, segment, share, &chunks).await;
            drop(connection);
        });
    }
    while fetches.join_next().await.is_some() {}
}

async fn fetch(
    source: &dyn Source,
    segment: Segment,
    mut share: OwnedSemaphorePermit,
    chunks: &mpsc::UnboundedSender<Chunk>,
) {
    let range = segment.offset..segment.offset + segment.length;
    let mut blob = match source.open_range(&segment.descriptor, range).await {
        Ok(blob) => blob,
        // Nobody listens when the run was given up; so below.
        Err(error) => return drop(chunks.send(Err(error))),
    };
    while let Some(next) = blob.next().await {
        let bytes = match next {
            Ok(bytes) => bytes,
            Err(error) => return drop(chunks.send(Err(error))),
        };
        let part = (bytes.len() as u64 / UNIT) as usize;
        let part = share.split(part.min(share.num_permits()));
        if chunks.send(Ok((bytes, part))).is_err() {
            return;
        }
    }
}
