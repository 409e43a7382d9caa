//! How a copy comes by the stores of its two ends.

use std::sync::Arc;

use async_trait::async_trait;

use crate::store::{Source, Store, StoreError};
use crate::types::{Location, Name, Tag, Version};

/// Opens the two ends of copies. Asked once for each end of each copy, from many at a time.
#[async_trait]
pub trait Open: Send + Sync {
    /// Opens a location to be read.
    async fn source(&self, location: &Location) -> Result<OpenedSource, StoreError>;

    /// Opens a location to be written.
    async fn destination(&self, location: &Location) -> Result<OpenedDestination, StoreError>;
}

/// An end to be read.
pub struct OpenedSource {
    /// The repository.
    pub store: Arc<dyn Source>,
    /// What of it.
    pub version: Version,
    /// That repository's domain and name, when others of its registry could mount from it.
    pub mount_from: Option<(String, Name)>,
}

/// An end to be written.
pub struct OpenedDestination {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// The tag to be given; none for a destination by digest.
    pub tag: Option<Tag>,
}
