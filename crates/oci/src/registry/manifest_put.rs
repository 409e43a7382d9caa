//! Putting a manifest where it is found by all who look for it: under its digest, its tag, its
//! subject. What a registry refuses for reasons that are none of the manifest's is seen through.

use super::answer::Answer;
use super::manifest::{put_as, resolve};
use super::repo::Repo;
use super::settings::ReferrersMode;
use super::{fallback, referrers};
use crate::store::{ErrorKind, StoreError};
use crate::types::{Algorithm, Digest, Manifest, Tag, Version};

/// Puts a manifest under `tag`, or under its digest, and sees to it that its subject lists it.
pub(super) async fn put(
    repo: &Repo,
    manifest: &Manifest,
    tag: Option<&Tag>,
) -> Result<(), StoreError> {
    let digest = manifest.digest();
    let by_digest = Version::Digest(digest.clone());
    let mut said = false;
    // A tag leads to the registry's own choice of algorithm: under another digest the manifest has
    // to be put by itself.
    if tag.is_none() || digest.algorithm() != Algorithm::Sha256 {
        said = put_once(repo, manifest, &by_digest).await?;
    }
    if let Some(tag) = tag {
        said = put_once(repo, manifest, &Version::Tag(tag.clone())).await?;
    }
    match manifest.subject() {
        Some(subject) => list(repo, manifest, &subject.digest, said).await,
        None => Ok(()),
    }
}

/// One PUT. Whether the registry says that the subject lists the manifest. A PUT that is refused
/// while the tag names this very manifest already is none: registries whose tags cannot be moved
/// refuse that, too; they are asked whether they list it.
async fn put_once(repo: &Repo, manifest: &Manifest, version: &Version) -> Result<bool, StoreError> {
    let error = match put_alone_if_need_be(repo, manifest, version).await {
        Ok(answer) => return Ok(answer.header("oci-subject").is_some()),
        Err(error) => error,
    };
    let refused = match error.kind() {
        ErrorKind::Denied(_) => true,
        ErrorKind::Status { status, .. } => matches!(status, 400 | 405 | 409 | 412 | 422),
        _ => false,
    };
    if refused && matches!(version, Version::Tag(_)) {
        let there = resolve(repo, version).await;
        if there.is_ok_and(|there| there.digest == *manifest.digest()) {
            return Ok(true);
        }
    }
    Err(error)
}

/// One PUT, and where it is called invalid in company another one without: some registries stumble
/// over manifests that arrive together.
async fn put_alone_if_need_be(
    repo: &Repo,
    manifest: &Manifest,
    version: &Version,
) -> Result<Answer, StoreError> {
    let puts = &repo.host.facts.puts;
    {
        let among = puts.among_others().await;
        match put_as(repo, manifest, version).await {
            Err(error) if among.had_company() && is_called_invalid(&error) => {
                tracing::debug!(place = repo.place, %error, "put once more, alone");
            }
            result => return result,
        }
    }
    let _alone = puts.alone().await;
    put_as(repo, manifest, version).await
}

fn is_called_invalid(error: &StoreError) -> bool {
    match error.kind() {
        ErrorKind::Status { status: 400 | 404, message, .. } => {
            message.contains("MANIFEST_INVALID")
        }
        _ => false,
    }
}

/// Sees to it that `subject` lists `referrer`. `said`: the registry says that it does.
async fn list(
    repo: &Repo,
    referrer: &Manifest,
    subject: &Digest,
    said: bool,
) -> Result<(), StoreError> {
    let listed = match repo.host.facts.referrers {
        ReferrersMode::Api => true,
        ReferrersMode::Tag => false,
        ReferrersMode::Auto => said && referrers::are_listed(repo, subject).await,
    };
    if listed {
        return Ok(());
    }
    fallback::add(repo, referrer.referrer_descriptor(), subject).await
}
