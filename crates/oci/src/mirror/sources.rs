//! Reading a source: its manifest, the platforms selected, and the item that stands for it.

use std::sync::Arc;

use super::executor::TransferError;
use super::platforms::{PlatformFault, select};
use crate::inventory::{Item, Labels};
use crate::store::{Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Name, Platform, Version};

/// One source, opened.
#[derive(Clone)]
pub struct SourceImage {
    /// As written.
    pub text: String,
    /// Its labels.
    pub labels: Labels,
    /// The repository it is in.
    pub store: Arc<dyn Source>,
    /// That repository's domain and name, when it is in a registry.
    pub mount_from: Option<(String, Name)>,
    /// What of the repository.
    pub version: Version,
}

impl SourceImage {
    /// The host that is asked for it; nothing when none is.
    pub(super) fn host(&self) -> &str {
        self.mount_from.as_ref().map_or("", |(host, _)| host)
    }
}

/// A source that was read.
#[derive(Debug, Clone)]
pub struct ReadSource {
    /// The item that stands for it in a gathered index.
    pub item: Item,
    /// The image to be carried: as it came, or what was selected from it.
    pub root: Manifest,
}

/// Why one source failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// Its manifest could not be read.
    #[error("reading {text} failed")]
    Read {
        /// The source.
        text: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Its platforms could not be selected.
    #[error("selecting platforms of {text} failed")]
    Platforms {
        /// The source.
        text: String,
        /// Why.
        #[source]
        source: PlatformFault,
    },
    /// A blob of it cannot be had.
    #[error("{text} lacks {digest}: {reason}")]
    Lacks {
        /// The source.
        text: String,
        /// The blob.
        digest: Digest,
        /// Why it cannot be had.
        reason: String,
    },
    /// It could not be copied.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// Asks what a source is now, without reading it.
pub async fn resolve_source(source: &SourceImage) -> Result<Descriptor, SourceFault> {
    let failed = |error| SourceFault::Read { text: source.text.clone(), source: error };
    source.store.resolve(&source.version).await.map_err(failed)
}

/// Reads a source's manifest and selects `platforms` from it (none: all).
pub async fn read_source(
    source: &SourceImage,
    platforms: &[Platform],
) -> Result<ReadSource, SourceFault> {
    let failed = |error| SourceFault::Read { text: source.text.clone(), source: error };
    let manifest = source.store.fetch(&source.version).await.map_err(failed)?;
    let selection = select(&source.store, manifest, platforms).await;
    let selection = selection
        .map_err(|error| SourceFault::Platforms { text: source.text.clone(), source: error })?;
    let mut descriptor = selection.root.descriptor().bare();
    descriptor.platform = selection.platform.map(Box::new);
    let index = selection.source_index.as_ref();
    let item = Item::new(&descriptor, &source.text, source.labels.clone(), index);
    Ok(ReadSource { item, root: selection.root })
}
