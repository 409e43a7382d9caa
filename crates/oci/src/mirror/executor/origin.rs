//! The content of a blob that is being copied.

use std::sync::Arc;

use async_trait::async_trait;

use crate::observe::{Event, Observer};
use crate::store::{Blob, Content, Remote, StoreError};
use crate::types::Descriptor;

/// Content from a copy made in this run, or from the source when that copy cannot be read.
pub(super) struct Origin {
    pub(super) copy: Option<Remote>,
    pub(super) source: Remote,
    pub(super) observer: Arc<dyn Observer>,
}

#[async_trait]
impl Content for Origin {
    fn descriptor(&self) -> &Descriptor {
        self.source.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        let copy = match &self.copy {
            Some(copy) => copy.open(offset).await.ok(),
            None => None,
        };
        let blob = match copy {
            Some(blob) => blob,
            None => self.source.open(offset).await?,
        };
        let observer = self.observer.clone();
        Ok(blob.inspect(move |bytes| observer.event(&Event::Moved { bytes: bytes as u64 })))
    }
}
