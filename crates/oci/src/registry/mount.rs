//! Taking blobs over from another repository of the same registry.

use tokio::time::Instant;

use super::call::Insist;
use super::repo::Repo;
use super::session::{Mounted, Session};
use crate::store::StoreError;
use crate::types::Digest;

/// Asks for what could be sent as well. `None`: there was no answer; when that happens again and
/// again, the host is not asked for a while.
pub(super) async fn ask(repo: &Repo, digest: &Digest, from: &str) -> Option<Mounted> {
    let (mounting, begun) = (&repo.host.facts.mounting, Instant::now());
    match Session::mount(repo, digest, from, Insist::Hardly).await {
        Ok(mounted) => {
            mounting.answered();
            if let Mounted::Refused(error) = &mounted {
                tracing::debug!(place = repo.place, %error, "a mount was refused");
            }
            Some(mounted)
        }
        Err(error) => {
            tracing::debug!(place = repo.place, %error, "a mount failed");
            mounting.failed(begun, Instant::now());
            None
        }
    }
}

/// Mounts alone: an upload that was opened instead is given up.
pub(super) async fn mount(repo: &Repo, digest: &Digest, from: &str) -> Result<bool, StoreError> {
    match Session::mount(repo, digest, from, Insist::Fully).await? {
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
