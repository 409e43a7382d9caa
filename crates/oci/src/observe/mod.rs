//! What a run tells to whoever watches: typed events, never text for a terminal.

mod meter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use meter::{Effort, Meter};

use crate::types::Digest;

/// Takes in what happens. Called from many tasks at once, and often: it must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// More work is known than before: added to what was told earlier.
    Planned {
        /// Images.
        items: u64,
        /// Blobs and manifests.
        blobs: u64,
        /// Bytes.
        bytes: u64,
    },
    /// An image, source or entry is being worked on.
    Started {
        /// Its name.
        item: &'a str,
    },
    /// It ended.
    Finished {
        /// Its name.
        item: &'a str,
        /// What went wrong, if anything did.
        error: Option<&'a str>,
    },
    /// Bytes of content passed through.
    Moved {
        /// How many.
        bytes: u64,
    },
    /// A blob or manifest is where it should be.
    Stored {
        /// Its size.
        bytes: u64,
        /// How it came there.
        how: How,
    },
    /// More images for one platform are known to have to be in place than before.
    Platforms {
        /// How many.
        known: u64,
    },
    /// A manifest is where it should be. Its bytes are in no plan.
    Manifest {
        /// Its size.
        bytes: u64,
        /// How it came there.
        how: How,
        /// Whether it is the image for one platform.
        platform: bool,
    },
    /// How full the buffer before, or behind, a device is; told as it changes.
    Buffer {
        /// Bytes that wait in it.
        filled: u64,
        /// Bytes that fit.
        capacity: u64,
        /// How often the device had to stop: for bytes, or for room.
        stalls: u64,
    },
    /// A host asked for patience, or a broken request is tried again.
    Waiting {
        /// The host.
        host: &'a str,
        /// For how long.
        wait: Duration,
        /// Why, for counting.
        pause: Pause,
        /// Why, for people.
        cause: &'a str,
        /// The same in a few words.
        brief: &'a str,
        /// Tries that failed in a row; 0 where nothing failed.
        tries: u32,
    },
    /// A request ended, its answer's body read or given up.
    Request {
        /// The host.
        host: &'a str,
        /// What it was for, in a word.
        kind: &'a str,
        /// For what: a repository, mostly.
        place: &'a str,
        /// The status of the answer, if there was one.
        status: Option<u16>,
        /// Bytes of content that it moved.
        bytes: u64,
        /// When it was sent.
        begun: Instant,
    },
    /// A blob of an image is in place, or is not to be had.
    Blob {
        /// The image.
        item: &'a str,
        /// The blob.
        digest: &'a Digest,
        /// Its size.
        bytes: u64,
        /// Where it came from.
        from: &'a str,
        /// Where it went.
        to: &'a str,
        /// How it came there; `None` when it did not.
        how: Option<How>,
        /// When the work on it began.
        begun: Instant,
        /// What it took.
        effort: Effort,
    },
    /// Something the operator should know that is no failure.
    Warning {
        /// One sentence.
        text: &'a str,
    },
}

/// Why a run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pause {
    /// A host asked for patience and said for how long.
    Asked,
    /// A host asked for fewer requests and did not say for how long.
    Throttled,
    /// A request failed in a way that may pass.
    Failed,
    /// A download or an upload broke.
    Broken,
    /// It is outside the hours of the run.
    Hours,
}

impl Pause {
    /// A word for it, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Pause::Asked => "asked",
            Pause::Throttled => "throttled",
            Pause::Failed => "failed",
            Pause::Broken => "broken",
            Pause::Hours => "hours",
        }
    }
}

/// How content came to be where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Sent.
    Moved,
    /// Mounted from another repository of the registry.
    Mounted,
    /// It was there.
    Skipped,
}

impl How {
    /// A word for it, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Moved => "moved",
            How::Mounted => "mounted",
            How::Skipped => "skipped",
        }
    }
}

/// An observer that looks away.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// No observer.
pub fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

/// Counts of what was stored and how, for reports.
#[derive(Debug, Default)]
pub struct Tally {
    moved: AtomicU64,
    moved_bytes: AtomicU64,
    mounted: AtomicU64,
    skipped: AtomicU64,
}

/// A reading of a [`Tally`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Totals {
    /// Blobs and manifests sent.
    pub moved: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs mounted.
    pub mounted: u64,
    /// Blobs and manifests that were there.
    pub skipped: u64,
}

impl Tally {
    /// Counts one piece of content.
    pub fn add(&self, bytes: u64, how: How) {
        let counter = match how {
            How::Moved => &self.moved,
            How::Mounted => &self.mounted,
            How::Skipped => &self.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if how == How::Moved {
            self.moved_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// The counts so far.
    pub fn totals(&self) -> Totals {
        Totals {
            moved: self.moved.load(Ordering::Relaxed),
            bytes: self.moved_bytes.load(Ordering::Relaxed),
            mounted: self.mounted.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }
}
