//! What a registry with quirks remembers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Kind;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Manifests that were read.
    pub(super) manifest_gets: AtomicU64,
    /// Manifests on their way in.
    pub(super) manifest_puts: AtomicU64,
    /// Places of uploads that are known no more.
    forgotten: Mutex<BTreeSet<String>>,
}

/// A manifest on its way in.
pub(super) struct Entering<'a>(&'a AtomicU64);

impl Remembered {
    /// Counts a manifest as on its way in until what is returned is dropped.
    pub(super) fn enter(&self, kind: Kind) -> Option<Entering<'_>> {
        if kind != Kind::ManifestPut {
            return None;
        }
        self.manifest_puts.fetch_add(1, Ordering::Relaxed);
        Some(Entering(&self.manifest_puts))
    }

    /// Forgets an upload.
    pub(super) fn forget(&self, path: &str) {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    /// Whether an upload was forgotten.
    pub(super) fn is_forgotten(&self, path: &str) -> bool {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
