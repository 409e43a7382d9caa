//! What may go wrong with one image.

use crate::store::StoreError;
use crate::types::Digest;

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Its manifests could not be read.
    #[error("reading the manifests of {item} failed")]
    Read {
        /// The item.
        item: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A blob could not be copied.
    #[error("copying {digest} of {item} to {target} failed")]
    Blob {
        /// The item.
        item: String,
        /// The blob.
        digest: Digest,
        /// Where it was to go.
        target: String,
        /// Why: its place says which side it was.
        #[source]
        source: StoreError,
    },
    /// A manifest could not be stored.
    #[error("storing the manifest {digest} of {item} at {target} failed")]
    Manifest {
        /// The item.
        item: String,
        /// The manifest.
        digest: Digest,
        /// Where it was to go.
        target: String,
        /// Why.
        #[source]
        source: StoreError,
    },
}
