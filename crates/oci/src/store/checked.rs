//! Content that was read whole and had its digest, so that a server need not hash it each time.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Blob;
use crate::types::Digest;

/// The most that is remembered; then everything is checked once more.
const MOST: usize = 16_384;

/// What a file was when it was looked at. A change of its bytes changes this: the time of the last
/// change of anything about it can be set by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of an open file.
    pub(super) fn of(file: &File) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = file.metadata().ok()?;
        Some(Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// Which content had its digest, and in which file. Bounded.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<HashMap<Digest, Stamp>>);

impl Checked {
    /// Has a blob from a file of this stamp checked, unless it was before; once it was and is good,
    /// that is remembered.
    pub(super) fn once(self: &Arc<Self>, blob: Blob, stamp: Option<Stamp>) -> Blob {
        let Some(stamp) = stamp else { return blob };
        let digest = blob.descriptor().digest.clone();
        if self.lock().get(&digest) == Some(&stamp) {
            return blob.known_good();
        }
        let known = self.clone();
        blob.once_good(move || {
            let mut known = known.lock();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(digest, stamp);
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Stamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
