//! A long segment that passes through a window: of what came, only so much waits for the writer.
//! Meanwhile its connection stands still.
//!
//! Connections that stand still could be the ones that the segment in front of them needs: one that
//! has stood for a while is given up, and its segment goes on over another.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::segments::Segment;
use super::{Chunk, Passed, units};
use airlift_oci::store::Source;

/// How long a connection may stand still.
const STILL: Duration = if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(3) };

/// What is held of one segment.
pub(super) struct Window {
    budget: Arc<Semaphore>,
    size: u32,
}

impl Window {
    pub(super) fn new(segment: &Segment) -> Self {
        let size = units(segment.held).max(1);
        Window { budget: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Fetches the segment, over as many requests as it takes.
    pub(super) async fn fetch(
        &self,
        source: &dyn Source,
        segment: &Segment,
        chunks: &mpsc::UnboundedSender<Passed>,
    ) {
        let end = segment.offset + segment.length;
        let (mut at, mut connection) = (segment.offset, None);
        while at < end {
            let next = match &mut connection {
                None => match source.open_range(&segment.descriptor, at..end).await {
                    Ok(blob) => {
                        // The writer hashes what comes in segments.
                        connection = Some(blob.unhashed());
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Some(blob) => match blob.next().await {
                    Some(next) => next,
                    // It ended well, so nothing is lacking.
                    None => return,
                },
            };
            let bytes = match next {
                Ok(bytes) => bytes,
                // Nobody listens when the run was given up; so below.
                Err(error) => return drop(chunks.send(Err(error))),
            };
            at += bytes.len() as u64;
            let part = units(bytes.len() as u64).min(self.size);
            if timeout(STILL, self.budget.acquire_many(part)).await.is_err() {
                connection = None;
            }
            // Never closed.
            let share = self.budget.clone().acquire_many_owned(part).await.ok();
            if chunks.send(Ok(Chunk { bytes, checked: false, share })).is_err() {
                return;
            }
        }
    }

    /// Waits until nothing of it is held any more.
    pub(super) async fn emptied(&self) {
        // Never closed.
        let _all = self.budget.acquire_many(self.size).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use airlift_oci::store::{Blob, Line, StoreError};
    use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, Version};
    use async_trait::async_trait;
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::sync::OwnedSemaphorePermit;

    use super::super::{Ahead, Prefetch};
    use super::*;

    const MIB: usize = 1 << 20;

    /// Blobs of one byte each, repeated, at a place that looks near, quick and wide, and has but one
    /// connection; it goes to whoever asks last.
    struct Narrow {
        connection: Arc<Semaphore>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Source for Narrow {
        fn place(&self) -> String {
            "narrow".to_owned()
        }

        async fn resolve(&self, _: &Version) -> Result<Descriptor, StoreError> {
            unimplemented!()
        }

        async fn fetch(&self, _: &Version) -> Result<Manifest, StoreError> {
            unimplemented!()
        }

        async fn open(&self, blob: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
            self.open_range(blob, offset..blob.size).await
        }

        async fn open_range(
            &self,
            blob: &Descriptor,
            range: std::ops::Range<u64>,
        ) -> Result<Blob, StoreError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            // The first one is late.
            if blob.size == 20 * MIB as u64 && range.start == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let permit = self.connection.clone().acquire_owned().await.unwrap();
            let byte = (blob.size % 251) as u8;
            let chunks =
                stream::unfold((range.clone(), permit), move |(range, permit)| async move {
                    let length = (range.end - range.start).min(100_000);
                    let rest = range.start + length..range.end;
                    let chunk = Bytes::from(vec![byte; length as usize]);
                    let next: (_, OwnedSemaphorePermit) = (rest, permit);
                    (length > 0).then_some((Ok(chunk), next))
                });
            let whole = Blob::new(blob.clone(), range.start, "narrow", chunks.boxed());
            Ok(whole.until(range.end))
        }

        async fn referrers(&self, _: &Digest) -> Result<Vec<Descriptor>, StoreError> {
            Ok(Vec::new())
        }

        async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
            Ok(Vec::new())
        }

        fn line(&self) -> Line {
            let round_trip = Some(Duration::from_millis(1));
            Line { at_once: Some(16), round_trip, rate: Some(1e9) }
        }
    }

    #[tokio::test]
    async fn connections_that_stand_still_are_given_up_for_those_in_front() {
        let sizes = [20 * MIB, 3, 21 * MIB + 1, 22 * MIB + 2, 5, 23 * MIB];
        let blobs = sizes.map(|size| {
            let content = vec![(size % 251) as u8; size];
            Arc::new(Descriptor::of("layer", &content))
        });
        let source = Arc::new(Narrow { connection: Arc::new(Semaphore::new(1)), asked: 0.into() });
        let bytes = sizes.iter().sum::<usize>();
        let ahead = Ahead { own: 16 << 20, lent: 0, pool: None };
        let mut prefetch =
            Prefetch::start(source.clone(), blobs.into_iter(), bytes as u64, ahead, 48);
        let mut expected = sizes.into_iter();
        let (mut size, mut left) = (0, 0);
        for _ in 0..bytes.div_ceil(100_000) + sizes.len() {
            if left == 0 {
                let Some(next) = expected.next() else { break };
                (size, left) = (next, next);
            }
            let chunk = prefetch.chunk().await.unwrap();
            assert!(chunk.bytes.iter().all(|byte| *byte == (size % 251) as u8));
            left -= chunk.bytes.len();
        }
        assert_eq!((left, expected.next()), (0, None));
        let asked = source.asked.load(Ordering::Relaxed);
        assert!(asked > sizes.len() && asked < 3 * sizes.len(), "{asked} requests");
    }
}
