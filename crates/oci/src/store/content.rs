//! Content that can be read as often as it takes: from a source, from memory, of a manifest.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::blob::Blob;
use super::{Source, StoreError};
use crate::types::{Descriptor, Manifest};

/// Something that can be put into a store, opened as often as it takes: a sink that has to begin
/// again, or to go on from where an upload broke, opens it anew.
#[async_trait]
pub trait Content: Send + Sync {
    /// Type, digest and size.
    fn descriptor(&self) -> &Descriptor;

    /// Opens the content at `offset` bytes from its start. Fails with [`super::ErrorKind::Spent`] when it
    /// was read already and can be read only once.
    async fn open(&self, offset: u64) -> Result<Blob, StoreError>;
}

/// A blob that another store holds: opened there, each time.
pub struct Remote {
    source: Arc<dyn Source>,
    descriptor: Descriptor,
}

impl Remote {
    /// The content `descriptor` of `source`.
    pub fn new(source: Arc<dyn Source>, descriptor: Descriptor) -> Self {
        Remote { source, descriptor }
    }
}

#[async_trait]
impl Content for Remote {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        self.source.open(&self.descriptor, offset).await
    }
}

/// Content that is at hand.
pub struct InMemory {
    descriptor: Descriptor,
    bytes: Bytes,
    /// They were checked already.
    checked: bool,
}

impl InMemory {
    /// `bytes`, as content of the type `media_type`.
    pub fn new(media_type: &str, bytes: Bytes) -> Self {
        InMemory { descriptor: Descriptor::of(media_type, &bytes), bytes, checked: false }
    }

    /// `bytes` under a descriptor that is already known; checked when it is read.
    pub fn with_descriptor(descriptor: Descriptor, bytes: Bytes) -> Self {
        InMemory { descriptor, bytes, checked: false }
    }

    /// `bytes` that whoever read them has checked against the descriptor: they are not hashed again.
    pub fn checked(descriptor: Descriptor, bytes: Bytes) -> Self {
        InMemory { descriptor, bytes, checked: true }
    }
}

#[async_trait]
impl Content for InMemory {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        let blob = Blob::from_bytes(self.descriptor.clone(), offset, "memory", self.bytes.clone());
        Ok(if self.checked { blob.unhashed() } else { blob })
    }
}

#[async_trait]
impl Content for Manifest {
    fn descriptor(&self) -> &Descriptor {
        self.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        Ok(Blob::from_bytes(self.descriptor().clone(), offset, "memory", self.raw().clone()))
    }
}
