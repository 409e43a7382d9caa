//! Content that stands in a file: opened where it is, as often as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt;

use super::{DeserializeError, Spot};
use airlift_oci::observe::{Event, Observer};
use airlift_oci::store::{Blob, Content, ErrorKind, Extent, Put, StoreError, stretch};
use airlift_oci::types::Descriptor;

/// A blob at its place in an archive.
pub(super) struct Stretch {
    pub(super) descriptor: Descriptor,
    pub(super) at: Spot,
    pub(super) extent: Arc<dyn Extent>,
    /// Where its first byte is.
    pub(super) start: u64,
    pub(super) seen: Seen,
    pub(super) observer: Arc<dyn Observer>,
}

/// What was read of it so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// All of it, from its start to its end, and it is good.
    verified: Arc<AtomicBool>,
    /// Whether an upload was gone on with in the middle, so that nobody here saw all of it.
    resumed: AtomicBool,
    /// The furthest byte that was told of: what is read again counts once.
    furthest: Arc<AtomicU64>,
}

#[async_trait]
impl Content for Stretch {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        if offset > 0 {
            self.seen.resumed.store(true, Ordering::Release);
        }
        let left = self.descriptor.size.saturating_sub(offset);
        let from = self.start.saturating_add(offset);
        let bytes = stretch(self.extent.clone(), &self.at.place, from, left).boxed();
        let (observer, furthest) = (self.observer.clone(), self.seen.furthest.clone());
        let position = AtomicU64::new(offset);
        let blob = Blob::new(self.descriptor.clone(), offset, self.at.place.clone(), bytes);
        Ok(blob.noting(self.seen.verified.clone()).inspect(move |read| {
            let end = position.fetch_add(read as u64, Ordering::AcqRel) + read as u64;
            let before = furthest.fetch_max(end, Ordering::AcqRel);
            if end > before {
                observer.event(&Event::Moved { bytes: end - before });
            }
        }))
    }
}

impl Stretch {
    /// What an upload came to, once the content is known to be good: it is read when the store
    /// did not want it, and when it went there in pieces.
    pub(super) async fn judge(
        &self,
        put: Result<Put, StoreError>,
    ) -> Result<Put, DeserializeError> {
        let seen = match &put {
            Ok(_) => self.seen.verified.load(Ordering::Acquire),
            Err(_) => !self.seen.resumed.load(Ordering::Acquire),
        };
        if !seen {
            let mut read = self.open(0).await?;
            while let Some(chunk) = read.next().await {
                chunk.map_err(|error| self.damage(error))?;
            }
        }
        put.map_err(|error| self.damage(error))
    }

    /// Says of content that has another digest where it stands.
    fn damage(&self, error: StoreError) -> DeserializeError {
        match error.kind() {
            ErrorKind::Digest { expected, found } if *expected == self.descriptor.digest => {
                DeserializeError::Damaged { at: Box::new(self.at.clone()), found: found.clone() }
            }
            _ => error.into(),
        }
    }
}
