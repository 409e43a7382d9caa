//! Bodies that end too early, stop, or lie.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// What is wrong with a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Damage {
    /// Fails after so many bytes.
    Cut(u64),
    /// Goes on no more after so many bytes.
    Stall(u64),
    /// The byte at this offset is another one.
    Flip(u64),
}

/// A damaged body. `struck` tells when the damage is done.
pub(super) fn damaged(body: Body, damage: Damage, struck: Arc<AtomicBool>) -> Body {
    let inner = body.into_data_stream();
    Body::from_stream(Damaged { inner, damage, struck, position: 0, flushed: false })
}

struct Damaged {
    inner: BodyDataStream,
    damage: Damage,
    struck: Arc<AtomicBool>,
    position: u64,
    flushed: bool,
}

impl Damaged {
    /// The end of a body that is cut or stalls here. What went before must have left the process
    /// first, which it does while this stream lets the connection wait.
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        self.struck.store(true, Ordering::Relaxed);
        match self.damage {
            Damage::Cut(_) if self.flushed => {
                Poll::Ready(Some(Err(axum::Error::new("cut on purpose"))))
            }
            Damage::Cut(_) => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }

    fn flip(&mut self, chunk: Bytes, at: u64) -> Bytes {
        let index = at.checked_sub(self.position).and_then(|index| usize::try_from(index).ok());
        let Some(index) = index.filter(|index| *index < chunk.len()) else { return chunk };
        self.struck.store(true, Ordering::Relaxed);
        let mut copy = chunk.to_vec();
        copy[index] ^= 0x40;
        copy.into()
    }
}

impl Stream for Damaged {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let left = match self.damage {
            Damage::Cut(after) | Damage::Stall(after) => Some(after - self.position),
            Damage::Flip(_) => None,
        };
        if left == Some(0) {
            return self.end(cx);
        }
        let Some(chunk) = ready!(self.inner.poll_next_unpin(cx)) else { return Poll::Ready(None) };
        let mut chunk = chunk?;
        if let Damage::Flip(at) = self.damage {
            chunk = self.flip(chunk, at);
        }
        let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        chunk.truncate(left);
        self.position += chunk.len() as u64;
        Poll::Ready(Some(Ok(chunk)))
    }
}
