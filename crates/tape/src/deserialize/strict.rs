//! Reading strictly: everything in an archive must be accounted for.
//!
//! What nothing names is ignored otherwise, as other tools ignore it; whoever has to know what
//! crosses an air gap does not want it to cross.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::catalog::Catalog;
use super::foreign::contradiction;
use super::{DeserializeError, Spot};
use airlift_oci::types::Digest;

/// Bytes held of documents of other programs.
const MAX_FOREIGN: usize = 256 << 20;

/// What was met, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Strict {
    met: HashSet<Digest>,
    unnamed: HashMap<Digest, Spot>,
    /// Documents of other programs, to be looked at once all is known.
    foreign: Vec<(Bytes, Spot)>,
}

impl Strict {
    /// Another archive begins, in which content may stand again.
    pub(super) fn begin(&mut self) {
        self.met.clear();
    }

    /// All archives were read: whatever nothing has named by now is refused.
    pub(super) fn finish(&self, catalog: &Catalog) -> Result<(), DeserializeError> {
        let unnamed = self.unnamed.iter().filter(|(digest, _)| !catalog.is_named(digest));
        for (text, at) in &self.foreign {
            let name = at.entry.as_str();
            if let Some(reason) = contradiction(name, text, catalog) {
                return Err(DeserializeError::Unexpected { at: Box::new(at.clone()), reason });
            }
        }
        match unnamed.map(|(_, at)| at).min_by_key(|at| at.offset) {
            None => Ok(()),
            Some(at) => {
                let (at, reason) = (Box::new(at.clone()), "nothing in the archive names it");
                Err(DeserializeError::Unexpected { at, reason })
            }
        }
    }

    /// Takes note of content.
    pub(super) fn account(
        &mut self,
        catalog: &Catalog,
        at: Spot,
        digest: &Digest,
    ) -> Result<(), DeserializeError> {
        if !self.met.insert(digest.clone()) {
            let (at, reason) = (Box::new(at), "it stands in the archive twice");
            return Err(DeserializeError::Unexpected { at, reason });
        }
        if !catalog.is_named(digest) {
            self.unnamed.entry(digest.clone()).or_insert(at);
        }
        Ok(())
    }

    /// `manifest.json`, for which the transfer list accounts, or `repositories`. In an archive
    /// without such a list they are another program's, and have to agree with the images.
    pub(super) fn document(
        &mut self,
        catalog: &Catalog,
        at: Spot,
        text: Bytes,
    ) -> Result<(), DeserializeError> {
        if catalog.documents.contains(&Digest::of(&text)) {
            return Ok(());
        }
        if catalog.has_list() {
            let (at, reason) = (Box::new(at), "no transfer list accounts for it");
            return Err(DeserializeError::Unexpected { at, reason });
        }
        let held: usize = self.foreign.iter().map(|(text, _)| text.len()).sum();
        if held + text.len() > MAX_FOREIGN {
            let (at, reason) = (Box::new(at), "there is too much of it");
            return Err(DeserializeError::Unexpected { at, reason });
        }
        self.foreign.push((text, at));
        Ok(())
    }
}
