//! Blobs on their way into the store, many at once, within a budget of memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::DeserializeError;
use super::once::Once;
use super::stretch::Stretch;
use airlift_oci::observe::{Event, How, Observer, Tally};
use airlift_oci::store::{Content, ErrorKind, Hints, InMemory, Put, Store, StoreError};
use airlift_oci::types::Descriptor;

/// A unit of the budget, in bytes.
const UNIT: u64 = 1024;
/// Chunks of a large blob that wait for its upload.
const WAITING: usize = 4;

/// The uploads of a run. Dropped, they stop.
pub(super) struct Uploads {
    tasks: JoinSet<Result<(), Failed>>,
    sink: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
    tally: Arc<Tally>,
    budget: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    largest: u64,
}

/// Where the bytes of a large blob go as they are read. Dropped before [`Feed::finish`], it ends
/// the upload in silence: that its bytes ended too early is not the store's failure.
pub(super) struct Feed {
    sender: Option<mpsc::Sender<Bytes>>,
    whole: Arc<AtomicBool>,
}

struct Failed {
    error: DeserializeError,
    /// Whether the upload was given all its bytes.
    whole: Arc<AtomicBool>,
}

impl Feed {
    /// Hands on bytes. When the store does not want them, because it has the blob or failed, they
    /// are dropped: whoever reads the medium still has to read it to the end.
    pub(super) async fn send(&mut self, bytes: Bytes) {
        if let Some(sender) = &self.sender
            && sender.send(bytes).await.is_err()
        {
            self.sender = None;
        }
    }

    /// All bytes were handed on, and they are good.
    pub(super) fn finish(self) {
        self.whole.store(true, Ordering::Release);
    }
}

impl Uploads {
    pub(super) fn new(
        sink: Arc<dyn Store>,
        observer: Arc<dyn Observer>,
        memory: u64,
        concurrency: usize,
    ) -> Self {
        let memory = memory.max(4 << 20);
        Uploads {
            tasks: JoinSet::new(),
            sink,
            observer,
            tally: Arc::new(Tally::default()),
            budget: Arc::new(Semaphore::new((memory / UNIT) as usize)),
            slots: Arc::new(Semaphore::new(concurrency.max(1))),
            largest: memory / 4,
        }
    }

    pub(super) fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Whether a blob of this size is held whole, so that its upload can be repeated.
    pub(super) fn holds(&self, size: u64) -> bool {
        size <= self.largest
    }

    /// Waits until a blob of this size may be read into memory.
    pub(super) async fn reserve(&mut self, size: u64) -> Result<Share, DeserializeError> {
        self.reap()?;
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Ok(Share(self.budget.clone().acquire_many_owned(units).await.ok()))
    }

    /// Begins to put a blob that is in memory and known to be good.
    pub(super) async fn put(
        &mut self,
        descriptor: Descriptor,
        bytes: Bytes,
        share: Share,
    ) -> Result<(), DeserializeError> {
        let content = InMemory::checked(descriptor, bytes);
        self.start(Blob::Plain(Box::new(content)), share, Arc::new(AtomicBool::new(true))).await
    }

    /// Begins to put a blob that stands in a file, and to check it.
    pub(super) async fn put_stretch(&mut self, stretch: Stretch) -> Result<(), DeserializeError> {
        let whole = Arc::new(AtomicBool::new(true));
        self.start(Blob::Stretch(Box::new(stretch)), Share(None), whole).await
    }

    /// Begins to put a blob as it is read.
    pub(super) async fn feed(
        &mut self,
        descriptor: Descriptor,
        place: &str,
    ) -> Result<Feed, DeserializeError> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let whole = Arc::new(AtomicBool::new(false));
        let content = Once::new(descriptor, place.to_owned(), receiver);
        self.start(Blob::Plain(Box::new(content)), Share(None), whole.clone()).await?;
        Ok(Feed { sender: Some(sender), whole })
    }

    /// Fails when an upload has failed. Not to be called while an upload is being fed.
    pub(super) fn reap(&mut self) -> Result<(), DeserializeError> {
        while let Some(done) = self.tasks.try_join_next() {
            judge(done)?;
        }
        Ok(())
    }

    /// Waits for all of them.
    pub(super) async fn finish(&mut self) -> Result<(), DeserializeError> {
        while let Some(done) = self.tasks.join_next().await {
            judge(done)?;
        }
        Ok(())
    }

    async fn start(
        &mut self,
        blob: Blob,
        share: Share,
        whole: Arc<AtomicBool>,
    ) -> Result<(), DeserializeError> {
        self.reap()?;
        let slot = self.slots.clone().acquire_owned().await;
        let (sink, observer) = (self.sink.clone(), self.observer.clone());
        let tally = self.tally.clone();
        self.tasks.spawn(async move {
            let put = blob.put(&*sink).await;
            let how = match put.map_err(|error| Failed { error, whole })? {
                Put::Existed => How::Skipped,
                Put::Mounted => How::Mounted,
                Put::Written => How::Moved,
            };
            let bytes = blob.content().descriptor().size;
            tally.add(bytes, how);
            // What was there, or mounted, passed all the same, and was counted as it did.
            let bytes = if how == How::Moved { bytes } else { 0 };
            observer.event(&Event::Stored { bytes, how });
            drop((slot, share));
            Ok(())
        });
        Ok(())
    }
}

/// What is on its way.
enum Blob {
    /// Known to be good, or checked by whoever reads it.
    Plain(Box<dyn Content>),
    /// To be checked on its way.
    Stretch(Box<Stretch>),
}

impl Blob {
    fn content(&self) -> &dyn Content {
        match self {
            Blob::Plain(content) => &**content,
            Blob::Stretch(stretch) => &**stretch,
        }
    }

    async fn put(&self, sink: &dyn Store) -> Result<Put, DeserializeError> {
        let put = sink.put(self.content(), &Hints::default()).await;
        match self {
            Blob::Plain(_) => Ok(put?),
            Blob::Stretch(stretch) => stretch.judge(put).await,
        }
    }
}

/// Part of the budget, given back when dropped.
pub(super) struct Share(#[allow(dead_code)] Option<tokio::sync::OwnedSemaphorePermit>);

fn judge(done: Result<Result<(), Failed>, JoinError>) -> Result<(), DeserializeError> {
    match done {
        Ok(Err(failed)) if failed.whole.load(Ordering::Acquire) => Err(failed.error),
        Ok(_) => Ok(()),
        Err(error) => {
            let text = format!("an upload ended unexpectedly: {error}");
            Err(StoreError::new("", ErrorKind::Protocol(text)).into())
        }
    }
}
