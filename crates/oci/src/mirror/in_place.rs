//! Whether a place has an image already.

use crate::store::Source;
use crate::types::{Descriptor, Digest, Version};

/// Whether what `version` names there now is the manifest `wanted`. Whatever prevents an answer
/// will show, with better words, when the image comes.
pub(super) async fn in_place(store: &dyn Source, version: &Version, wanted: &Digest) -> bool {
    match store.resolve(version).await {
        Ok(found) => is_same(store, &found, wanted).await,
        Err(_) => false,
    }
}

/// Whether the manifest `found` there is `wanted`. A registry names what a tag names by an algorithm
/// of its own: where that is another, the content tells.
pub(super) async fn is_same(store: &dyn Source, found: &Descriptor, wanted: &Digest) -> bool {
    if found.digest.algorithm() == wanted.algorithm() {
        return found.digest == *wanted;
    }
    let version = Version::Digest(found.digest.clone());
    store.fetch(&version).await.is_ok_and(|manifest| wanted.like(manifest.raw()) == *wanted)
}
