//! Where manifests and blobs stand in an archive (image-spec, image-layout.md, "Blobs").

use airlift_oci::types::Digest;

/// The path of content.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// The content that a path is for; `None` when it is for none.
pub(crate) fn blob_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}
