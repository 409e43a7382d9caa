//! Digest tables: destinations by an item's digest.

use std::collections::HashMap;

use airlift_oci::types::Digest;

use super::{Line, TableError};
use crate::Origin;

/// The lines of a table by digest.
#[derive(Debug)]
pub(crate) struct DigestTable {
    lines: Vec<Line>,
    /// Indices into `lines`, ascending.
    by_digest: HashMap<Digest, Vec<usize>>,
}

impl DigestTable {
    /// Reads the digests; one that is none is an error, as is a blank destination.
    pub(crate) fn new(file: &str, lines: Vec<Line>) -> Result<Self, TableError> {
        let mut by_digest: HashMap<Digest, Vec<usize>> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            let digest = line.key.text.parse::<Digest>();
            let digest = digest.map_err(|cause| line.error(file, &line.key, cause.to_string()))?;
            if line.destination.text.is_empty() {
                let fault = "the destination is blank".to_owned();
                return Err(line.error(file, &line.destination, fault));
            }
            by_digest.entry(digest).or_default().push(at);
        }
        Ok(DigestTable { lines, by_digest })
    }

    /// The lines for the item's digest and its source index's, in the order of the file.
    pub(crate) fn find(&self, origin: &Origin<'_>) -> Vec<&Line> {
        let own = Some(&origin.descriptor.digest);
        let index = origin.source_index.filter(|index| Some(*index) != own);
        let digests = own.into_iter().chain(index);
        let found = digests.filter_map(|digest| self.by_digest.get(digest));
        let mut found: Vec<usize> = found.flatten().copied().collect();
        found.sort_unstable();
        found.into_iter().map(|at| &self.lines[at]).collect()
    }
}
