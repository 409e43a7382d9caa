//! What it took to bring one thing to its place: requests, tries and waits, counted where they
//! happen and read by whoever began the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

tokio::task_local! {
    static METER: Arc<Meter>;
}

/// Counts for one piece of work, whatever tasks it is done by.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    again: AtomicU64,
    waited: AtomicU64,
}

/// A reading of a [`Meter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Requests sent.
    pub requests: u64,
    /// How often something was tried again.
    pub again: u64,
    /// Time in which nothing was sent because of limits, of hosts that asked for patience, and
    /// before tries.
    pub waited: Duration,
}

impl Meter {
    /// Does `work` on this meter.
    pub async fn measure<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        METER.scope(self.clone(), work).await
    }

    /// The meter of the work in progress, for tasks that do a part of it.
    pub fn current() -> Arc<Meter> {
        METER.try_with(Arc::clone).unwrap_or_default()
    }

    /// The counts so far.
    pub fn read(&self) -> Effort {
        Effort {
            requests: self.requests.load(Ordering::Relaxed),
            again: self.again.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.waited.load(Ordering::Relaxed)),
        }
    }

    /// A request is sent.
    pub fn request() {
        Meter::note(|meter| _ = meter.requests.fetch_add(1, Ordering::Relaxed));
    }

    /// Something will be tried again.
    pub fn again() {
        Meter::note(|meter| _ = meter.again.fetch_add(1, Ordering::Relaxed));
    }

    /// Nothing was sent for so long.
    pub fn waited(time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Meter::note(|meter| _ = meter.waited.fetch_add(time, Ordering::Relaxed));
    }

    /// Outside of all measured work nothing is counted.
    fn note(see: impl FnOnce(&Meter)) {
        let _ = METER.try_with(|meter| see(meter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_what_is_done_under_it_and_nothing_else() {
        Meter::request();
        let (outer, inner) = (Arc::new(Meter::default()), Arc::new(Meter::default()));
        let work = async {
            Meter::request();
            let part = Meter::current();
            let task = tokio::spawn(async move { part.measure(async { Meter::again() }).await });
            task.await.unwrap();
            inner.measure(async { Meter::waited(Duration::from_millis(3)) }).await;
        };
        outer.measure(work).await;
        assert_eq!(outer.read(), Effort { requests: 1, again: 1, waited: Duration::ZERO });
        assert_eq!(inner.read().waited, Duration::from_millis(3));
    }
}
