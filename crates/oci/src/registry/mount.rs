//! Taking blobs over from another repository of the same registry.

use super::repo::Repo;
use super::session::{Mounted, Session};
use crate::store::StoreError;
use crate::types::Digest;

/// Mounts alone: an upload that was opened instead is given up.
pub(super) async fn mount(repo: &Repo, digest: &Digest, from: &str) -> Result<bool, StoreError> {
    match Session::mount(repo, digest, from).await? {
        Mounted::Yes => {
            repo.host.facts.mounts.set(true);
            repo.facts.learn(digest);
            Ok(true)
        }
        Mounted::No(session) => {
            session.cancel(repo).await;
            Ok(false)
        }
        Mounted::Refused(error) => {
            tracing::debug!(place = repo.place, %error, "a mount was refused");
            Ok(false)
        }
    }
}
