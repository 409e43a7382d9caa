//! Fetches blobs ahead of the writer: many at a time, handed out in order, within a budget of memory.
//!
//! A blob larger than a segment is fetched in segments, so that one large blob uses several
//! connections as many small ones do. Permits are taken in order before a fetch begins: the one
//! whose turn it is always has its share, so the budget cannot deadlock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
const MIN_SEGMENT: u64 = 512 << 10;
const MAX_SEGMENT: u64 = 16 << 20;

/// Further tries for a blob that came damaged.
const MORE_TRIES: usize = 2;
/// An answer that begins later than this after the request is one over a long line.
const FAR: Duration = Duration::from_millis(15);

type Passed = Result<(Chunk, Option<OwnedSemaphorePermit>), StoreError>;

/// Some bytes of the blobs.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// They are of a blob that is known to be whole: it need not be hashed again.
    pub(crate) checked: bool,
}

/// How long the quickest answer took to begin, in microseconds.
#[derive(Debug)]
struct Latency(AtomicU64);

/// Part of a blob.
#[derive(Debug, Clone)]
struct Segment {
    descriptor: Descriptor,
    offset: u64,
    length: u64,
}

/// Blobs on their way, in order. Dropped, it stops fetching.
pub(crate) struct Prefetch {
    queue: mpsc::Receiver<mpsc::UnboundedReceiver<Passed>>,
    current: Option<mpsc::UnboundedReceiver<Passed>>,
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
        let latency = Arc::new(Latency(AtomicU64::new(u64::MAX)));
        let largest = segment(memory, Duration::ZERO);
        let budget = Arc::new(Semaphore::new(units(memory.max(largest)) as usize));
        let (sender, queue) = mpsc::channel(4096);
        let place = source.place();
        let mut tasks = JoinSet::new();
        let line = latency.clone();
        let segments =
            blobs.into_iter().flat_map(move |blob| segments(blob, segment(memory, line.read())));
        tasks.spawn(run(source, segments, budget, concurrency, latency, sender));
        Prefetch { queue, current: None, place, _tasks: tasks }
    }

    /// The next bytes of the blobs, which follow one another without marks between them. Fails
    /// when a fetch failed, or when there are no more.
    pub(crate) async fn chunk(&mut self) -> Result<Chunk, StoreError> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(chunk) = current.recv().await {
                    // The permit goes with the bytes: they leave the budget here.
                    return chunk.map(|(chunk, _permit)| chunk);
                }
                self.current = None;
            }
            let next = self.queue.recv().await;
            let ended = || ErrorKind::Protocol("fetching ended before the last blob".to_owned());
            self.current = Some(next.ok_or_else(|| StoreError::new(self.place.clone(), ended()))?);
        }
    }
}

impl Latency {
    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_min(took, Ordering::Relaxed);
    }

    /// Nothing, while nothing is known.
    fn read(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            u64::MAX => Duration::ZERO,
            known => Duration::from_micros(known),
        }
    }
}

/// Bytes of a segment. Over a long line more connections with less each carry more, and a request
/// costs little beside the time that it is on its way.
fn segment(memory: u64, latency: Duration) -> u64 {
    let at_once = if latency >= FAR { 3 * LARGE_AT_ONCE } else { LARGE_AT_ONCE };
    (memory / at_once).clamp(MIN_SEGMENT, MAX_SEGMENT)
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
    latency: Arc<Latency>,
    sender: mpsc::Sender<mpsc::UnboundedReceiver<Passed>>,
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
        let (source, latency) = (source.clone(), latency.clone());
        fetches.spawn(async move {
            if segment.length == segment.descriptor.size {
                fetch_whole(&*source, segment, share, &latency, &chunks).await;
            } else {
                fetch_part(&*source, segment, share, &latency, &chunks).await;
            }
            drop(connection);
        });
    }
    while fetches.join_next().await.is_some() {}
}

/// Fetches a blob that fits into one segment: it is handed on once it is known to be whole. One
/// that came damaged is fetched anew a few times.
async fn fetch_whole(
    source: &dyn Source,
    segment: Segment,
    mut share: OwnedSemaphorePermit,
    latency: &Latency,
    chunks: &mpsc::UnboundedSender<Passed>,
) {
    let mut read = read_whole(source, &segment.descriptor, latency).await;
    for _ in 0..MORE_TRIES {
        match &read {
            Err(error) if matches!(error.kind(), ErrorKind::Digest { .. }) => {}
            _ => break,
        }
        read = read_whole(source, &segment.descriptor, latency).await;
    }
    let read = match read {
        Ok(read) => read,
        // Nobody listens when the run was given up; so below.
        Err(error) => return drop(chunks.send(Err(error))),
    };
    for bytes in read {
        let part = split(&mut share, bytes.len());
        if chunks.send(Ok((Chunk { bytes, checked: true }, part))).is_err() {
            return;
        }
    }
}

async fn read_whole(
    source: &dyn Source,
    descriptor: &Descriptor,
    latency: &Latency,
) -> Result<Vec<Bytes>, StoreError> {
    let begun = Instant::now();
    let mut blob = source.open_range(descriptor, 0..descriptor.size).await?;
    latency.note(begun.elapsed());
    let mut read = Vec::new();
    while let Some(bytes) = blob.next().await {
        read.push(bytes?);
    }
    Ok(read)
}

/// Fetches a segment of a larger blob.
async fn fetch_part(
    source: &dyn Source,
    segment: Segment,
    mut share: OwnedSemaphorePermit,
    latency: &Latency,
    chunks: &mpsc::UnboundedSender<Passed>,
) {
    let range = segment.offset..segment.offset + segment.length;
    let begun = Instant::now();
    let mut blob = match source.open_range(&segment.descriptor, range).await {
        Ok(blob) => blob,
        Err(error) => return drop(chunks.send(Err(error))),
    };
    latency.note(begun.elapsed());
    while let Some(next) = blob.next().await {
        let bytes = match next {
            Ok(bytes) => bytes,
            Err(error) => return drop(chunks.send(Err(error))),
        };
        let part = split(&mut share, bytes.len());
        if chunks.send(Ok((Chunk { bytes, checked: false }, part))).is_err() {
            return;
        }
    }
}

/// The part of the budget that some bytes take.
fn split(share: &mut OwnedSemaphorePermit, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let part = (bytes as u64 / UNIT) as usize;
    share.split(part.min(share.num_permits()))
}
