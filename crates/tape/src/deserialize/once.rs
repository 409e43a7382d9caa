//! Content that passes once: a large blob on its way from a medium into a store.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use airlift_oci::store::{Blob, Content, ErrorKind, StoreError};
use airlift_oci::types::Descriptor;

/// A blob that can be opened once.
pub(super) struct Once {
    descriptor: Descriptor,
    place: String,
    chunks: Mutex<Option<mpsc::Receiver<Bytes>>>,
}

impl Once {
    pub(super) fn new(
        descriptor: Descriptor,
        place: String,
        chunks: mpsc::Receiver<Bytes>,
    ) -> Self {
        Once { descriptor, place, chunks: Mutex::new(Some(chunks)) }
    }
}

#[async_trait]
impl Content for Once {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let spent = || ErrorKind::Spent(self.descriptor.digest.clone());
        let chunks = chunks.filter(|_| offset == 0);
        let mut chunks = chunks.ok_or_else(|| StoreError::new(self.place.clone(), spent()))?;
        let bytes = stream::poll_fn(move |cx| chunks.poll_recv(cx)).map(Ok);
        Ok(Blob::new(self.descriptor.clone(), 0, self.place.clone(), bytes.boxed()))
    }
}
