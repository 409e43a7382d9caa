//! Reading blobs: whether one is there, and opening it.
//!
//! Small blobs are read whole and checked before they are handed out, so that a damaged one is
//! fetched once more unseen; one that breaks off again and again is gone on with. Others are streamed, by one connection ([`super::download`]) or, when
//! that is faster, by several ([`super::ranges`]); whoever reads them to the end sees damage.

use std::ops::Range;

use bytes::BytesMut;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::call::{Insist, Read};
use super::delivery::UnderWay;
use super::download::Download;
use super::endpoints::{self, Endpoints};
use super::failure;
use super::kind::Kind;
use super::ranges::Ranged;
use super::repo::Repo;
use crate::store::{Blob, StoreError};
use crate::types::{Descriptor, Digest};

/// Up to this size a blob is read whole, in bytes.
pub(super) const SMALL: u64 = 256 * 1024;

/// Whether a blob is there.
pub(super) async fn has(repo: &Repo, digest: &Digest) -> Result<bool, StoreError> {
    if repo.facts.knows(digest) {
        return Ok(true);
    }
    look(repo, digest, Insist::Fully).await
}

/// Whether a HEAD finds a blob that could be sent instead. One that fails answers nothing: what is
/// wrong shows when the blob is sent.
pub(super) async fn seen(repo: &Repo, digest: &Digest) -> bool {
    let (finding, begun) = (&repo.host.facts.finding, Instant::now());
    if repo.facts.knows(digest) || !finding.is() {
        return repo.facts.knows(digest);
    }
    match look(repo, digest, Insist::Hardly).await {
        Ok(found) => {
            finding.answered();
            found
        }
        Err(error) => {
            tracing::debug!(place = repo.place, %error, "a blob could not be looked for");
            finding.failed(begun, Instant::now());
            false
        }
    }
}

/// Whether a blob is there after an upload of it was lost: then only an answer was. One that cannot be
/// looked for is sent once more.
pub(super) async fn arrived(repo: &Repo, digest: &Digest) -> bool {
    look(repo, digest, Insist::Somewhat).await.unwrap_or_else(|error| {
        tracing::debug!(place = repo.place, %error, "a blob could not be looked for");
        false
    })
}

async fn look(repo: &Repo, digest: &Digest, insist: Insist) -> Result<bool, StoreError> {
    let rest = format!("blobs/{digest}");
    let mut call = repo.call(Kind::BlobHead, Method::HEAD, &rest, Read::Whole(0));
    call.insist = insist;
    let answer = repo.pull(&call).await?;
    let found = match answer.status {
        StatusCode::NOT_FOUND => false,
        // Sent on to where the blobs are kept: it is there.
        status if status.is_success() || status.is_redirection() => true,
        _ => return Err(answer.error()),
    };
    repo.facts.looked(found);
    if found {
        repo.facts.learn(digest);
    }
    Ok(found)
}

/// Opens a blob. What can be known before the first byte (that it is not there, that its size is
/// another) is an error here.
pub(super) async fn open(
    from: &Endpoints,
    descriptor: &Descriptor,
    offset: u64,
) -> Result<Blob, StoreError> {
    let bytes = descriptor.size.saturating_sub(offset);
    let repos = from.for_blob(&descriptor.digest, bytes, offset == 0);
    if descriptor.size <= SMALL && offset == 0 {
        return open_small(&repos, descriptor).await;
    }
    let bytes = if Ranged::is_worth(&repos, bytes) {
        Ranged::open(repos, descriptor, offset).await?.into_stream()
    } else {
        Download::open(repos, descriptor, offset, descriptor.size, None).await?.into_stream()
    };
    Ok(Blob::new(descriptor.clone(), offset, from.place(), bytes))
}

/// Opens a part of a blob, by one connection.
pub(super) async fn open_range(
    from: &Endpoints,
    descriptor: &Descriptor,
    range: Range<u64>,
) -> Result<Blob, StoreError> {
    let end = range.end.min(descriptor.size);
    if range.start == 0 && end == descriptor.size && end <= SMALL {
        return open(from, descriptor, 0).await;
    }
    let bytes = end.saturating_sub(range.start);
    let repos = from.for_blob(&descriptor.digest, bytes, range.start == 0);
    let download = Download::open(repos, descriptor, range.start, end, None).await?;
    let blob = Blob::new(descriptor.clone(), range.start, from.place(), download.into_stream());
    Ok(blob.until(end))
}

/// A damaged one is fetched once more, from another endpoint where there is one.
async fn open_small(repos: &[Repo], descriptor: &Descriptor) -> Result<Blob, StoreError> {
    let (at, read) = endpoints::first(repos, 0, |repo| read_small(repo, descriptor)).await?;
    let read = match read {
        Ok(blob) => return Ok(blob),
        // Nothing comes of asking the same host for it again.
        Err(error) if repos.len() == 1 && !error.is_damage() => return Err(error),
        Err(error) => error,
    };
    tracing::debug!(error = %read, "fetched once more");
    let next = (at + 1) % repos.len();
    let again = endpoints::first(repos, next, |repo| async move {
        read_small(repo, descriptor).await.and_then(|read| read)
    });
    // Where nobody else has it, what came first is what is wrong.
    match again.await {
        Ok((helped, blob)) => {
            if helped != at {
                endpoints::failed(&repos[at]);
            }
            Ok(blob)
        }
        Err(error) if error.is_not_found() => Err(read),
        Err(error) => Err(error),
    }
}

/// Reads a small blob from one endpoint; the inner error is that of its bytes.
async fn read_small(
    repo: Repo,
    descriptor: &Descriptor,
) -> Result<Result<Blob, StoreError>, StoreError> {
    let rest = format!("blobs/{}", descriptor.digest);
    let read = Read::Whole(descriptor.size as usize);
    let under_way = UnderWay::at(&repo.host.facts.delivery);
    let call = repo.call(Kind::BlobGet, Method::GET, &rest, read);
    let answer = match repo.pull(&call).await {
        Err(error) if call.is_cut() && error.is_retryable() => {
            tracing::debug!(%error, "read in parts");
            drop(under_way);
            return read_in_parts(repo, descriptor).await;
        }
        answer => answer?,
    };
    if !answer.status.is_success() {
        return Err(answer.error_about(&descriptor.digest));
    }
    if let Some((_, took)) = call.course.took() {
        under_way.answered(took);
    }
    let packed = answer.packed();
    let checked = Blob::check(descriptor.clone(), repo.place.clone(), answer.body);
    Ok(checked.map_err(|error| {
        let packed = packed.map(|packed| failure::packed(&repo.place, &packed));
        repo.at(packed.unwrap_or(error))
    }))
}

/// Reads a small blob over a line on which it breaks off again and again: each connection goes on
/// from where the last one came to.
async fn read_in_parts(
    repo: Repo,
    descriptor: &Descriptor,
) -> Result<Result<Blob, StoreError>, StoreError> {
    let mut bytes = BytesMut::new();
    let repos = [repo.clone()].into();
    let mut download = Download::open(repos, descriptor, 0, descriptor.size, None).await?;
    // What comes beyond the end shows that it is another.
    while bytes.len() as u64 <= descriptor.size {
        let Some(chunk) = download.next().await? else { break };
        bytes.extend_from_slice(&chunk);
    }
    let checked = Blob::check(descriptor.clone(), repo.place.clone(), bytes.freeze());
    Ok(checked.map_err(|error| repo.at(error)))
}
