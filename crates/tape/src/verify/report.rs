//! What verifying found.

use airlift_oci::types::{Digest, Tag};

use crate::deserialize::{Missing, Spot};

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VerifyReport {
    /// Every root, in the order they were met, with its tag.
    pub roots: Vec<(Digest, Option<Tag>)>,
    /// Entries read.
    pub entries: u64,
    /// Bytes read, uncompressed.
    pub bytes: u64,
    /// What is damaged, in order.
    pub damage: Vec<Damage>,
    /// What is needed and not on the media, nor left out on purpose.
    pub missing: Vec<Missing>,
    /// What was left out because the far side has it.
    pub omitted: Vec<Missing>,
}

/// Damage at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// The entry.
    pub at: Spot,
    /// What is wrong.
    pub reason: String,
    /// The gathered images that need it.
    pub images: Vec<String>,
}

impl VerifyReport {
    /// Whether the media are whole and right. What was left out on purpose does not count against
    /// them.
    pub fn is_good(&self) -> bool {
        self.damage.is_empty() && self.missing.is_empty() && !self.roots.is_empty()
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)?;
        if self.images.is_empty() {
            Ok(())
        } else {
            write!(f, "; needed by {}", self.images.join(", "))
        }
    }
}
