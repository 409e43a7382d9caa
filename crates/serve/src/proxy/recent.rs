//! Manifests that were asked for a short time ago, by digest: what a digest names never changes.
//!
//! Only what was checked against its digest is kept, for the repository that has it, as long as the
//! place of a blob is remembered, and never more than a fixed number of bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::types::Digest;
use bytes::Bytes;
use http::HeaderValue;

/// The most that is kept, in bytes of manifests; the oldest goes first.
const MOST: usize = 8 << 20;
/// A manifest larger than this is not kept.
const LARGE: usize = 256 << 10;
/// What one entry takes beside its manifest, at least.
const OVERHEAD: usize = 512;

/// A manifest that was checked.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) body: Bytes,
    pub(super) media_type: Option<HeaderValue>,
    /// Which registry has it, by its place among all.
    pub(super) registry: usize,
}

/// A memory of manifests.
#[derive(Debug)]
pub(super) struct Recent {
    life: Duration,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// By repository beneath: a digest that many have is found in each as fast.
    by_digest: HashMap<Digest, HashMap<Arc<str>, Entry>>,
    /// In the order of their end.
    order: VecDeque<(Instant, Arc<str>, Digest)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    kept: Kept,
}

impl Recent {
    pub(super) fn new(life: Duration) -> Self {
        Recent { life, shelf: Mutex::default() }
    }

    /// The manifest of a repository, if it was seen there a short time ago.
    pub(super) fn get(&self, repository: &str, digest: &Digest, now: Instant) -> Option<Kept> {
        let shelf = self.lock();
        let found = shelf.by_digest.get(digest)?.get(repository)?;
        (found.until > now).then(|| found.kept.clone())
    }

    /// A repository has this manifest. What is known already lives no longer for it.
    pub(super) fn learn(&self, repository: &str, digest: &Digest, kept: Kept, now: Instant) {
        if self.life.is_zero() || kept.body.len() > LARGE {
            return;
        }
        let mut shelf = self.lock();
        shelf.tidy(now);
        let entries = shelf.by_digest.get(digest);
        if entries.is_some_and(|entries| entries.contains_key(repository)) {
            return;
        }
        let (repository, until): (Arc<str>, _) = (repository.into(), now + self.life);
        let bytes = kept.body.len() + OVERHEAD;
        let entries = shelf.by_digest.entry(digest.clone()).or_default();
        entries.insert(repository.clone(), Entry { until, kept });
        shelf.order.push_back((until, repository, digest.clone()));
        shelf.bytes += bytes;
        while shelf.bytes > MOST {
            shelf.drop_oldest();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn tidy(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, ..)| *until <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, repository, digest)) = self.order.pop_front() else { return };
        let Some(entries) = self.by_digest.get_mut(&digest) else { return };
        if let Some(entry) = entries.remove(&repository) {
            self.bytes -= entry.kept.body.len() + OVERHEAD;
        }
        if entries.is_empty() {
            self.by_digest.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(30);

    fn kept(bytes: usize) -> Kept {
        Kept { body: vec![0; bytes].into(), media_type: None, registry: 1 }
    }

    #[test]
    fn a_manifest_is_known_in_its_repository_for_a_while() {
        let (recent, now, digest) = (Recent::new(LIFE), Instant::now(), Digest::of(b"x"));
        recent.learn("a", &digest, kept(5), now);
        // Seen again: no reason to believe it longer without asking.
        recent.learn("a", &digest, kept(5), now + LIFE / 2);
        assert_eq!(recent.get("a", &digest, now + LIFE / 2).unwrap().body.len(), 5);
        assert!(recent.get("b", &digest, now).is_none(), "not shown where it is not");
        assert!(recent.get("a", &digest, now + LIFE).is_none());
        recent.learn("a", &digest, kept(5), now + LIFE);
        assert!(recent.get("a", &digest, now + LIFE + LIFE / 2).is_some());
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let (recent, now) = (Recent::new(LIFE), Instant::now());
        let digest = |number: usize| Digest::of(&number.to_le_bytes());
        for number in 0..100 {
            recent.learn("a", &digest(number), kept(LARGE), now);
        }
        assert!(recent.lock().bytes <= MOST);
        assert!(recent.get("a", &digest(0), now).is_none());
        assert!(recent.get("a", &digest(99), now).is_some());
        recent.learn("a", &digest(0), kept(LARGE + 1), now);
        assert!(recent.get("a", &digest(0), now).is_none(), "too large");
        recent.learn("a", &digest(0), kept(1), now + 2 * LIFE);
        assert_eq!(recent.lock().order.len(), 1);
        assert_eq!(recent.lock().bytes, 1 + OVERHEAD);
    }

    #[test]
    fn nothing_is_kept_where_nothing_shall_be_remembered() {
        let (recent, now, digest) = (Recent::new(Duration::ZERO), Instant::now(), Digest::of(b"x"));
        recent.learn("a", &digest, kept(5), now);
        assert!(recent.lock().order.is_empty());
    }
}
