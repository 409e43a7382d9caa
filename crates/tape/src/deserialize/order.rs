//! The order of the parts of one whole: of several, the last one's root is the one that counts.
//!
//! A part leaves out what earlier ones have. One that leaves out what stands in a part given after
//! it, and shares nothing else with that part, was written after it; so they were given the wrong
//! way round. Nothing is lost by that but the tag, which then names what is older.

use std::collections::HashSet;

use super::catalog::Catalog;
use airlift_oci::types::Digest;

/// What each medium held, in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct Order {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    place: String,
    root: Option<Digest>,
    held: HashSet<Digest>,
}

/// Two parts the wrong way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disorder {
    /// The part that was given first and written later.
    pub newer: String,
    /// Its root.
    pub newer_root: Digest,
    /// The part that was given last, of which the root is taken.
    pub older: String,
}

impl std::fmt::Display for Disorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Disorder { newer, newer_root, older } = self;
        write!(
            f,
            "{newer} leaves out what stands in {older}, so it was written after it, but was given before it: the tag names what is older. The newer image is {newer_root}; name the parts in the order in which they were written, {older} before {newer}, to have it tagged"
        )
    }
}

impl Order {
    /// Another medium begins.
    pub(super) fn begin(&mut self, place: &str) {
        self.parts.push(Part { place: place.to_owned(), root: None, held: HashSet::new() });
    }

    /// Whether there was one.
    pub(super) fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Content passed.
    pub(super) fn held(&mut self, digest: &Digest) {
        if let Some(part) = self.parts.last_mut() {
            part.held.insert(digest.clone());
        }
    }

    /// The root of this medium is known; of several in one, the last counts.
    pub(super) fn root(&mut self, root: &Digest) {
        if let Some(part) = self.parts.last_mut() {
            part.root = Some(root.clone());
        }
    }

    /// Whether a part was given before the last that was written after it.
    pub(super) fn disorder(&self, catalog: &Catalog) -> Option<Disorder> {
        let (last, earlier) = self.parts.split_last()?;
        let newer = earlier.iter().rev().find(|part| part.follows(last, catalog))?;
        Some(Disorder {
            newer: newer.place.clone(),
            newer_root: newer.root.clone()?,
            older: last.place.clone(),
        })
    }
}

impl Part {
    /// Whether this was written as what `other` lacks.
    fn follows(&self, other: &Part, catalog: &Catalog) -> bool {
        let (Some(own), Some(others)) = (&self.root, &other.root) else { return false };
        if own == others {
            return false;
        }
        // Manifests are in every part that needs them, and some blobs serve archives themselves.
        let counts = |digest: &Digest| {
            catalog.as_blob.contains_key(digest) && !catalog.serves_archive(digest)
        };
        if self.held.iter().any(|digest| counts(digest) && other.held.contains(digest)) {
            return false;
        }
        let lacks = |digest: &Digest| !self.held.contains(digest) && other.held.contains(digest);
        any_blob_below(own, catalog, |digest| counts(digest) && lacks(digest))
    }
}

/// Whether a blob is as asked for that `root` needs, itself or by what it names.
fn any_blob_below(root: &Digest, catalog: &Catalog, is: impl Fn(&Digest) -> bool) -> bool {
    let (mut open, mut seen) = (vec![root], HashSet::new());
    while let Some(digest) = open.pop() {
        let Some(manifest) = catalog.manifests.get(digest).filter(|_| seen.insert(digest)) else {
            continue;
        };
        if manifest.blobs().any(|blob| is(&blob.digest)) {
            return true;
        }
        open.extend(manifest.manifests().map(|child| &child.digest));
    }
    false
}
