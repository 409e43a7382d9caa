//! A network that gives its bytes in bursts: much at once, then nothing for a while.
//!
//! A TCP proxy whose connections share one rate. What comes from the far side waits for its turn
//! on a clock that stands still between bursts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep_until};

use crate::bench::relay::Relay;

/// Most bytes that take their turn as one.
const PIECE: usize = 64 << 10;

/// When bytes move, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// How long a burst is.
    pub(super) burst: Duration,
    /// How long nothing comes after it.
    pub(super) silence: Duration,
    /// Bytes a second during a burst, of all connections together.
    pub(super) rate: f64,
}

impl Rhythm {
    /// Bytes a second over a long time.
    pub(super) fn mean(&self) -> f64 {
        let burst = self.burst.as_secs_f64();
        self.rate * burst / (burst + self.silence.as_secs_f64())
    }

    /// Seconds of bursts within the first `seconds`.
    fn within(&self, seconds: f64) -> f64 {
        let (burst, silence) = (self.burst.as_secs_f64(), self.silence.as_secs_f64());
        let periods = (seconds / (burst + silence)).floor();
        periods * burst + (seconds - periods * (burst + silence)).min(burst)
    }

    /// When so many seconds of bursts have passed.
    fn after(&self, active: f64) -> f64 {
        active + (active / self.burst.as_secs_f64()).floor() * self.silence.as_secs_f64()
    }
}

/// Whose turn it is.
struct Clock {
    rhythm: Rhythm,
    begun: Instant,
    /// Seconds of bursts that are taken.
    taken: Mutex<f64>,
}

impl Clock {
    /// When the next `bytes` may pass.
    fn turn(&self, bytes: usize) -> Instant {
        let now = self.rhythm.within(self.begun.elapsed().as_secs_f64());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // What was not used in time is gone, but for what coarse timers cost.
        *taken = taken.max(now - 0.02) + bytes as f64 / self.rhythm.rate;
        self.begun + Duration::from_secs_f64(self.rhythm.after(*taken))
    }
}

/// Starts a network with this rhythm to the address `to`, from a free port.
pub(super) async fn start(to: String, rhythm: Rhythm) -> anyhow::Result<Relay> {
    let clock = Arc::new(Clock { rhythm, begun: Instant::now(), taken: Mutex::new(0.0) });
    Relay::start(move |near| connect(near, to.clone(), clock.clone())).await
}

async fn connect(near: TcpStream, to: String, clock: Arc<Clock>) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(carry(near_read, far_write, None), carry(far_read, near_write, Some(&clock)));
}

/// One direction of a connection, until either end closes it.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, clock: Option<&Clock>) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if let Some(clock) = clock {
            sleep_until(clock.turn(length)).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    // Ended by the sender: the receiver may still answer.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_still_between_bursts() {
        let (burst, silence) = (Duration::from_secs(2), Duration::from_secs(1));
        let rhythm = Rhythm { burst, silence, rate: 300e6 };
        assert!((rhythm.mean() - 200e6).abs() < 1.0);
        for (seconds, active) in [(0.0, 0.0), (1.5, 1.5), (2.5, 2.0), (3.0, 2.0), (3.5, 2.5)] {
            assert!((rhythm.within(seconds) - active).abs() < 1e-9, "{seconds}");
        }
        for (active, seconds) in [(1.5, 1.5), (2.5, 3.5), (4.5, 6.5)] {
            assert!((rhythm.after(active) - seconds).abs() < 1e-9, "{active}");
        }
    }
}
