//! Reading strictly: everything in an archive must be accounted for.
//!
//! What nothing names is ignored otherwise, as other tools ignore it; whoever has to know what
//! crosses an air gap does not want it to cross.

use std::collections::{HashMap, HashSet};

use super::catalog::Catalog;
use super::intake::Intake;
use super::{DeserializeError, Spot};
use airlift_oci::types::Digest;

/// What was met, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Strict {
    met: HashSet<Digest>,
    unnamed: HashMap<Digest, Spot>,
}

impl Strict {
    /// Another archive begins, in which content may stand again.
    pub(super) fn begin(&mut self) {
        self.met.clear();
    }

    /// All archives were read: whatever nothing has named by now is refused.
    pub(super) fn finish(&self, catalog: &Catalog) -> Result<(), DeserializeError> {
        let unnamed = self.unnamed.iter().filter(|(digest, _)| !catalog.is_named(digest));
        match unnamed.map(|(_, at)| at).min_by_key(|at| at.offset) {
            None => Ok(()),
            Some(at) => {
                let (at, reason) = (Box::new(at.clone()), "nothing in the archive names it");
                Err(DeserializeError::Unexpected { at, reason })
            }
        }
    }
}

impl Intake<'_> {
    /// Takes note of content.
    pub(super) fn account(&mut self, at: Spot, digest: &Digest) -> Result<(), DeserializeError> {
        if !self.strict.met.insert(digest.clone()) {
            let (at, reason) = (Box::new(at), "it stands in the archive twice");
            return Err(DeserializeError::Unexpected { at, reason });
        }
        if !self.catalog.is_named(digest) {
            self.strict.unnamed.entry(digest.clone()).or_insert(at);
        }
        Ok(())
    }

    /// `manifest.json`, which only a transfer list accounts for.
    pub(super) fn strict_document(&self, found: &Digest) -> Result<(), &'static str> {
        if self.catalog.documents.contains(found) {
            Ok(())
        } else {
            Err("no transfer list accounts for it")
        }
    }
}
