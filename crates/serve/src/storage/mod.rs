//! What a registry stores into: many repositories, each a store of the seam.
//!
//! A further kind of storage (archives, routed names) implements the two traits here and says
//! [`ErrorKind::Unsupported`] to what it cannot do;
//! the registry answers 405 then.

mod directory;
mod fixed;
mod memory;
mod merged;
mod name;
mod stack;

use std::sync::Arc;

use airlift_oci::store::{ErrorKind, Ingest, Sink, Source, StoreError};
use airlift_oci::types::{Digest, Tag};
use async_trait::async_trait;

pub use directory::Directory;
pub use fixed::Fixed;
pub use memory::Memory;
pub use merged::Merged;
pub use name::RepositoryName;
pub use stack::Stack;

/// Many repositories.
#[async_trait]
pub trait Repositories: Send + Sync {
    /// The repository `name`; `None` when there is none.
    async fn get(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Repository>>, StoreError>;

    /// The repository `name`, made when there is none.
    async fn create(&self, name: &RepositoryName) -> Result<Arc<dyn Repository>, StoreError>;

    /// The names of all repositories, sorted.
    async fn list(&self) -> Result<Vec<RepositoryName>, StoreError>;

    /// Lets `to`, made when there is none, have a blob that `from` has, without moving its bytes.
    /// `false`: `from` has it not, and nothing changed.
    async fn share(
        &self,
        digest: &Digest,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, StoreError>;
}

/// One repository: a store that can also take in bytes before their digest is known, and forget.
#[async_trait]
pub trait Repository: Source + Sink {
    /// Starts taking in a blob.
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError>;

    /// Size of a blob in bytes, when it is there.
    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError>;

    /// Whether a blob or manifest is there, for a client that relies on it from now on: garbage
    /// collection leaves it alone for as long as it leaves alone what was just written.
    async fn claim(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.blob_size(digest).await?.is_some())
    }

    /// Removes a tag. `false`: there was none.
    async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError>;

    /// Removes a manifest with every tag that names it. `false`: there was none.
    async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Removes a blob. `false`: there was none.
    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError>;
}

/// What is said of content that is not there.
fn not_found(place: &str, what: &dyn std::fmt::Display) -> StoreError {
    StoreError::new(place, ErrorKind::NotFound(what.to_string()))
}
