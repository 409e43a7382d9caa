//! How fast a run may go, over all hosts: bytes a second, and the hours of the day.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::observe::{Event, Observer, Pause};

/// A day.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time that was not used and may be caught up with: timers are coarse.
const CREDIT: Duration = Duration::from_millis(20);
/// The clock is looked at this often while it is waited for: it may be set, or the machine sleep.
const LOOK: Duration = Duration::from_secs(20);

/// Tells the local time as the time since midnight.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The hours of the day in which bytes may move; they may reach over midnight.
#[derive(Clone)]
pub struct Hours {
    from: Duration,
    to: Duration,
    clock: Clock,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Direction {
    Received = 0,
    Sent = 1,
}

/// The limits of a run. Each direction has the whole rate: what is copied from one registry to
/// another is received and sent.
pub(super) struct Pace {
    rate: Option<f64>,
    /// When each direction is free again.
    free: [Mutex<Option<Instant>>; 2],
    hours: Option<Hours>,
    told: Mutex<Option<Instant>>,
    observer: Arc<dyn Observer>,
}

impl Hours {
    /// From `from` to `to`, both since midnight, by `clock`.
    pub fn new(from: Duration, to: Duration, clock: Clock) -> Self {
        Hours { from, to, clock }
    }

    /// How long until they begin; `None` while they are.
    fn until(&self) -> Option<Duration> {
        let (now, from, to) = ((self.clock)(), self.from, self.to);
        let within = if from <= to { from <= now && now < to } else { now >= from || now < to };
        let next = if now < from { from } else { from + DAY };
        let wait = next.saturating_sub(now);
        (!within).then_some(wait)
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hours({self})")
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |since: Duration| (since.as_secs() / 3600, since.as_secs() / 60 % 60);
        let ((h1, m1), (h2, m2)) = (minutes(self.from), minutes(self.to));
        write!(f, "{h1:02}:{m1:02}-{h2:02}:{m2:02}")
    }
}

impl Pace {
    pub(super) fn new(
        rate: Option<u64>,
        hours: Option<Hours>,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        let rate = rate.map(|rate| rate.max(1) as f64);
        Arc::new(Pace { rate, free: Default::default(), hours, told: Mutex::default(), observer })
    }

    /// Waits until something may be sent at all.
    pub(super) async fn open(&self) {
        let Some(hours) = &self.hours else { return };
        while let Some(wait) = hours.until() {
            self.tell(hours, wait);
            sleep(wait.min(LOOK)).await;
        }
    }

    /// Whether something may be sent now.
    pub(super) fn is_open(&self) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.until().is_none())
    }

    /// Waits until so many bytes may have moved.
    pub(super) async fn pass(&self, direction: Direction, bytes: u64) {
        self.open().await;
        if let Some(turn) = self.turn(direction, bytes) {
            sleep_until(turn).await;
        }
    }

    /// Whether [`Pace::pass`] never waits.
    pub(super) fn is_free(&self) -> bool {
        self.rate.is_none() && self.hours.is_none()
    }

    /// When so many bytes may move; takes that time for them.
    fn turn(&self, direction: Direction, bytes: u64) -> Option<Instant> {
        let rate = self.rate?;
        let now = Instant::now();
        let mut free = lock(&self.free[direction as usize]);
        let begin = free.map_or(now, |free| free.max(now.checked_sub(CREDIT).unwrap_or(now)));
        let end = begin + Duration::from_secs_f64(bytes as f64 / rate);
        *free = Some(end);
        (end > now).then_some(end)
    }

    /// Tells once that the hours are over.
    fn tell(&self, hours: &Hours, wait: Duration) {
        let now = Instant::now();
        let mut told = lock(&self.told);
        if told.is_some_and(|until| now < until) {
            return;
        }
        *told = Some(now + wait);
        drop(told);
        let cause = format!("it is not between {hours}");
        let (host, cause, pause) = ("all hosts", &*cause, Pause::Hours);
        self.observer.event(&Event::Waiting { host, wait, pause, cause, brief: cause, tries: 0 });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::silent;

    fn hours(from: u64, to: u64, now: u64) -> Option<u64> {
        let minutes = |number: u64| Duration::from_secs(number * 60);
        let hours = Hours::new(minutes(from), minutes(to), Arc::new(move || minutes(now)));
        hours.until().map(|wait| wait.as_secs() / 60)
    }

    #[test]
    fn hours_may_reach_over_midnight() {
        assert_eq!(hours(20 * 60, 6 * 60, 23 * 60), None);
        assert_eq!(hours(20 * 60, 6 * 60, 0), None);
        assert_eq!(hours(20 * 60, 6 * 60, 6 * 60), Some(14 * 60));
        assert_eq!(hours(20 * 60, 6 * 60, 19 * 60 + 59), Some(1));
        assert_eq!(hours(9 * 60, 17 * 60, 12 * 60), None);
        assert_eq!(hours(9 * 60, 17 * 60, 8 * 60), Some(60));
        assert_eq!(hours(9 * 60, 17 * 60, 18 * 60), Some(15 * 60));
        let whole = Hours::new(Duration::ZERO, DAY, Arc::new(|| DAY / 2));
        assert_eq!(whole.until(), None);
        assert_eq!(whole.to_string(), "00:00-24:00");
    }

    #[tokio::test]
    async fn bytes_move_at_the_rate_whoever_moves_them() {
        let pace = Pace::new(Some(1_000_000), None, silent());
        let begun = Instant::now();
        let moves = (0..10).map(|_| pace.pass(Direction::Sent, 10_000));
        futures_util::future::join_all(moves).await;
        assert!(begun.elapsed() >= Duration::from_millis(75), "{:?}", begun.elapsed());
        let other = Instant::now();
        pace.pass(Direction::Received, 1).await;
        assert!(other.elapsed() < Duration::from_millis(50), "the other direction is free");
    }
}
