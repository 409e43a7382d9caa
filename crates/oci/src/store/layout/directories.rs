//! Directories that are there after a loss of power.
//!
//! A directory that exists need not be durable yet: another request may have made it a moment ago,
//! and wait for the sync of its name. Whoever finds it waits for the same sync, whichever layout of
//! this process it was made for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::names::{Directory, Made};
use crate::store::StoreError;

/// The directories in which some are being made, or were made and are not known to be durable.
static PARENTS: LazyLock<Mutex<HashMap<PathBuf, Arc<Directory>>>> = LazyLock::new(Mutex::default);

/// Makes a directory and those above it; when it returns, their names are durable, whoever of this
/// process made them. Those that were there before this process began are taken as they are. Blocks.
pub fn create_directories(path: &Path) -> Result<(), StoreError> {
    let unsettled: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !is_settled(path))
        .collect();
    unsettled.into_iter().rev().try_for_each(create)
}

/// Whether a directory is there, and nobody waits for a sync of its name. What makes one is known
/// before the directory is there, and until it is durable: this order of questions misses nobody.
fn is_settled(path: &Path) -> bool {
    path.exists() && lock().get(parent(path)).is_none_or(|parent| parent.is_settled())
}

fn create(path: &Path) -> Result<(), StoreError> {
    let place = parent(path);
    let within = lock().entry(place.to_owned()).or_default().clone();
    let failed = |source| StoreError::io("creating", path, source);
    let made = within.make(place, |_| match std::fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Made::Known),
        made => made.map(|()| Made::New).map_err(failed),
    });
    let done = made.and_then(|(_, number)| within.durable(place, number).map_err(failed));
    drop(within);
    // Only what is under way is kept: there may be any number of directories in time.
    lock().retain(|_, parent| Arc::strong_count(parent) > 1 || !parent.is_settled());
    done
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn lock() -> MutexGuard<'static, HashMap<PathBuf, Arc<Directory>>> {
    PARENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(path: &Path) -> Option<Arc<Directory>> {
        lock().get(path).cloned()
    }

    /// One makes `a/b` and hangs in the sync of the name `a`; the other wants `a/c`.
    #[test]
    fn a_directory_that_another_has_just_made_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let within = lock().entry(root.path().to_owned()).or_default().clone();
        let held = within.hold();
        let make = |name: &str| {
            let path = root.path().join(name);
            std::thread::spawn(move || create_directories(&path).unwrap())
        };
        let first = make("a/b");
        while !root.path().join("a").exists() {
            std::thread::yield_now();
        }
        let second = make("a/c");
        while within.waiting() < 2 {
            std::thread::yield_now();
        }
        assert!(!root.path().join("a/c").exists(), "nothing is put in what may be lost");
        drop(held);
        first.join().unwrap();
        second.join().unwrap();
        assert!(root.path().join("a/b").is_dir() && root.path().join("a/c").is_dir());
        assert_eq!(within.syncs(), 1, "both waited for one sync");
        drop(within);
        create_directories(&root.path().join("a/d")).unwrap();
        assert!(known(root.path()).is_none() && known(&root.path().join("a")).is_none());
    }

    #[test]
    fn what_is_durable_costs_no_sync_and_a_file_is_no_directory() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        create_directories(&path).unwrap();
        let within = lock().entry(root.path().join("a")).or_default().clone();
        create_directories(&path).unwrap();
        assert_eq!(within.syncs(), 0);
        std::fs::write(path.join("file"), "").unwrap();
        assert!(create_directories(&path.join("file/c")).is_err());
        assert!(known(&path.join("file")).is_none());
    }

    #[test]
    fn a_name_whose_sync_failed_is_synced_for_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let within = lock().entry(root.path().to_owned()).or_default().clone();
        let (_, number) = within.make(root.path(), |_| Ok(Made::New)).unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        assert!(within.durable(&root.path().join("gone"), number).is_err());
        let syncs = within.syncs();
        create_directories(&root.path().join("a")).unwrap();
        assert_eq!(within.syncs(), syncs + 1);
    }
}
