//! Content in motion: a stream of bytes that fails at its end when they are not the ones asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

use super::{ErrorKind, StoreError};
use crate::types::{Descriptor, Hasher};

/// One blob's bytes from some offset to its end.
///
/// From offset 0 size and digest are both checked, from elsewhere the size alone: whoever continues
/// a blob must check the whole (a registry does at the end of an upload). The last item of a bad
/// blob is an error, in place of the chunk that would have made it whole: who passes chunks on as
/// they come never passes on all of a damaged blob. Never trust its bytes before the stream has
/// ended without an error. A blob that is longer than its descriptor says fails at the first
/// surplus byte.
pub struct Blob {
    descriptor: Descriptor,
    place: String,
    bytes: BoxStream<'static, Result<Bytes, StoreError>>,
    hasher: Option<Hasher>,
    /// Set once the whole of it was read and is good.
    verified: Option<Arc<AtomicBool>>,
    /// Called once its bytes had the digest.
    on_good: Option<Box<dyn FnOnce() + Send>>,
    /// They had.
    good: bool,
    position: u64,
    /// Where the stream ends: the content's end, or before.
    end: u64,
    done: bool,
}

impl Blob {
    /// Wraps the bytes of `descriptor` from `offset` on, as they come from `place`.
    pub fn new(
        descriptor: Descriptor,
        offset: u64,
        place: impl Into<String>,
        bytes: BoxStream<'static, Result<Bytes, StoreError>>,
    ) -> Self {
        let hasher = (offset == 0).then(|| Hasher::new(descriptor.digest.algorithm()));
        let end = descriptor.size;
        Blob {
            descriptor,
            place: place.into(),
            bytes,
            hasher,
            verified: None,
            on_good: None,
            good: false,
            position: offset,
            end,
            done: false,
        }
    }

    /// Sets `verified` once the stream has ended, was read from offset 0, and had the digest: for
    /// whoever has to know that the bytes were read, whatever a sink makes of them.
    #[must_use]
    pub fn noting(mut self, verified: Arc<AtomicBool>) -> Self {
        self.verified = Some(verified);
        self
    }

    /// Calls `on_good` once the bytes had the digest, which of a part is never.
    pub(super) fn once_good(mut self, on_good: impl FnOnce() + Send + 'static) -> Self {
        self.on_good = Some(Box::new(on_good));
        self
    }

    /// Does not check the digest: the store knows that these very bytes had it before.
    pub(super) fn known_good(mut self) -> Self {
        self.hasher = None;
        self.good = self.position == 0 && self.end == self.descriptor.size;
        self
    }

    /// Leaves the digest to the reader, who checks the whole of what he puts together of parts. The
    /// size is still checked.
    #[must_use]
    pub fn unhashed(mut self) -> Self {
        (self.hasher, self.good) = (None, false);
        self
    }

    /// Ends the stream before byte `end` of the content. What is left out is not looked at, and of
    /// a part no digest is checked.
    #[must_use]
    pub fn until(mut self, end: u64) -> Self {
        if end < self.end {
            self.end = end.max(self.position);
            (self.hasher, self.good) = (None, false);
        }
        self
    }

    /// A blob whose bytes are at hand.
    pub fn from_bytes(
        descriptor: Descriptor,
        offset: u64,
        place: impl Into<String>,
        bytes: Bytes,
    ) -> Self {
        let rest = bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..);
        Blob::new(descriptor, offset, place, stream::iter([Ok(rest)]).boxed())
    }

    /// A blob whose bytes are at hand and are checked now, instead of when they are read.
    pub fn check(
        descriptor: Descriptor,
        place: impl Into<String>,
        bytes: Bytes,
    ) -> Result<Self, StoreError> {
        let (place, expected) = (place.into(), descriptor.size);
        let digest = descriptor.digest.clone();
        let found = bytes.len() as u64;
        if found != expected {
            return Err(StoreError::new(place, ErrorKind::Size { digest, expected, found }));
        }
        let found = digest.like(&bytes);
        if found != digest {
            return Err(StoreError::new(place, ErrorKind::Digest { expected: digest, found }));
        }
        let mut blob = Blob::from_bytes(descriptor, 0, place, bytes);
        blob.hasher = None;
        Ok(blob)
    }

    /// Calls `see` with the length of every chunk as it passes.
    #[must_use]
    pub fn inspect(mut self, see: impl Fn(usize) + Send + 'static) -> Self {
        let bytes = std::mem::replace(&mut self.bytes, stream::empty().boxed());
        self.bytes = bytes
            .inspect(move |chunk| {
                if let Ok(chunk) = chunk {
                    see(chunk.len());
                }
            })
            .boxed();
        self
    }

    /// What is being read.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Bytes from the start of the content to the next byte of the stream.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads to the end, checked. Only for content that is known to be small.
    pub async fn read_all(mut self) -> Result<Bytes, StoreError> {
        let left = self.end.saturating_sub(self.position);
        let mut all = BytesMut::with_capacity(usize::try_from(left).unwrap_or(0).min(1 << 22));
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if all.is_empty() && chunk.len() as u64 == left {
                // The common case of small content: one chunk, not copied. The stream must still
                // end well before it is trusted.
                if let Some(Err(error)) = self.next().await {
                    return Err(error);
                }
                return Ok(chunk);
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    fn fail(&mut self, kind: ErrorKind) -> Poll<Option<Result<Bytes, StoreError>>> {
        self.done = true;
        Poll::Ready(Some(Err(StoreError::new(self.place.clone(), kind))))
    }

    fn wrong_size(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
        let kind = ErrorKind::Size {
            digest: self.descriptor.digest.clone(),
            expected: self.end,
            found: self.position,
        };
        self.fail(kind)
    }

    fn take_in(&mut self, mut chunk: Bytes) -> Poll<Option<Result<Bytes, StoreError>>> {
        if self.end < self.descriptor.size {
            let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
            chunk.truncate(left);
        }
        self.position += chunk.len() as u64;
        if self.position > self.descriptor.size {
            return self.wrong_size();
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        if self.position == self.end
            && let Err(kind) = self.judge()
        {
            return self.fail(kind);
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    /// Compares the digest, now that all bytes were seen.
    fn judge(&mut self) -> Result<(), ErrorKind> {
        let Some(found) = self.hasher.take().map(Hasher::finish) else { return Ok(()) };
        if found != self.descriptor.digest {
            return Err(ErrorKind::Digest { expected: self.descriptor.digest.clone(), found });
        }
        self.good = true;
        if let Some(on_good) = self.on_good.take() {
            on_good();
        }
        Ok(())
    }

    fn end(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
        self.done = true;
        if self.position != self.end {
            return self.wrong_size();
        }
        if let Err(kind) = self.judge() {
            return self.fail(kind);
        }
        if let (true, Some(verified)) = (self.good, &self.verified) {
            verified.store(true, Ordering::Release);
        }
        Poll::Ready(None)
    }
}

impl Stream for Blob {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done || (self.position == self.end && self.end < self.descriptor.size) {
            return Poll::Ready(None);
        }
        match ready!(self.bytes.poll_next_unpin(cx)) {
            Some(Ok(chunk)) => self.take_in(chunk),
            Some(Err(error)) => {
                self.done = true;
                Poll::Ready(Some(Err(error)))
            }
            None => self.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    async fn read(
        descriptor: Descriptor,
        offset: u64,
        chunks: &[&'static str],
    ) -> Result<Bytes, StoreError> {
        let chunks: Vec<_> =
            chunks.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect();
        Blob::new(descriptor, offset, "here", stream::iter(chunks).boxed()).read_all().await
    }

    #[tokio::test]
    async fn good_bytes_pass() {
        let descriptor = Descriptor::of("m", b"hello");
        assert_eq!(read(descriptor.clone(), 0, &["hel", "lo"]).await.unwrap(), "hello");
        assert_eq!(read(descriptor.clone(), 0, &["hello"]).await.unwrap(), "hello");
        assert_eq!(read(descriptor, 3, &["lo"]).await.unwrap(), "lo");
        assert_eq!(read(Descriptor::of("m", b""), 0, &[]).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_part_ends_where_it_should_and_not_before() {
        let part = |chunks: &[&'static str]| {
            let chunks: Vec<_> =
                chunks.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect();
            let descriptor = Descriptor::of("m", b"hello world");
            Blob::new(descriptor, 2, "here", stream::iter(chunks).boxed()).until(7).read_all()
        };
        assert_eq!(part(&["llo w", "never read"]).await.unwrap(), "llo w");
        assert_eq!(part(&["llo", " world"]).await.unwrap(), "llo w");
        let error = part(&["llo"]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Size { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_last_chunk_of_damaged_bytes_is_held_back() {
        let chunks = ["hal", "lo"].map(|text| Ok(Bytes::from_static(text.as_bytes())));
        let descriptor = Descriptor::of("m", b"hello");
        let mut blob = Blob::new(descriptor, 0, "here", stream::iter(chunks).boxed());
        assert_eq!(blob.next().await.unwrap().unwrap(), "hal");
        assert!(blob.next().await.unwrap().is_err());
        assert!(blob.next().await.is_none());
    }

    #[tokio::test]
    async fn bad_bytes_fail_with_both_digests() {
        let descriptor = Descriptor::of("m", b"hello");
        let text = read(descriptor.clone(), 0, &["hallo"]).await.unwrap_err().to_string();
        assert!(
            text.contains(descriptor.digest.as_str())
                && text.contains(Digest::of(b"hallo").as_str())
        );
        for chunks in [&["hell"][..], &["hello", "o"], &[]] {
            let error = read(descriptor.clone(), 0, chunks).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Size { .. }), "{error}");
        }
    }
}
