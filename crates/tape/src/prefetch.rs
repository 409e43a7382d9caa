//! Fetches blobs ahead of the writer: many at a time, handed out in order, within a budget of memory.
//!
//! A blob larger than a segment is fetched in segments, so that one large blob uses several
//! connections as many small ones do. Permits are taken in order before a fetch begins: the one
//! whose turn it is always has its share, so the budget cannot deadlock. Where requests cost more
//! than connections gain, a long segment passes through a window smaller than itself.

mod pieces;
mod segments;
mod window;

use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use self::pieces::{Pieces, taken};
use self::segments::{Room, Segment, Segments};
pub(crate) use self::segments::{SHORTEST, is_far};
use crate::pool::Pool;
use airlift_oci::store::{Damage, ErrorKind, Source, StoreError};
use airlift_oci::types::Descriptor;

/// A unit of the budget, in bytes.
const UNIT: u64 = 1024;

type Passed = Result<Chunk, StoreError>;
type Whole = Result<Vec<Chunk>, StoreError>;

/// What comes of a segment. Thousands of small blobs may wait for the writer, more of them the busier
/// the machine is: what each costs beside its bytes has to be little.
enum Coming {
    /// A blob that is handed on once it is known to be whole.
    Whole(oneshot::Receiver<Whole>),
    /// Such a blob that has come.
    Here(vec::IntoIter<Chunk>),
    /// Chunks, each as it comes. Such a channel takes some KiB.
    Parts(mpsc::UnboundedReceiver<Passed>),
}

/// Some bytes of the blobs.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// They are of a blob that is known to be whole: it need not be hashed again.
    pub(crate) checked: bool,
    /// Their part of the budget, as copied bytes: others get it when this is dropped.
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// Bytes that may be held of blobs.
#[derive(Clone)]
pub(crate) struct Ahead {
    /// Bytes that nobody else uses.
    pub(crate) own: u64,
    /// Bytes that may be used as well. Whoever takes chunks keeps their shares as long as the bytes
    /// are with him, and can hold no more bytes than this. Without, chunks have no shares.
    pub(crate) lent: u64,
    /// Where the memory for them comes from when some is lent, so that it is the same.
    pub(crate) pool: Option<Pool>,
}

/// Blobs on their way, in order. Dropped, it stops fetching.
pub(crate) struct Prefetch {
    queue: mpsc::Receiver<Coming>,
    current: Option<Coming>,
    place: String,
    lent: bool,
    _tasks: JoinSet<()>,
}

impl Prefetch {
    /// Begins to fetch `blobs`, of `bytes` bytes in all, with up to `concurrency` requests at once,
    /// holding what `ahead` says (but never less than one segment).
    pub(crate) fn start(
        source: Arc<dyn Source>,
        blobs: impl Iterator<Item = Arc<Descriptor>> + Send + 'static,
        bytes: u64,
        ahead: Ahead,
        concurrency: usize,
    ) -> Self {
        let concurrency = concurrency.clamp(1, 1024);
        let pool = ahead.pool.filter(|_| ahead.lent > 0);
        let piece = pool.as_ref().map(|pool| pool.size() as u64);
        let room = Room::new(ahead.own, ahead.lent, concurrency).in_pieces(piece);
        let budget = Arc::new(Semaphore::new(units(room.budget) as usize));
        let (sender, queue) = mpsc::channel(4096);
        let place = source.place();
        let mut tasks = JoinSet::new();
        let way = source.clone();
        let segments = Segments::new(blobs, bytes, room, move || way.line());
        tasks.spawn(run(source, segments, budget, room, pool, sender));
        Prefetch { queue, current: None, place, lent: ahead.lent > 0, _tasks: tasks }
    }

    /// The next bytes of the blobs, which follow one another without marks between them. Fails
    /// when a fetch failed, or when there are no more.
    pub(crate) async fn chunk(&mut self) -> Result<Chunk, StoreError> {
        loop {
            let chunk = match &mut self.current {
                Some(Coming::Whole(whole)) => {
                    let whole = whole.await;
                    self.current = None;
                    let whole = whole.map_err(|_| self.ended())??;
                    self.current = Some(Coming::Here(whole.into_iter()));
                    continue;
                }
                Some(Coming::Here(chunks)) => chunks.next().map(Ok),
                Some(Coming::Parts(chunks)) => chunks.recv().await,
                None => None,
            };
            if let Some(chunk) = chunk {
                let lent = self.lent;
                return chunk.map(|chunk| chunk.handed_on(lent));
            }
            self.current = None;
            let next = self.queue.recv().await;
            self.current = Some(next.ok_or_else(|| self.ended())?);
        }
    }

    fn ended(&self) -> StoreError {
        let text = "fetching ended before the last blob".to_owned();
        StoreError::new(self.place.clone(), ErrorKind::Protocol(text))
    }
}

impl Chunk {
    /// What it takes once it is copied, when that is still to be counted at all.
    fn handed_on(mut self, counted: bool) -> Self {
        let copied = (self.bytes.len() as u64 / UNIT) as usize;
        self.share = self.share.take().filter(|_| counted).and_then(|mut share| {
            let part = copied.min(share.num_permits());
            share.split(part)
        });
        self
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4)
}

async fn run(
    source: Arc<dyn Source>,
    segments: impl Iterator<Item = Segment>,
    budget: Arc<Semaphore>,
    room: Room,
    pool: Option<Pool>,
    sender: mpsc::Sender<Coming>,
) {
    let connections = Arc::new(Semaphore::new(room.concurrency));
    let mut fetches = JoinSet::new();
    for segment in segments {
        while fetches.try_join_next().is_some() {}
        // Neither semaphore is ever closed.
        let Ok(connection) = connections.clone().acquire_owned().await else { return };
        let held = room.piece.map_or(segment.held, |piece| taken(segment.held, piece));
        // What nobody lends suffices for any of them.
        let cost = units((held + segment.beside).min(room.own));
        let Ok(share) = budget.clone().acquire_many_owned(cost).await else { return };
        let (source, pool) = (source.clone(), pool.clone());
        let passes = segment.held < segment.length;
        if !passes && segment.length == segment.descriptor.size {
            let (whole, receiver) = oneshot::channel();
            if sender.send(Coming::Whole(receiver)).await.is_err() {
                return;
            }
            fetches.spawn(async move {
                // Nobody listens when the run was given up.
                let _ = whole.send(fetch_whole(&*source, segment, pool, share).await);
                drop(connection);
            });
            continue;
        }
        let (chunks, receiver) = mpsc::unbounded_channel();
        if sender.send(Coming::Parts(receiver)).await.is_err() {
            return;
        }
        fetches.spawn(async move {
            if passes {
                let window = window::Window::new(&segment);
                window.fetch(&*source, &segment, &chunks).await;
                drop((connection, chunks));
                window.emptied().await;
                return drop(share);
            }
            fetch_part(&*source, segment, (pool, share), &chunks).await;
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
    pool: Option<Pool>,
    mut share: OwnedSemaphorePermit,
) -> Whole {
    let mut damage = Damage::default();
    let read = loop {
        match read_whole(source, &segment.descriptor, pool.as_ref()).await {
            Err(error) if error.is_damage() && damage.may_pass(&error) => {}
            read => break read,
        }
    };
    let read = read?.into_iter();
    let shared = read.map(|bytes| {
        let share = split(&mut share, bytes.len() as u64);
        Chunk { bytes, checked: true, share }
    });
    Ok(shared.collect())
}

async fn read_whole(
    source: &dyn Source,
    descriptor: &Descriptor,
    pool: Option<&Pool>,
) -> Result<Vec<Bytes>, StoreError> {
    let mut blob = source.open_range(descriptor, 0..descriptor.size).await?;
    let mut pieces = Pieces::new(pool.cloned(), descriptor.size);
    let mut read = Vec::new();
    while let Some(bytes) = blob.next().await {
        pieces.add(bytes?, &mut read);
    }
    Ok(read)
}

/// Fetches a segment of a larger blob.
async fn fetch_part(
    source: &dyn Source,
    segment: Segment,
    (pool, mut share): (Option<Pool>, OwnedSemaphorePermit),
    chunks: &mpsc::UnboundedSender<Passed>,
) {
    let range = segment.offset..segment.offset + segment.length;
    let mut blob = match source.open_range(&segment.descriptor, range).await {
        Ok(blob) => blob,
        // Nobody listens when the run was given up; so below.
        Err(error) => return drop(chunks.send(Err(error))),
    };
    let mut pieces = Pieces::new(pool, segment.length);
    let mut ready = Vec::new();
    while let Some(next) = blob.next().await {
        match next {
            Ok(bytes) => pieces.add(bytes, &mut ready),
            Err(error) => return drop(chunks.send(Err(error))),
        }
        for bytes in ready.drain(..) {
            let share = split(&mut share, bytes.len() as u64);
            if chunks.send(Ok(Chunk { bytes, checked: false, share })).is_err() {
                return;
            }
        }
    }
}

/// The part of the budget that some bytes take.
fn split(share: &mut OwnedSemaphorePermit, bytes: u64) -> Option<OwnedSemaphorePermit> {
    let part = (bytes / UNIT) as usize;
    share.split(part.min(share.num_permits()))
}
