//! One answer that brings a blob or a part of one: asked for, checked to be what was asked for.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::{HeaderValue, Method, StatusCode, header};

use super::answer::Answer;
use super::call::Read;
use super::delivery::UnderWay;
use super::endpoint::authority;
use super::flow::{Flow, LEAST};
use super::kind::Kind;
use super::limits::{Lane, Permit};
use super::repo::Repo;
use super::wire::Wire;
use crate::store::{ErrorKind, StoreError};
use crate::types::Descriptor;

/// Bytes between two measurements of a connection's speed.
const MEASURED: u64 = 1 << 20;

/// One answer's body.
pub(super) struct Body {
    pub(super) bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    /// Bytes in front that are known already.
    pub(super) drop: u64,
    /// The length is known to be right, so that nothing is expected beyond it.
    pub(super) sized: bool,
    /// Where it starts in the blob, what is dropped left out, and where it ends by its own account when
    /// it is a part.
    pub(super) part: Option<Range<u64>>,
    /// The answer holds everything to the blob's end.
    pub(super) whole: bool,
    pub(super) flow: Flow,
    /// What was read and how long that took, without the time in which nobody wanted to read.
    read: u64,
    took: Duration,
    wire: Arc<Wire>,
    place: String,
    status: u16,
    begun: std::time::Instant,
    /// Bytes that came in all.
    came: u64,
    /// The host that it comes from, when the request was sent on to another.
    pub(super) elsewhere: Option<String>,
    under_way: UnderWay,
    _permit: Option<Permit>,
}

impl Body {
    /// Whether it was all that its answer meant to bring, though not all that was asked for, and so
    /// much that going on is no failure.
    pub(super) fn is_capped(&self, position: u64) -> bool {
        let whole = self.part.as_ref().filter(|part| part.end == position);
        whole.is_some_and(|part| position - part.start >= LEAST)
    }

    /// Notes how fast bytes come, for the choice of endpoints and of how many connections a large
    /// blob is worth.
    pub(super) fn measure(&mut self, bytes: u64, took: Duration, repo: &Repo) {
        self.came += bytes;
        self.under_way.came(bytes, took);
        self.read += bytes;
        self.took += took;
        if self.read >= MEASURED {
            repo.host.facts.learn_speed(self.read, self.took);
            (self.read, self.took) = (0, Duration::ZERO);
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let status = Some(self.status);
        self.wire.ended(Kind::BlobGet, &self.place, status, self.came, self.begun);
    }
}

/// Asks one endpoint for a blob from `position` to `end`. Where the range is refused or answered
/// with another one, the whole is asked for and what is known of it dropped.
pub(super) async fn connect(
    repo: &Repo,
    descriptor: &Descriptor,
    position: u64,
    end: u64,
    permit: Option<Permit>,
) -> Result<Body, StoreError> {
    let begun = std::time::Instant::now();
    let under_way = UnderWay::at(&repo.host.facts.delivery);
    let size = descriptor.size;
    let range = if end < size {
        Some(format!("bytes={position}-{}", end - 1))
    } else {
        (position > 0).then(|| format!("bytes={position}-"))
    };
    let mut answer = ask(repo, descriptor, range.as_deref(), permit, &under_way).await?;
    let ranges = &repo.host.facts.ranges;
    if range.is_some() {
        match answer.status.as_u16() {
            206 => match check_range(repo, descriptor, position, &answer) {
                Ok(part) => {
                    ranges.set_once(true);
                    let places = (position, part.start);
                    let mut body = body(repo, descriptor, places, begun, answer, under_way)?;
                    body.part = Some(position..part.end);
                    return Ok(body);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Size { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(place = repo.place, %error, "read whole instead");
                    ranges.set(false);
                    drop(answer);
                    answer = ask(repo, descriptor, None, None, &under_way).await?;
                }
            },
            400 | 405 | 416 | 501 => {
                tracing::debug!(place = repo.place, status = %answer.status, "a range was refused");
                ranges.set(false);
                drop(answer);
                answer = ask(repo, descriptor, None, None, &under_way).await?;
            }
            200 => ranges.set(false),
            _ => {}
        }
    }
    if !answer.status.is_success() {
        return Err(answer.error_about(&descriptor.digest));
    }
    check_size(repo, descriptor, answer.length())?;
    body(repo, descriptor, (position, 0), begun, answer, under_way)
}

async fn ask(
    repo: &Repo,
    descriptor: &Descriptor,
    range: Option<&str>,
    permit: Option<Permit>,
    under_way: &UnderWay,
) -> Result<Answer, StoreError> {
    let rest = format!("blobs/{}", descriptor.digest);
    let mut call = repo.call(Kind::BlobGet, Method::GET, &rest, Read::Stream);
    call.lane = Lane::Down;
    call.permit = permit.into();
    let range = range.and_then(|range| HeaderValue::from_str(range).ok());
    call.headers.extend(range.map(|range| (header::RANGE, range)));
    let answer = repo.pull(&call).await?;
    if answer.status.is_success()
        && let Some((began, _)) = call.course.took()
    {
        under_way.answered(began);
    }
    Ok(answer)
}

/// The body of a good answer to what was asked from `position` on, which starts at `start`.
fn body(
    repo: &Repo,
    descriptor: &Descriptor,
    (position, start): (u64, u64),
    begun: std::time::Instant,
    answer: Answer,
    under_way: UnderWay,
) -> Result<Body, StoreError> {
    let rest = descriptor.size - start;
    let sized = answer.length() == Some(rest);
    let status = answer.status.as_u16();
    let elsewhere = answer.foreign.then(|| authority(&answer.url));
    let whole = answer.status != StatusCode::PARTIAL_CONTENT || sized;
    let Some((response, permit)) = answer.into_stream() else {
        return Err(repo.protocol("an answer without a body"));
    };
    Ok(Body {
        bytes: response.bytes_stream().boxed(),
        drop: position - start,
        part: None,
        sized,
        whole,
        flow: Flow::new(repo.host.wire.common.settings.stall_timeout),
        read: 0,
        took: Duration::ZERO,
        wire: repo.host.wire.clone(),
        place: repo.place.clone(),
        status,
        begun,
        came: 0,
        elsewhere,
        under_way,
        _permit: permit,
    })
}

/// What part an answer brings: it starts not behind what was asked for, and of a blob of the right size.
fn check_range(
    repo: &Repo,
    descriptor: &Descriptor,
    position: u64,
    answer: &Answer,
) -> Result<Range<u64>, StoreError> {
    let digest = &descriptor.digest;
    let Some((part, total)) = content_range(answer.header("content-range").unwrap_or("")) else {
        return Err(repo.protocol(format!("a part of {digest} without a valid Content-Range")));
    };
    check_size(repo, descriptor, total)?;
    let start = part.start;
    if start > position {
        let text = format!(
            "bytes of {digest} from {position} on were asked for, from {start} on they came"
        );
        return Err(repo.protocol(text));
    }
    Ok(part)
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

/// The part and the total size of `bytes FIRST-LAST/TOTAL`; the total may be unknown (`*`).
fn content_range(text: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    let fits = first <= last && total.is_none_or(|total| last < total);
    fits.then_some((first..last.checked_add(1)?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 3-9/10"), Some((3..10, Some(10))));
        assert_eq!(content_range("bytes 3-9/*"), Some((3..10, None)));
        for bad in
            ["", "bytes", "bytes 9-3/10", "bytes 3-10/10", "3-9/10 ", "bytes */10", "items 3-9/10"]
        {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
