//! One large blob over several connections: parts by ranges, handed out in order.
//!
//! The part whose turn it is streams through a connection of its own, which is waited for like any
//! other. Further parts are fetched ahead only while a connection is slower than what lies behind
//! it, while the host has room for requests that nobody waits for, and while the memory for what is
//! fetched ahead lasts. So one large blob is no tail, and many do not get into each other's way.
//! The first request is one for a range already: a host that answers it with the whole blob is read
//! by that one connection to the end.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::download::Download;
use super::limits::{Lane, Permit};
use super::repo::Repo;
use crate::observe::Meter;
use crate::store::{ErrorKind, StoreError};
use crate::types::Descriptor;

/// From this many bytes on a blob is worth it.
const LARGE: u64 = 32 << 20;
/// The same at a host that is known to be slow.
const LARGE_WHERE_SLOW: u64 = 12 << 20;
/// A connection that is faster than this, in bytes a second, needs no others beside it.
const FAST: f64 = 100e6;
/// Bytes of a part that is fetched ahead, and held until its turn comes.
const AHEAD: u64 = 4 << 20;
/// Bytes of a part that streams.
const STREAMED: u64 = 8 << 20;
/// The same where there is nothing to share it with.
const ALONE: u64 = 32 << 20;
/// Parts of one blob that are fetched ahead at once.
const MOST_AHEAD: usize = 8;
/// Bytes fetched ahead of all blobs at once.
const BUDGET: u64 = 32 << 20;
/// A unit of the budget, in bytes.
const UNIT: u64 = 1024;

type Chunk = Result<(Bytes, Option<OwnedSemaphorePermit>), StoreError>;

/// The memory for parts that are fetched ahead.
pub(super) fn budget() -> Arc<Semaphore> {
    Arc::new(Semaphore::new((BUDGET / UNIT) as usize))
}

/// A blob on its way here in parts. Dropped, it stops fetching.
pub(super) struct Ranged {
    repos: Arc<[Repo]>,
    descriptor: Descriptor,
    /// Of the parts in order, the one whose turn it is in front.
    parts: VecDeque<Part>,
    /// The first byte that no part covers.
    next: u64,
    tasks: JoinSet<()>,
}

enum Part {
    Streamed(Box<Download>),
    Ahead(mpsc::UnboundedReceiver<Chunk>),
}

impl Ranged {
    /// Whether it may be faster for so many bytes.
    pub(super) fn is_worth(repos: &[Repo], bytes: u64) -> bool {
        let Some(repo) = repos.first() else { return false };
        let facts = &repo.host.facts;
        let least = match facts.speed() {
            Some(speed) if speed >= FAST => return false,
            Some(_) => LARGE_WHERE_SLOW,
            None => LARGE,
        };
        bytes >= least && facts.ranges.get() != Some(false)
    }

    /// Asks for the first part. What can be known before the first byte is an error here.
    pub(super) async fn open(
        repos: Arc<[Repo]>,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Self, StoreError> {
        let descriptor = descriptor.clone();
        let parts = VecDeque::new();
        let mut ranged = Ranged { repos, descriptor, parts, next: offset, tasks: JoinSet::new() };
        ranged.stream_part().await?;
        Ok(ranged)
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        stream::try_unfold(self, |mut ranged| async move {
            Ok(ranged.chunk().await?.map(|chunk| (chunk, ranged)))
        })
        .boxed()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            self.fetch_ahead();
            let chunk = match self.parts.front_mut() {
                Some(Part::Streamed(download)) => download.next().await?,
                Some(Part::Ahead(chunks)) => match chunks.recv().await {
                    // The permit goes with the bytes: they leave the budget here.
                    Some(chunk) => Some(chunk?.0),
                    None => None,
                },
                None if self.next < self.descriptor.size => {
                    self.stream_part().await?;
                    continue;
                }
                None => return self.end().await,
            };
            if chunk.is_some() {
                return Ok(chunk);
            }
            self.parts.pop_front();
        }
    }

    /// A task that panicked has closed its part early, which would show as a wrong size.
    async fn end(&mut self) -> Result<Option<Bytes>, StoreError> {
        while let Some(ended) = self.tasks.join_next().await {
            let text = || ErrorKind::Protocol("fetching a part ended without a reason".to_owned());
            ended.map_err(|_| StoreError::new(&*self.repos[0].place, text()))?;
        }
        Ok(None)
    }

    /// Opens the next part by a connection that is waited for.
    async fn stream_part(&mut self) -> Result<(), StoreError> {
        let size = self.descriptor.size;
        let shared = self.wants_more() || self.repos[0].host.facts.speed().is_none();
        let length = if shared { STREAMED } else { ALONE };
        let end = size.min(self.next.saturating_add(length));
        let (repos, descriptor) = (self.repos.clone(), &self.descriptor);
        let mut download = Download::open(repos, descriptor, self.next, end, None).await?;
        self.next = end;
        if download.is_whole() {
            download.read_whole();
            self.next = size;
        }
        self.parts.push_back(Part::Streamed(Box::new(download)));
        Ok(())
    }

    /// Whether connections are slow enough for more of them to help.
    fn wants_more(&self) -> bool {
        self.repos[0].host.facts.speed().is_some_and(|speed| speed < FAST)
    }

    /// Begins to fetch further parts where there is room.
    fn fetch_ahead(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        let size = self.descriptor.size;
        while self.next < size && self.parts.len() <= MOST_AHEAD && self.wants_more() {
            let end = size.min(self.next + AHEAD);
            let wire = &self.repos[0].host.wire;
            let units = (end - self.next).div_ceil(UNIT) as u32;
            let budget = wire.common.ahead.clone();
            let Ok(share) = budget.try_acquire_many_owned(units) else { return };
            let Some(permit) = wire.limits.try_admit(Lane::Down) else { return };
            let (chunks, receiver) = mpsc::unbounded_channel();
            let (repos, descriptor, start) =
                (self.repos.clone(), self.descriptor.clone(), self.next);
            let meter = Meter::current();
            self.tasks.spawn(async move {
                let part = fetch(repos, &descriptor, start..end, permit, share, &chunks);
                meter.measure(part).await;
            });
            self.parts.push_back(Part::Ahead(receiver));
            self.next = end;
        }
    }
}

/// Fetches one part into the channel.
async fn fetch(
    repos: Arc<[Repo]>,
    descriptor: &Descriptor,
    range: std::ops::Range<u64>,
    permit: Permit,
    mut share: OwnedSemaphorePermit,
    chunks: &mpsc::UnboundedSender<Chunk>,
) {
    let opened = Download::open(repos, descriptor, range.start, range.end, Some(permit)).await;
    let mut download = match opened {
        Ok(download) => download,
        // Nobody listens when the blob was given up; so below.
        Err(error) => return drop(chunks.send(Err(error))),
    };
    loop {
        let bytes = match download.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => return drop(chunks.send(Err(error))),
        };
        let part = (bytes.len() as u64 / UNIT) as usize;
        let part = share.split(part.min(share.num_permits()));
        if chunks.send(Ok((bytes, part))).is_err() {
            return;
        }
    }
}
