//! What was found to be wrong with the media.

use std::collections::HashMap;

use bytes::Bytes;

use super::Spot;
use super::damage::Damage;
use airlift_oci::types::{Digest, Manifest};

/// What is wrong with the media.
#[derive(Debug, Default)]
pub(super) struct Ills {
    pub(super) damage: Vec<Damage>,
    /// Where damaged content stands.
    pub(super) places: HashMap<Digest, Spot>,
    /// The archive's `index.json`.
    pub(super) index: Option<(Bytes, Spot)>,
    /// The transfer manifest met last: another copy of an archive has the same one.
    pub(super) transfer_manifest: Option<Manifest>,
}

impl Ills {
    /// Takes note of damage, and of the content that it touches.
    pub(super) fn add(
        &mut self,
        at: Spot,
        reason: String,
        touches: impl IntoIterator<Item = Digest>,
    ) {
        for digest in touches {
            self.places.entry(digest).or_insert_with(|| at.clone());
        }
        self.damage.push(Damage { at, reason, images: Vec::new() });
    }
}
