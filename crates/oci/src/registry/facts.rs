//! What is learned of hosts and repositories while they are used, so that no request is spent on
//! what is known.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::delivery::Delivery;
use super::health::Health;
use super::hints::Hints;
use super::puts::Puts;
use super::settings::ReferrersMode;
use super::willing::Willing;
use crate::types::Digest;

/// So many misses does it count as that a repository did not exist.
const NEW: f64 = 24.0;

/// Yes, no, or not known yet.
#[derive(Debug, Default)]
pub(super) struct Learned(AtomicU8);

impl Learned {
    pub(super) fn get(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    pub(super) fn set(&self, value: bool) {
        self.0.store(1 + u8::from(value), Ordering::Relaxed);
    }

    /// As [`Learned::set`], when nothing is known yet.
    pub(super) fn set_once(&self, value: bool) {
        let new = 1 + u8::from(value);
        // Otherwise it is known.
        let _ = self.0.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What is known of one host.
#[derive(Debug)]
pub(super) struct HostFacts {
    /// Whether asking for a mount of what a repository has itself finds it there.
    pub(super) mounts: Learned,
    /// Whether it says anything to a mount.
    pub(super) mounting: Willing,
    /// Whether it says which blobs it has.
    pub(super) finding: Willing,
    /// Whether it lists tags, when that only shows whether a repository exists.
    pub(super) listing: Willing,
    /// Whether it has the referrers API.
    pub(super) referrers_api: Learned,
    pub(super) referrers: ReferrersMode,
    /// Whether it lists referrers of which it says that it does.
    pub(super) keeps_lists: Learned,
    /// Manifests on their way to it.
    pub(super) puts: Puts,
    /// Whether it has taken an upload.
    pub(super) uploads: Learned,
    /// Whether it has sent an upload on to another host, where the right to send is another.
    away: AtomicBool,
    /// Whether it takes a blob in the request that would open its upload.
    pub(super) single: Learned,
    /// Whether somebody has set out to learn that.
    pub(super) single_asked: AtomicBool,
    /// Whether it gives parts of blobs.
    pub(super) ranges: Learned,
    /// How soon it delivers blobs, to be compared with other endpoints.
    pub(super) delivery: Arc<Delivery>,
    /// Whether it works.
    pub(super) health: Health,
    /// Bytes a second of one download, as the bits of a float; 0 when none was measured.
    speed: AtomicU64,
    /// The smallest blob it refused to take in one piece, in bytes; 0 when it refused none.
    refused_whole: AtomicU64,
    /// The largest chunk it is known or hoped to take, in bytes; 0 when it refused none.
    chunk: AtomicU64,
    /// One writer of a fallback tag at a time.
    subjects: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl HostFacts {
    pub(super) fn new(referrers: ReferrersMode) -> Self {
        HostFacts {
            mounts: Learned::default(),
            mounting: Willing::default(),
            finding: Willing::default(),
            listing: Willing::default(),
            referrers_api: Learned::default(),
            referrers,
            keeps_lists: Learned::default(),
            puts: Puts::default(),
            uploads: Learned::default(),
            away: AtomicBool::new(false),
            single: Learned::default(),
            single_asked: AtomicBool::new(false),
            ranges: Learned::default(),
            delivery: Arc::default(),
            health: Health::default(),
            speed: AtomicU64::new(0),
            refused_whole: AtomicU64::new(0),
            chunk: AtomicU64::new(0),
            subjects: Mutex::default(),
        }
    }

    /// Whether uploads go to another host: then content is opened only by the right to send there.
    pub(super) fn uploads_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// An upload goes to another host.
    pub(super) fn learn_uploads_away(&self) {
        self.away.store(true, Ordering::Relaxed);
    }

    /// Bytes a second of one download of late.
    pub(super) fn speed(&self) -> Option<f64> {
        let speed = f64::from_bits(self.speed.load(Ordering::Relaxed));
        (speed > 0.0).then_some(speed)
    }

    /// So many bytes of a download took so long. Two that are noted at once count as one.
    pub(super) fn learn_speed(&self, bytes: u64, took: Duration) {
        let now = bytes as f64 / took.as_secs_f64().max(1e-6);
        let speed = self.speed().map_or(now, |before| 0.75 * before + 0.25 * now);
        self.speed.store(speed.to_bits(), Ordering::Relaxed);
    }

    /// The lock of one fallback tag.
    pub(super) fn subject(&self, repository: &str, tag: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if subjects.len() > 1024 {
            subjects.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        subjects.entry(format!("{repository}:{tag}")).or_default().clone()
    }

    /// Whether a blob of this size is worth trying in one piece.
    pub(super) fn takes_whole(&self, size: u64) -> bool {
        let refused = self.refused_whole.load(Ordering::Relaxed);
        refused == 0 || size < refused
    }

    /// A blob of this size was too large in one piece.
    pub(super) fn refused_whole(&self, size: u64) {
        if self.takes_whole(size) {
            self.refused_whole.store(size, Ordering::Relaxed);
        }
    }

    /// The largest chunk worth trying, at most `most`.
    pub(super) fn chunk(&self, most: u64) -> u64 {
        match self.chunk.load(Ordering::Relaxed) {
            0 => most,
            known => known.min(most),
        }
    }

    /// Chunks of this size got through where larger bodies did not.
    pub(super) fn learn_chunk(&self, size: u64) {
        self.chunk.store(self.chunk(size).max(1), Ordering::Relaxed);
    }

    /// A chunk of this size was too large.
    pub(super) fn refused_chunk(&self, size: u64) {
        self.chunk.store(self.chunk((size / 2).max(1)), Ordering::Relaxed);
    }
}

/// What is known of one repository.
#[derive(Debug)]
pub(super) struct RepoFacts {
    name: String,
    /// What earlier runs learned, when that is kept.
    hints: Option<Arc<Hints>>,
    /// Blobs that are there: put, mounted or seen.
    blobs: Mutex<HashSet<Digest>>,
    /// Blobs that were looked for: found, and not found.
    hits: AtomicU64,
    misses: AtomicU64,
    /// Whether the repository existed when it was first written to.
    pub(super) existed: OnceCell<bool>,
}

impl RepoFacts {
    pub(super) fn new(name: &str, hints: Option<Arc<Hints>>) -> Self {
        RepoFacts {
            name: name.to_owned(),
            hints,
            blobs: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            existed: OnceCell::new(),
        }
    }

    /// What earlier runs say: whether the blob is here, and another repository that has it.
    pub(super) fn hinted(&self, digest: &Digest) -> (bool, Option<String>) {
        self.hints.as_ref().map_or((false, None), |hints| hints.look(digest, &self.name))
    }

    /// What earlier runs say of `repository` is not so.
    pub(super) fn hint_was_wrong(&self, digest: &Digest, repository: &str) {
        if let Some(hints) = &self.hints {
            hints.remove(digest, repository);
        }
    }

    /// Whether the blob is known to be there.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    /// The blob is there.
    pub(super) fn learn(&self, digest: &Digest) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if blobs.insert(digest.clone())
            && let Some(hints) = &self.hints
        {
            hints.add(digest, &self.name);
        }
    }

    /// The registry contradicted what was known.
    pub(super) fn forget(&self) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in blobs.drain() {
            self.hint_was_wrong(&digest, &self.name);
        }
    }

    /// A blob was looked for.
    pub(super) fn looked(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How likely it is that a blob nothing is known of is there, by those looked for so far.
    pub(super) fn likelihood(&self) -> f64 {
        // A repository that did not exist counts as many misses: what an interrupted run left may
        // still be there on registries that list no repository before its first tag.
        // So does one that earlier runs filled, and of which they do not know this blob.
        let filled = self.hints.as_ref().is_some_and(|hints| hints.knows(&self.name));
        self.likelihood_after(match self.existed.get() {
            Some(false) => NEW,
            _ if filled => 4.0,
            _ => 0.5,
        })
    }

    /// The same in a repository that did not exist, whether it did or not.
    pub(super) fn least_likelihood(&self) -> f64 {
        self.likelihood_after(NEW)
    }

    fn likelihood_after(&self, prior: f64) -> f64 {
        let hits = self.hits.load(Ordering::Relaxed) as f64;
        let misses = self.misses.load(Ordering::Relaxed) as f64;
        (hits + 0.5) / (hits + misses + 0.5 + prior)
    }
}
