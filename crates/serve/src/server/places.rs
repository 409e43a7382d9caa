//! Places for connections: bounded, and given to whoever makes use of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::meter::Meter;

/// How often a connection that waits for a place looks whether somebody has become slow.
const LOOK: Duration = Duration::from_millis(100);

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    slow: u64,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    holders: HashMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    meter: Arc<Meter>,
    evicted: CancellationToken,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    /// What is known about the connection.
    pub(super) meter: Arc<Meter>,
    /// Tells that somebody else gets the place.
    pub(super) evicted: CancellationToken,
}

impl Places {
    pub(super) fn new(most: usize, slow: u64) -> Self {
        Places { most: most.max(1), slow, taken: Mutex::default(), freed: Notify::new() }
    }

    /// A place. When there is none, those who make the least use of theirs lose it.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take() {
                return place;
            }
            self.make_room();
            let _ = tokio::time::timeout(LOOK, freed).await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.holders.len() >= self.most {
            return None;
        }
        let (meter, evicted) = (Arc::new(Meter::new()), CancellationToken::new());
        let id = taken.next;
        taken.next += 1;
        taken.holders.insert(id, Holder { meter: meter.clone(), evicted: evicted.clone() });
        Some(Place { places: self.clone(), id, meter, evicted })
    }

    /// Ends the connections that are worth least: one in sixty-four at once, because whoever takes
    /// all places will come back for more.
    pub(super) fn make_room(&self) {
        let taken = self.lock();
        let now = Instant::now();
        let worth = |holder: &Holder| holder.meter.worth(self.slow, now);
        let mut least: Vec<_> = taken
            .holders
            .iter()
            .filter_map(|(id, holder)| Some((worth(holder)?, *id, &holder.evicted)))
            .collect();
        // Of equals the one that came first.
        least.sort_by_key(|(worth, id, _)| (*worth, *id));
        for (_, _, evicted) in least.into_iter().take((self.most / 64).max(1)) {
            evicted.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().holders.remove(&self.id);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::meter::Phase;
    use super::*;

    #[tokio::test]
    async fn a_place_that_is_given_back_is_given_on() {
        let places = Arc::new(Places::new(1, 0));
        let first = places.take().await;
        assert!(places.try_take().is_none());
        first.meter.enter(Phase::Working);
        let (second, ()) = tokio::join!(places.take(), async { drop(first) });
        assert!(!second.evicted.is_cancelled());
    }
}
