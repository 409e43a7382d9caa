//! How a copy comes by the stores of its two ends.

use async_trait::async_trait;

use crate::store::StoreError;
use crate::stores::{OpenedDestination, OpenedSource, Stores};
use crate::types::Location;

/// Opens the two ends of copies. Asked once for each end of each copy, from many at a time.
#[async_trait]
pub trait Open: Send + Sync {
    /// Opens a location to be read.
    async fn source(&self, location: &Location) -> Result<OpenedSource, StoreError>;

    /// Opens a location to be written.
    async fn destination(&self, location: &Location) -> Result<OpenedDestination, StoreError>;
}

#[async_trait]
impl Open for Stores {
    async fn source(&self, location: &Location) -> Result<OpenedSource, StoreError> {
        Stores::source(self, location).await
    }

    async fn destination(&self, location: &Location) -> Result<OpenedDestination, StoreError> {
        Stores::destination(self, location).await
    }
}
