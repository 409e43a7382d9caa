//! A blob in the request that would otherwise open its upload (distribution-spec, "Single POST"):
//! over a long line half the time of a small one.
//!
//! Not every registry takes it. Those that do not open an upload and say so, which is then used: the
//! body was sent in vain. So one small blob finds out, of which it is made sure that it is there, and
//! what came of it is remembered of the host. Near by nothing is gained: there it is never tried.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::StatusCode;

use super::answer::Answer;
use super::auth::Scopes;
use super::blob_read;
use super::call::Payload;
use super::identity::Identity;
use super::limits::Permit;
use super::repo::Repo;
use super::session::Session;
use super::upload_body::Outgoing;
use crate::store::StoreError;
use crate::types::Digest;

/// A larger blob is worth an upload that can be gone on with when it breaks, in bytes.
const LARGEST: u64 = 4 << 20;
/// The largest blob by which it is found out: as much is sent in vain at most, once.
const LARGEST_TRIAL: u64 = 1 << 20;

/// Whether a blob goes without an upload of its own.
#[derive(Debug, Default)]
pub(super) enum Single {
    /// It does not.
    #[default]
    No,
    /// It is the one by which it is found out.
    Trial,
    /// The host is known to take it.
    Known,
}

/// What came of sending.
pub(super) enum Sent {
    /// The blob is there.
    There,
    /// It is not; an upload may have been opened.
    Not(Option<Session>),
}

impl Single {
    /// How a blob of `size` bytes is sent, by what is known now.
    pub(super) fn chosen(repo: &Repo, size: u64) -> Self {
        let facts = &repo.host.facts;
        if size > LARGEST || !facts.takes_whole(size) || !repo.host.wire.limits.is_surely_far() {
            return Single::No;
        }
        match facts.single.get() {
            Some(true) => Single::Known,
            None if size <= LARGEST_TRIAL && !facts.single_asked.swap(true, Ordering::Relaxed) => {
                Single::Trial
            }
            _ => Single::No,
        }
    }

    /// Sends a blob that is at hand. A trial that fails in whatever way is none of the blob's
    /// failures, of this size or a larger one: an upload shows what is wrong.
    pub(super) async fn send_small(
        &self,
        repo: &Repo,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Sent, StoreError> {
        let mut call = Session::whole_call(repo, digest);
        call.payload = Payload::Bytes(bytes);
        // What refuses it again and again is not insisted on.
        call.hasty |= matches!(self, Single::Trial);
        let sent = repo.push(&call).await.map(|answer| Sent::of(repo, digest, &answer));
        self.judge(repo, digest, sent).await
    }

    /// Sends a blob as it is read.
    pub(super) async fn send(
        repo: &Repo,
        digest: &Digest,
        outgoing: Outgoing,
        permit: Permit,
    ) -> Result<Sent, StoreError> {
        let mut call = Session::whole_call(repo, digest);
        call.payload = Payload::Streamed;
        let scopes = &Scopes::push(&repo.path);
        let who = Identity { authority: &repo.host.authority, scopes };
        let answer = repo.host.wire.call_once(&call, outgoing, Some(&who), permit).await?;
        Ok(Sent::of(repo, digest, &answer))
    }

    /// What sending came to; of a trial, what it shows.
    pub(super) async fn judge(
        &self,
        repo: &Repo,
        digest: &Digest,
        sent: Result<Sent, StoreError>,
    ) -> Result<Sent, StoreError> {
        if !matches!(self, Single::Trial) {
            return sent;
        }
        let sent = sent.unwrap_or_else(|error| {
            tracing::debug!(place = repo.place, %error, "a blob was not taken without an upload");
            Sent::Not(None)
        });
        let there = match &sent {
            Sent::There => blob_read::has(repo, digest).await.unwrap_or(false),
            Sent::Not(_) => false,
        };
        repo.host.facts.single.set(there);
        Ok(if there || matches!(sent, Sent::Not(_)) { sent } else { Sent::Not(None) })
    }
}

impl Sent {
    /// What an answer says. One that is no good is left to an upload, which meets the same.
    fn of(repo: &Repo, digest: &Digest, answer: &Answer) -> Sent {
        let stated = answer.header("docker-content-digest").and_then(|text| text.parse().ok());
        let another = stated.is_some_and(|found: Digest| {
            found.algorithm() == digest.algorithm() && found != *digest
        });
        match answer.status {
            StatusCode::CREATED if !another => Sent::There,
            StatusCode::ACCEPTED => {
                repo.host.facts.single.set(false);
                Sent::Not(Session::of(repo, answer).ok())
            }
            _ => Sent::Not(None),
        }
    }
}
