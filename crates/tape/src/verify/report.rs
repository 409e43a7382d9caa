//! What verifying found.

use airlift_oci::types::{Digest, Tag};

use crate::deserialize::{Damage, Missing};

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

impl VerifyReport {
    /// Whether the media are whole and right. What was left out on purpose does not count against
    /// them.
    pub fn is_good(&self) -> bool {
        self.damage.is_empty() && self.missing.is_empty() && !self.roots.is_empty()
    }
}
