//! Sizes of many graphs together, as a gathered index states them.

use std::collections::BTreeMap;

use super::Graph;
use crate::inventory::Sizes;
use crate::types::{Digest, Manifest};

/// Adds up graphs, each without its referrers.
#[derive(Debug, Default)]
pub struct SizeCounter {
    total: u64,
    distinct: BTreeMap<Digest, u64>,
}

impl SizeCounter {
    /// Counts one image.
    pub fn add(&mut self, graph: &Graph) {
        self.total = self.total.saturating_add(graph.total_blob_bytes());
        let named = graph.own_manifests().iter().flat_map(Manifest::blobs);
        self.distinct.extend(named.map(|blob| (blob.digest.clone(), blob.size)));
    }

    /// What it came to.
    pub fn sizes(&self) -> Sizes {
        let deduplicated = self.distinct.values().fold(0u64, |sum, size| sum.saturating_add(*size));
        Sizes { total: self.total, deduplicated }
    }
}
