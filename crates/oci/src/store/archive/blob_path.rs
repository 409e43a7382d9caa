//! Where the blobs of an image layout stand (image-spec, image-layout.md, "Blobs").

use crate::types::Digest;

/// The digest of a blob of an image layout, by its path.
pub(super) fn blob_digest(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}
