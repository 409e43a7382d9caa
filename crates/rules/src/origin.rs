//! What rules see of an item.

use airlift_oci::inventory::Item;
use airlift_oci::types::{Descriptor, Digest};

/// What rules see of an item of a gathered index: a view, so that a million items are not copied.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The source as it was written in the source list.
    pub source: &'a str,
    /// The item's descriptor in the gathered index.
    pub descriptor: &'a Descriptor,
    /// Digest of the index that the item's platforms were selected from, if they were.
    pub source_index: Option<&'a Digest>,
}

impl Origin<'_> {
    /// Whether `digest` is the item's own or its source index's.
    pub fn has_digest(&self, digest: &Digest) -> bool {
        self.descriptor.digest == *digest || self.source_index == Some(digest)
    }
}

/// Anything that rules can be asked about.
pub trait Routable {
    /// What rules see of it.
    fn origin(&self) -> Origin<'_>;
}

impl Routable for Item {
    fn origin(&self) -> Origin<'_> {
        Origin {
            source: &self.source,
            descriptor: &self.descriptor,
            source_index: self.source_index.as_ref(),
        }
    }
}

impl Routable for Origin<'_> {
    fn origin(&self) -> Origin<'_> {
        *self
    }
}
