//! Where signatures and the like of a manifest are found: by subject, and by cosign's tags.

use crate::types::{Digest, Tag};

/// The endings of cosign's tags: `sha256-HEX.sig` and the others hold what belongs to a digest.
pub const COSIGN_SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];

/// Cosign's tags for a digest, whether or not they exist.
pub fn cosign_tags(digest: &Digest) -> Vec<Tag> {
    let name = |suffix: &&str| format!("{}-{}.{suffix}", digest.algorithm().as_str(), digest.hex());
    // A tag is at most 128 characters long, so there are none for longer algorithms.
    COSIGN_SUFFIXES.iter().filter_map(|suffix| name(suffix).parse().ok()).collect()
}
