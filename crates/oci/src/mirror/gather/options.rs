//! What is asked of a gather, and why it gathers nothing.

use crate::inventory::InventoryError;
use crate::store::StoreError;
use crate::types::{Annotations, Platform};

/// What the operator asks of a gather.
#[derive(Debug, Clone, Default)]
pub struct GatherOptions {
    /// Platforms to select; none means all.
    pub platforms: Vec<Platform>,
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
    /// Name indexes in an annotation instead of as children.
    pub index_fallback: bool,
    /// Annotations for the index.
    pub annotations: Annotations,
    /// Name and version of the program, for the index.
    pub version: String,
    /// Write the index even of nothing: a part of a list may be empty, and is none the less done.
    pub empty: bool,
}

/// Why nothing was gathered. Failures of single sources are in the report instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The index could not be made.
    #[error("making the gathered index failed")]
    Index(#[from] InventoryError),
    /// The destination could not be read or written.
    #[error("the destination {place} cannot be used")]
    Destination {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Two artifacts that are to be joined have a source with different content.
    #[error("{text} is in {one} and in {other} with different content; gather one of them anew")]
    Twice {
        /// The source.
        text: String,
        /// The artifact that has it.
        one: String,
        /// The other artifact.
        other: String,
    },
}
