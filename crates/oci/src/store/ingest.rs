//! Taking in bytes of which neither size nor digest need be known before the end.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Blob, StoreError};
use crate::types::Digest;

/// A blob being written into a store. Dropped before [`Ingest::finish`], it leaves nothing behind.
#[async_trait]
pub trait Ingest: Send + Sync {
    /// Appends bytes. Dropped before it is done, the bytes count as taken in, and the next call
    /// goes on with them; after an error nothing can be finished that did not take in everything.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Bytes taken in so far.
    fn written(&self) -> u64;

    /// Makes the bytes durable under `expected`, after checking that this is their digest.
    async fn finish(self: Box<Self>, expected: &Digest) -> Result<(), StoreError>;
}

/// Reads `blob` to its end into `ingest`.
pub async fn drain(mut blob: Blob, ingest: &mut dyn Ingest) -> Result<(), StoreError> {
    while let Some(chunk) = blob.next().await {
        ingest.write(chunk?).await?;
    }
    Ok(())
}
