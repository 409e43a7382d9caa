//! Where blobs were found a short time ago, so that a pull of many layers asks once for each.
//!
//! Only what was found is kept, never what was missing, and never more than a fixed number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::types::Digest;

/// The most that is kept; the oldest goes first.
const MOST: usize = 16_384;

/// A memory of where blobs are.
#[derive(Debug)]
pub(super) struct Known {
    life: Duration,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    by_blob: HashMap<Key, Found>,
    /// In the order of their end.
    order: VecDeque<(Instant, Key)>,
}

type Key = (String, Digest);

#[derive(Debug, Clone, Copy)]
struct Found {
    /// Which registry, by its place among all.
    registry: usize,
    until: Instant,
}

impl Known {
    pub(super) fn new(life: Duration) -> Self {
        Known { life, places: Mutex::default() }
    }

    /// The registry that has the blob in a repository, if that is known.
    pub(super) fn get(&self, repository: &str, digest: &Digest, now: Instant) -> Option<usize> {
        let places = self.lock();
        let found = places.by_blob.get(&(repository.to_owned(), digest.clone()))?;
        (found.until > now).then_some(found.registry)
    }

    /// The blob was found.
    pub(super) fn learn(&self, repository: &str, digest: &Digest, registry: usize, now: Instant) {
        let (key, until) = ((repository.to_owned(), digest.clone()), now + self.life);
        let mut places = self.lock();
        places.by_blob.insert(key.clone(), Found { registry, until });
        places.order.push_back((until, key));
        while places.order.front().is_some_and(|(end, _)| *end <= now) || places.order.len() > MOST
        {
            let Some((end, key)) = places.order.pop_front() else { break };
            // It may have been found again since.
            if places.by_blob.get(&key).is_some_and(|found| found.until <= end) {
                places.by_blob.remove(&key);
            }
        }
    }

    /// The blob was not where it should have been.
    pub(super) fn forget(&self, repository: &str, digest: &Digest) {
        self.lock().by_blob.remove(&(repository.to_owned(), digest.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(30);

    #[test]
    fn what_was_found_is_known_for_a_while() {
        let (known, now, blob) = (Known::new(LIFE), Instant::now(), Digest::of(b"x"));
        known.learn("a", &blob, 1, now);
        assert_eq!(known.get("a", &blob, now + LIFE / 2), Some(1));
        assert_eq!(known.get("b", &blob, now), None);
        assert_eq!(known.get("a", &blob, now + LIFE), None);
        known.forget("a", &blob);
        assert_eq!(known.get("a", &blob, now), None);
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let (known, now) = (Known::new(LIFE), Instant::now());
        let blob = |number: usize| Digest::of(&number.to_le_bytes());
        for number in 0..MOST + 10 {
            known.learn("a", &blob(number), 0, now);
        }
        assert_eq!(known.lock().by_blob.len(), MOST);
        assert_eq!(known.lock().order.len(), MOST);
        assert_eq!(known.get("a", &blob(MOST + 9), now), Some(0));
        assert_eq!(known.get("a", &blob(0), now), None);
        known.learn("a", &blob(0), 0, now + 2 * LIFE);
        assert_eq!(known.lock().by_blob.len(), 1);
    }

    #[test]
    fn finding_it_again_makes_it_last() {
        let (known, now, blob) = (Known::new(LIFE), Instant::now(), Digest::of(b"x"));
        known.learn("a", &blob, 0, now);
        known.learn("a", &blob, 0, now + LIFE / 2);
        known.learn("a", &Digest::of(b"y"), 0, now + LIFE);
        assert_eq!(known.get("a", &blob, now + LIFE), Some(0));
    }
}
