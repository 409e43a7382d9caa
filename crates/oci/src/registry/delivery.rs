//! How soon an endpoint delivers blobs, by what was measured and what is under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A speed is noted after so many bytes, or after so long.
const NOTED: u64 = 256 * 1024;
const NOTED_AFTER: Duration = Duration::from_millis(200);
/// What was measured longer ago than this is tried anew when nothing else is under way there.
const OLD: Duration = Duration::from_secs(30);
/// What is hoped for where nothing was measured anywhere: seconds, and bytes a second.
const WAIT: f64 = 0.001;
const SPEED: f64 = 100e6;

/// What is known of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Delivery(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Requests that this endpoint was chosen for, answered or not.
    under_way: usize,
    /// Seconds until an answer begins, or until a small blob is there.
    wait: Option<f64>,
    /// Bytes a second of one request from then on.
    speed: Option<f64>,
    measured: Option<Instant>,
}

/// One request for a blob, counted from when its endpoint is chosen.
#[derive(Debug)]
pub(super) struct UnderWay {
    delivery: Arc<Delivery>,
    bytes: u64,
    took: Duration,
}

/// How long each of `endpoints` may take for `size` more bytes; of what was never tried the best is
/// hoped for.
pub(super) fn costs(endpoints: &[&Delivery], size: u64, now: Instant) -> Vec<f64> {
    let known: Vec<_> = endpoints.iter().map(|delivery| delivery.known(now)).collect();
    let wait = known.iter().filter_map(|known| known.1).reduce(f64::min).unwrap_or(WAIT);
    let speed = known.iter().filter_map(|known| known.2).reduce(f64::max).unwrap_or(SPEED);
    let cost = |(under_way, own_wait, own_speed): &(usize, Option<f64>, Option<f64>)| {
        let alone = own_wait.unwrap_or(wait) + size as f64 / own_speed.unwrap_or(speed);
        (under_way + 1) as f64 * alone
    };
    known.iter().map(cost).collect()
}

impl Delivery {
    fn known(&self, now: Instant) -> (usize, Option<f64>, Option<f64>) {
        let state = self.lock();
        let old = state.measured.is_some_and(|at| now.duration_since(at) > OLD);
        if old && state.under_way == 0 {
            return (0, None, None);
        }
        (state.under_way, state.wait, state.speed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn learn(known: &mut Option<f64>, measured: f64) {
        *known = Some(known.map_or(measured, |before| 0.75 * before + 0.25 * measured));
    }
}

impl UnderWay {
    /// One more request.
    pub(super) fn at(delivery: &Arc<Delivery>) -> Self {
        delivery.lock().under_way += 1;
        UnderWay { delivery: delivery.clone(), bytes: 0, took: Duration::ZERO }
    }

    /// The answer began so long after the request, or a small blob was there.
    pub(super) fn answered(&self, after: Duration) {
        let mut state = self.delivery.lock();
        State::learn(&mut state.wait, after.as_secs_f64());
        state.measured = Some(Instant::now());
    }

    /// Bytes came that were waited for so long.
    pub(super) fn came(&mut self, bytes: u64, took: Duration) {
        self.bytes += bytes;
        self.took += took;
        if self.bytes < NOTED && self.took < NOTED_AFTER {
            return;
        }
        let speed = self.bytes as f64 / self.took.as_secs_f64().max(1e-6);
        let mut state = self.delivery.lock();
        State::learn(&mut state.speed, speed.max(1.0));
        state.measured = Some(Instant::now());
        drop(state);
        (self.bytes, self.took) = (0, Duration::ZERO);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.delivery.lock().under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn order(endpoints: &[Arc<Delivery>], size: u64, now: Instant) -> Vec<usize> {
        let all: Vec<_> = endpoints.iter().map(|delivery| &**delivery).collect();
        let costs = costs(&all, size, now);
        let mut order: Vec<_> = (0..costs.len()).collect();
        order.sort_by(|a, b| costs[*a].total_cmp(&costs[*b]));
        order
    }

    #[test]
    fn what_is_chosen_counts_before_anything_is_measured() {
        let endpoints = [Arc::default(), Arc::default(), Arc::default()];
        let first = UnderWay::at(&endpoints[0]);
        let _second = UnderWay::at(&endpoints[1]);
        assert_eq!(order(&endpoints, 1000, Instant::now()), [2, 0, 1]);
        drop(first);
        assert_eq!(order(&endpoints, 1000, Instant::now()), [0, 2, 1]);
    }

    #[test]
    fn small_ones_go_where_answers_are_quick_and_large_ones_where_bytes_are() {
        let [quick, broad] = [Arc::default(), Arc::default()];
        let (mut one, mut two) = (UnderWay::at(&quick), UnderWay::at(&broad));
        one.answered(2 * MS);
        one.came(NOTED, 1000 * MS);
        two.answered(100 * MS);
        two.came(NOTED, 10 * MS);
        let endpoints = [quick, broad];
        let now = Instant::now();
        assert_eq!(order(&endpoints, 1000, now), [0, 1]);
        assert_eq!(order(&endpoints, 10 << 20, now), [1, 0]);
        drop((one, two));
        let later = now + OLD + OLD;
        assert_eq!(order(&endpoints, 10 << 20, later), [0, 1], "what is old is tried anew");
    }
}
