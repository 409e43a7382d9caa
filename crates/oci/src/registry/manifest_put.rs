//! Putting a manifest where it is found by all who look for it: under its digest, its tag, its
//! subject.

use super::fallback;
use super::manifest::put_as;
use super::repo::Repo;
use crate::store::StoreError;
use crate::types::{Algorithm, Manifest, Tag, Version};

/// Puts a manifest under `tag`, or under its digest, and sees to it that its subject lists it.
pub(super) async fn put(
    repo: &Repo,
    manifest: &Manifest,
    tag: Option<&Tag>,
) -> Result<(), StoreError> {
    let digest = manifest.digest();
    let by_digest = Version::Digest(digest.clone());
    let mut answer = None;
    // A tag leads to the registry's own choice of algorithm: under another digest the manifest has
    // to be put by itself.
    if tag.is_none() || digest.algorithm() != Algorithm::Sha256 {
        answer = Some(put_as(repo, manifest, &by_digest).await?);
    }
    if let Some(tag) = tag {
        answer = Some(put_as(repo, manifest, &Version::Tag(tag.clone())).await?);
    }
    let listed = answer.is_some_and(|answer| answer.header("oci-subject").is_some());
    match manifest.subject() {
        Some(subject) => fallback::after_put(repo, manifest, &subject.digest, listed).await,
        None => Ok(()),
    }
}
