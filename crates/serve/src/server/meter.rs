//! How a connection is getting on: what moves over it, and who waits for whom.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a connection is about at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No request, or not the whole of its head, has come.
    Head,
    /// The server works.
    Working,
    /// The body of the request is waited for.
    Body,
    /// The answer is being sent.
    Answer,
}

/// What is measured of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    moved: AtomicU64,
    mark: Mutex<Mark>,
}

/// A moment from which on the speed is told, and what happened since.
#[derive(Debug)]
struct Mark {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    /// For how long the client was waited for before that.
    waited: Duration,
    /// What had moved at the moment.
    moved: u64,
}

/// How long a connection may take to show its speed.
const SETTLE: Duration = Duration::from_secs(2);
/// For how long a measurement says something about the speed now.
const WINDOW: Duration = Duration::from_secs(10);

impl Meter {
    pub(super) fn new() -> Self {
        let (since, waited) = (Instant::now(), Duration::ZERO);
        let mark = Mark { phase: Phase::Head, since, waited, moved: 0 };
        Meter { moved: AtomicU64::new(0), mark: Mutex::new(mark) }
    }

    /// Notes what the connection is about from now on.
    pub(super) fn enter(&self, phase: Phase) {
        let mut mark = self.lock();
        if mark.phase == phase {
            return;
        }
        let now = Instant::now();
        if mark.phase == Phase::Head || phase == Phase::Head {
            mark.waited = Duration::ZERO;
            mark.moved = self.moved.load(Ordering::Relaxed);
        } else if mark.phase != Phase::Working {
            let waited = now.saturating_duration_since(mark.since);
            mark.waited += waited;
        }
        (mark.phase, mark.since) = (phase, now);
    }

    /// How little would be lost with this connection: the less, the lower. `None`: it is not
    /// known to be slower than `slow` bytes a second, or it waits for the server.
    pub(super) fn worth(&self, slow: u64, now: Instant) -> Option<u64> {
        let mut mark = self.lock();
        let waited = mark.waited + now.saturating_duration_since(mark.since);
        if mark.phase == Phase::Working || waited < SETTLE {
            return None;
        }
        if mark.phase == Phase::Head {
            // Nothing is under way: whatever moves slowly is worth more.
            return Some(0);
        }
        let total = self.moved.load(Ordering::Relaxed);
        let rate = (total - mark.moved) * 1000 / u64::try_from(waited.as_millis()).ok()?.max(1);
        if waited > WINDOW {
            (mark.since, mark.waited, mark.moved) = (now, Duration::ZERO, total);
        }
        (rate < slow).then_some(1 + rate)
    }

    fn note(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is measured, and that fails when its other end takes nothing for too long.
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
    idle: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>, idle: Duration) -> Self {
        Metered { stream, meter, idle, stalled: None }
    }

    /// Notes the outcome of a write.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(outcome) => {
                self.stalled = None;
                if let Ok(bytes) = &outcome {
                    self.meter.note(*bytes);
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                let idle = self.idle;
                let stalled =
                    self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                ready!(stalled.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.meter.note(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn what_is_waited_for_and_slow_is_worth_little() {
        let meter = Meter::new();
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(meter.worth(1024, later(0)), None, "it has just begun");
        assert_eq!(meter.worth(1024, later(3)), Some(0));
        meter.enter(Phase::Working);
        assert_eq!(meter.worth(1024, later(100)), None, "the server is slow, not the client");
        meter.enter(Phase::Body);
        meter.note(5);
        assert_eq!(meter.worth(1024, later(5)), Some(1 + 1));
        meter.note(100_000);
        assert_eq!(meter.worth(1024, later(5)), None);
        // Once fast is not for ever.
        assert_eq!(meter.worth(1024, later(20)), None);
        assert!(meter.worth(1024, later(40)).is_some());
    }

    #[tokio::test]
    async fn an_end_that_takes_nothing_is_given_up() {
        let (near, _far) = tokio::io::duplex(16);
        let idle = Duration::from_millis(20);
        let mut stream = Metered::new(near, Arc::new(Meter::new()), idle);
        stream.write_all(&[0; 16]).await.unwrap();
        let error = stream.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
