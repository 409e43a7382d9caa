//! A connection with a bounded rate, in each direction.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How often a second a full connection moves bytes.
const STEPS: u64 = 50;

/// How late a step may come without the connection carrying less for it.
const LATE: Duration = Duration::from_millis(100);

/// A stream that carries so many bytes a second.
pub(crate) struct Throttled<S> {
    inner: S,
    reading: Pace,
    writing: Pace,
}

struct Pace {
    rate: Option<u64>,
    ready: Pin<Box<Sleep>>,
}

impl<S> Throttled<S> {
    pub(crate) fn new(inner: S, rate: Option<u64>) -> Self {
        Throttled { inner, reading: Pace::new(rate), writing: Pace::new(rate) }
    }
}

impl Pace {
    fn new(rate: Option<u64>) -> Self {
        Pace { rate: rate.map(|rate| rate.max(1)), ready: Box::pin(sleep_until(Instant::now())) }
    }

    /// How many bytes may go now.
    fn poll_allowance(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let Some(rate) = self.rate else { return Poll::Ready(usize::MAX) };
        ready!(self.ready.as_mut().poll(cx));
        Poll::Ready(usize::try_from(rate / STEPS).unwrap_or(usize::MAX).max(1))
    }

    fn moved(&mut self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let pause = Duration::from_secs_f64(bytes as f64 / rate as f64);
        // Time in which nothing moved cannot be made up for, but for as long as a busy machine
        // may be late.
        let now = Instant::now();
        let start = self.ready.deadline().max(now.checked_sub(LATE).unwrap_or(now));
        self.ready.as_mut().reset(start + pause);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = ready!(self.reading.poll_allowance(cx)).min(buf.remaining());
        let mut part = vec![0; most.min(1 << 16)];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        let read = part.filled().len();
        self.reading.moved(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = ready!(self.writing.poll_allowance(cx)).min(bytes.len());
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..most]))?;
        self.writing.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
