//! A blob on its way into an upload: nothing of its end leaves before the blob is known to be whole,
//! and what stands still is told apart from what is slow to arrive.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::Instant;

use super::pace::{Direction, Pace};
use crate::store::{Blob, StoreError};

/// The most that leaves at once where the rate is bounded, in bytes.
const PACED: u64 = 64 * 1024;

/// A blob being cut into bodies.
pub(super) struct Feed {
    blob: Blob,
    held: Option<Bytes>,
    ended: bool,
}

/// The next so many bytes of a feed, as the body of one request.
pub(super) struct Outgoing {
    feed: Arc<Mutex<Feed>>,
    length: u64,
    progress: Arc<Progress>,
}

/// How a body is getting on.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    moved: Instant,
    starved: bool,
    sent: bool,
    error: Option<StoreError>,
}

impl Feed {
    pub(super) fn new(blob: Blob) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Feed { blob, held: None, ended: false }))
    }

    /// At most `most` bytes. The last ones come only after the blob has ended well.
    fn poll(&mut self, cx: &mut Context<'_>, most: u64) -> Poll<Option<Result<Bytes, StoreError>>> {
        loop {
            if let Some(held) = &mut self.held {
                if (held.len() as u64) > most {
                    return Poll::Ready(Some(Ok(held.split_to(most as usize))));
                }
                if self.ended {
                    return Poll::Ready(self.held.take().map(Ok));
                }
            } else if self.ended {
                return Poll::Ready(None);
            }
            match std::task::ready!(self.blob.poll_next_unpin(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    if let Some(before) = self.held.replace(chunk) {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.held = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.ended = true,
            }
        }
    }
}

impl Outgoing {
    /// The next `length` bytes of `feed`.
    pub(super) fn new(feed: &Arc<Mutex<Feed>>, length: u64) -> Self {
        let state = State { moved: Instant::now(), starved: false, sent: false, error: None };
        let progress = Arc::new(Progress(Mutex::new(state)));
        Outgoing { feed: feed.clone(), length, progress }
    }

    /// Bytes in it.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// How it gets on.
    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Makes this the body of `request`.
    pub(super) fn attach(
        self,
        request: reqwest::RequestBuilder,
        pace: &Arc<Pace>,
    ) -> (reqwest::RequestBuilder, Arc<Progress>) {
        let progress = self.progress.clone();
        progress.touch();
        let length = self.length;
        let pace = (!pace.is_free()).then(|| pace.clone());
        let body =
            Body { feed: self.feed, left: length, progress: self.progress, pace, held: None };
        let request = request.header(http::header::CONTENT_LENGTH, length);
        (request.body(reqwest::Body::wrap_stream(body)), progress)
    }
}

struct Body {
    feed: Arc<Mutex<Feed>>,
    left: u64,
    progress: Arc<Progress>,
    /// How fast it may go, when that is bounded.
    pace: Option<Arc<Pace>>,
    /// What is sent next, and until when it waits.
    held: Option<(BoxFuture<'static, ()>, Bytes)>,
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((wait, chunk)) = &mut self.held {
            if wait.poll_unpin(cx).is_pending() {
                // What we hold back ourselves is no stall.
                self.progress.lock().starved = true;
                return Poll::Pending;
            }
            let chunk = std::mem::take(chunk);
            self.held = None;
            return self.send(chunk);
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let most = if self.pace.is_some() { self.left.min(PACED) } else { self.left };
        let polled = lock(&self.feed).poll(cx, most);
        let Poll::Ready(next) = polled else {
            self.progress.lock().starved = true;
            return Poll::Pending;
        };
        match next {
            Some(Ok(chunk)) => {
                let Some(pace) = self.pace.clone() else { return self.send(chunk) };
                let bytes = chunk.len() as u64;
                let wait = async move { pace.pass(Direction::Sent, bytes).await }.boxed();
                self.held = Some((wait, chunk));
                self.poll_next(cx)
            }
            Some(Err(error)) => {
                self.left = 0;
                self.progress.lock().error = Some(error);
                Poll::Ready(Some(Err(io::Error::other("the content could not be read"))))
            }
            None => Poll::Ready(None),
        }
    }
}

impl Body {
    fn send(&mut self, chunk: Bytes) -> Poll<Option<io::Result<Bytes>>> {
        self.left -= chunk.len() as u64;
        self.progress.moved(self.left == 0);
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Progress {
    /// The error of the content, when it was that which ended the request.
    pub(super) fn take_error(&self) -> Option<StoreError> {
        self.lock().error.take()
    }

    /// Returns once the other side has taken nothing for `stall`, or has not answered for `commit`
    /// after it had everything; the seconds it was given. Waiting for the content itself is no
    /// stall: whoever reads it has limits of its own.
    pub(super) async fn stalled(&self, stall: Duration, commit: Duration) -> u64 {
        loop {
            let (limit, since) = {
                let mut state = self.lock();
                if state.starved && !state.sent {
                    state.moved = Instant::now();
                }
                (if state.sent { commit } else { stall }, state.moved)
            };
            if since.elapsed() >= limit {
                return limit.as_secs();
            }
            let step = (limit.saturating_sub(since.elapsed())).min(stall / 4);
            tokio::time::sleep(step.max(Duration::from_millis(5))).await;
        }
    }

    fn touch(&self) {
        self.lock().moved = Instant::now();
    }

    fn moved(&self, sent: bool) {
        let mut state = self.lock();
        state.moved = Instant::now();
        state.starved = false;
        state.sent = sent;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Descriptor, Digest};
    use futures_util::stream;

    fn blob(digest: &Digest, chunks: &[&'static str]) -> Blob {
        let size = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let descriptor = Descriptor::new("m", digest.clone(), size);
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
        Blob::new(descriptor, 0, "here", stream::iter(chunks).boxed())
    }

    async fn body(feed: &Arc<Mutex<Feed>>, length: u64) -> (Vec<u8>, Option<StoreError>) {
        let outgoing = Outgoing::new(feed, length);
        let progress = outgoing.progress();
        let (feed, own) = (outgoing.feed, outgoing.progress);
        let mut body = Body { feed, left: length, progress: own, pace: None, held: None };
        let mut all = Vec::new();
        while let Some(Ok(chunk)) = body.next().await {
            all.extend_from_slice(&chunk);
        }
        (all, progress.take_error())
    }

    #[tokio::test]
    async fn cut_into_bodies() {
        let feed = Feed::new(blob(&Digest::of(b"hello world"), &["hel", "lo wor", "", "ld"]));
        for part in ["hello", " ", "world"] {
            assert_eq!(body(&feed, part.len() as u64).await.0, part.as_bytes());
        }
    }

    #[tokio::test]
    async fn the_end_of_a_bad_blob_never_leaves() {
        let feed = Feed::new(blob(&Digest::of(b"something else"), &["hel", "lo ", "world"]));
        let (sent, error) = body(&feed, 11).await;
        assert_eq!(sent, b"hel");
        assert!(error.unwrap().to_string().contains("damaged"));
    }
}
