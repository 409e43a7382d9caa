//! Reading blobs: a download that breaks goes on from where it broke.
//!
//! Small blobs are read whole and checked before they are handed out, so that a damaged one is
//! fetched once more unseen. Large ones are streamed; whoever reads them to the end sees damage.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::{HeaderValue, Method, StatusCode, header};

use super::answer::Answer;
use super::http::Read;
use super::kind::Kind;
use super::limits::{Lane, Permit};
use super::retry::Backoff;
use super::store::Repo;
use crate::store::{Blob, ErrorKind, StoreError, chain};
use crate::types::{Descriptor, Digest};

/// Up to this size a blob is read whole, in bytes.
pub(super) const SMALL: u64 = 256 * 1024;

/// Whether a blob is there.
pub(super) async fn has(repo: &Repo, digest: &Digest) -> Result<bool, StoreError> {
    if repo.facts.knows(digest) {
        return Ok(true);
    }
    let rest = format!("blobs/{digest}");
    let call = repo.call(Kind::BlobHead, Method::HEAD, &rest, Read::Whole(0));
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
    repo: Repo,
    descriptor: &Descriptor,
    offset: u64,
) -> Result<Blob, StoreError> {
    if descriptor.size <= SMALL && offset == 0 {
        return open_small(&repo, descriptor).await;
    }
    let place = repo.place.clone();
    let mut download = Download {
        repo: Arc::new(repo),
        descriptor: descriptor.clone(),
        position: offset,
        body: None,
    };
    if offset < descriptor.size {
        download.body = Some(connect(&download.repo, descriptor, offset).await?);
    }
    Ok(Blob::new(descriptor.clone(), offset, place, download.into_stream()))
}

async fn open_small(repo: &Repo, descriptor: &Descriptor) -> Result<Blob, StoreError> {
    let mut last = None;
    for _ in 0..2 {
        let rest = format!("blobs/{}", descriptor.digest);
        let read = Read::Whole(descriptor.size as usize);
        let answer = repo.pull(&repo.call(Kind::BlobGet, Method::GET, &rest, read)).await?;
        if !answer.status.is_success() {
            return Err(answer.error_about(&descriptor.digest));
        }
        let blob = || {
            let body = answer.body.clone();
            Blob::from_bytes(descriptor.clone(), 0, repo.place.clone(), body)
        };
        match blob().read_all().await {
            Ok(_) => return Ok(blob()),
            Err(error) => last = Some(error),
        }
    }
    // The loop ran, so there is one.
    Err(last.unwrap_or_else(|| repo.protocol("no answer")))
}

/// One blob on its way here.
struct Download {
    repo: Arc<Repo>,
    descriptor: Descriptor,
    /// Bytes from the blob's start to the next that is handed out.
    position: u64,
    body: Option<Body>,
}

/// One answer's body.
struct Body {
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    /// Bytes in front that are known already.
    drop: u64,
    /// The size is known to be right, so that nothing is expected beyond it.
    sized: bool,
    _permit: Option<Permit>,
}

enum Step {
    Chunk(Bytes),
    End,
    Broken(StoreError),
}

impl Download {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    /// The next bytes, over as many requests as it takes.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let repo = self.repo.clone();
        let settings = &repo.host.wire.common.settings;
        let mut backoff = Backoff::new(&settings.retries);
        loop {
            let error = match self.step(settings.stall_timeout).await {
                Step::Chunk(chunk) => {
                    self.position += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Step::End => return Ok(None),
                Step::Broken(error) => error,
            };
            self.body = None;
            let Some(wait) = backoff.after_failure() else { return Err(error) };
            let cause = format!(
                "{}: {} broke at byte {}: {}, going on from there",
                repo.place,
                self.descriptor.digest.short(),
                self.position,
                chain(error.kind())
            );
            repo.host.wire.tell(wait, &cause);
            tokio::time::sleep(wait).await;
            self.body = Some(connect(&repo, &self.descriptor, self.position).await?);
        }
    }

    async fn step(&mut self, stall: Duration) -> Step {
        let size = self.descriptor.size;
        let place = self.repo.place.clone();
        loop {
            let Some(body) = &mut self.body else { return Step::End };
            if self.position >= size && body.sized {
                return Step::End;
            }
            let Ok(next) = tokio::time::timeout(stall, body.bytes.next()).await else {
                return Step::Broken(StoreError::new(place, ErrorKind::TimedOut(stall.as_secs())));
            };
            match next {
                Some(Ok(mut chunk)) => {
                    let known = body.drop.min(chunk.len() as u64);
                    body.drop -= known;
                    let chunk = chunk.split_off(known as usize);
                    if !chunk.is_empty() {
                        return Step::Chunk(chunk);
                    }
                }
                Some(Err(error)) => return Step::Broken(super::failure::network(&place, error)),
                None if self.position < size => {
                    let short = "the connection ended early".into();
                    return Step::Broken(StoreError::new(place, ErrorKind::Network(short)));
                }
                None => return Step::End,
            }
        }
    }
}

/// Asks for a blob from `position` on.
async fn connect(repo: &Repo, descriptor: &Descriptor, position: u64) -> Result<Body, StoreError> {
    let digest = &descriptor.digest;
    let rest = format!("blobs/{digest}");
    let mut call = repo.call(Kind::BlobGet, Method::GET, &rest, Read::Stream);
    call.lane = Lane::Down;
    if position > 0 {
        let range = HeaderValue::from_str(&format!("bytes={position}-"));
        call.headers.extend(range.ok().map(|range| (header::RANGE, range)));
    }
    let answer = repo.pull(&call).await?;
    let start = match answer.status {
        StatusCode::PARTIAL_CONTENT => check_range(repo, descriptor, position, &answer)?,
        status if status.is_success() => {
            check_size(repo, descriptor, answer.length())?;
            0
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let size = descriptor.size;
            let text =
                format!("{digest} has no bytes from {position} on, though it should have {size}");
            return Err(repo.protocol(text));
        }
        _ => return Err(answer.error_about(digest)),
    };
    let sized = answer.length() == Some(descriptor.size - start);
    let Some((response, permit)) = answer.into_stream() else {
        return Err(repo.protocol("an answer without a body"));
    };
    let drop = position - start;
    Ok(Body { bytes: response.bytes_stream().boxed(), drop, sized, _permit: permit })
}

/// Where a partial answer starts: not behind what was asked for, and of a blob of the right size.
fn check_range(
    repo: &Repo,
    descriptor: &Descriptor,
    position: u64,
    answer: &Answer,
) -> Result<u64, StoreError> {
    let digest = &descriptor.digest;
    let Some((start, total)) = content_range(answer.header("content-range").unwrap_or("")) else {
        return Err(repo.protocol(format!("a part of {digest} without a valid Content-Range")));
    };
    check_size(repo, descriptor, total)?;
    if start > position {
        let text = format!(
            "bytes of {digest} from {position} on were asked for, from {start} on they came"
        );
        return Err(repo.protocol(text));
    }
    Ok(start)
}

fn check_size(repo: &Repo, descriptor: &Descriptor, stated: Option<u64>) -> Result<(), StoreError> {
    let (digest, expected) = (descriptor.digest.clone(), descriptor.size);
    match stated.filter(|stated| *stated != expected) {
        Some(found) => {
            Err(StoreError::new(&*repo.place, ErrorKind::Size { digest, expected, found }))
        }
        None => Ok(()),
    }
}

/// First byte and total size of `bytes FIRST-LAST/TOTAL`; the total may be unknown (`*`).
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    let fits = first <= last && total.is_none_or(|total| last < total);
    fits.then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 3-9/10"), Some((3, Some(10))));
        assert_eq!(content_range("bytes 3-9/*"), Some((3, None)));
        for bad in
            ["", "bytes", "bytes 9-3/10", "bytes 3-10/10", "3-9/10 ", "bytes */10", "items 3-9/10"]
        {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
