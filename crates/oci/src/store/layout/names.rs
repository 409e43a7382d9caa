//! Names in the directories of a layout, durable by syncs that are shared: one sync of a directory
//! makes every name durable that was made before it began. Whoever made a name is answered only once
//! such a sync has ended well.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use super::durable::sync_directory;
use crate::store::StoreError;

/// The directories of one layout in which names are made.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<PathBuf, Arc<Directory>>>);

/// One directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    state: Mutex<State>,
    /// Whoever has it syncs for all that wait. It is waited for by threads, not by futures: one that
    /// nobody polls for a while would hold up all the others.
    turn: Mutex<()>,
    /// Syncs so far.
    #[cfg(test)]
    syncs: std::sync::atomic::AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// Names that are being made.
    making: u64,
    /// Names that were made.
    made: u64,
    /// How many of those are durable.
    durable: u64,
    /// How many of those were in a sync that failed, and how. A later one says nothing of them.
    failed: u64,
    failure: Option<(io::ErrorKind, String)>,
}

/// A name that is being made.
struct Making<'a>(&'a Directory);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.lock().making -= 1;
    }
}

/// What became of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was made.
    New,
    /// It was there.
    Known,
    /// It is not there, and cannot be.
    Not,
}

impl Names {
    /// Has `make` make a name in `directory`, away from the threads that must not wait for a disk,
    /// and waits until it is durable. A name that was there is so too afterwards: somebody may have
    /// made it just now. Dropped before it is done, the name is there or it is not.
    pub(super) async fn make(
        &self,
        directory: &Path,
        make: impl FnOnce(&Path) -> Result<Made, StoreError> + Send + 'static,
    ) -> Result<Made, StoreError> {
        let of = self.directory(directory);
        let path = directory.to_owned();
        let made = spawn_blocking(move || {
            let (made, number) = of.make(&path, make)?;
            let durable = of.durable(&path, number);
            durable.map_err(|source| StoreError::io("writing", &path, source))?;
            Ok(made)
        });
        let failed = |error| StoreError::io("writing", directory, io::Error::other(error));
        made.await.map_err(failed)?
    }

    fn directory(&self, path: &Path) -> Arc<Directory> {
        let mut directories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = directories.get(path) {
            return known.clone();
        }
        directories.entry(path.to_owned()).or_default().clone()
    }
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no name is being made, and all that were are durable.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.lock();
        state.making == 0 && state.durable == state.made
    }

    /// Makes a name; what became of it, and how many were made by then.
    pub(super) fn make(
        &self,
        path: &Path,
        make: impl FnOnce(&Path) -> Result<Made, StoreError>,
    ) -> Result<(Made, u64), StoreError> {
        self.lock().making += 1;
        let _making = Making(self);
        let made = make(path)?;
        let mut state = self.lock();
        // It need not wait for anybody when nobody else is about.
        let settled = state.making == 1 && state.durable == state.made;
        if made == Made::Not || (made == Made::Known && settled) {
            return Ok((made, 0));
        }
        state.made += 1;
        Ok((made, state.made))
    }

    /// Waits until the first `number` names are durable.
    pub(super) fn durable(&self, path: &Path, number: u64) -> io::Result<()> {
        if let Some(known) = self.lock().outcome(number) {
            return known;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.lock().outcome(number) {
            return known;
        }
        let upto = self.lock().made;
        let synced = sync_directory(path);
        #[cfg(test)]
        self.syncs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut state = self.lock();
        match &synced {
            Ok(()) => state.durable = state.durable.max(upto),
            Err(error) => {
                state.failed = state.failed.max(upto);
                state.failure = Some((error.kind(), error.to_string()));
            }
        }
        synced
    }
}

#[cfg(test)]
impl Directory {
    /// Holds up every sync.
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names that are not durable yet.
    pub(super) fn waiting(&self) -> u64 {
        let state = self.lock();
        state.made - state.durable
    }

    pub(super) fn syncs(&self) -> usize {
        self.syncs.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl State {
    /// What became of the first `number` names, when that is known.
    fn outcome(&self, number: u64) -> Option<io::Result<()>> {
        if number == 0 {
            return Some(Ok(()));
        }
        let failure = self.failure.as_ref().filter(|_| number <= self.failed);
        if let Some((kind, text)) = failure {
            return Some(Err(io::Error::new(*kind, text.clone())));
        }
        (number <= self.durable).then_some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn touch(name: String) -> impl FnOnce(&Path) -> Result<Made, StoreError> + Send + 'static {
        move |directory| {
            let path = directory.join(name);
            let made = std::fs::File::create_new(&path);
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Made::Known),
                made => made
                    .map(|_| Made::New)
                    .map_err(|source| StoreError::io("creating", &path, source)),
            }
        }
    }

    #[tokio::test]
    async fn names_that_are_made_together_share_a_sync() {
        let root = tempfile::tempdir().unwrap();
        let names = Names::default();
        let directory = names.directory(root.path());
        let syncs = || directory.syncs.load(Ordering::Relaxed);
        assert_eq!(names.make(root.path(), touch("first".to_owned())).await.unwrap(), Made::New);
        assert_eq!(syncs(), 1);
        // While one is being synced for, the others wait for one sync.
        let held = directory.turn.lock().unwrap();
        let many = (0..20).map(|n| names.make(root.path(), touch(n.to_string())));
        let many = futures_util::future::join_all(many);
        let release = async {
            while directory.lock().made < 21 {
                tokio::task::yield_now().await;
            }
            drop(held);
        };
        let (made, ()) = tokio::join!(many, release);
        assert!(made.into_iter().all(|made| made.unwrap() == Made::New));
        assert_eq!(syncs(), 2);
        // What has long been durable costs none.
        assert_eq!(names.make(root.path(), touch("first".to_owned())).await.unwrap(), Made::Known);
        assert_eq!(syncs(), 2);
    }

    /// Nobody polls the second one while the first is waited for.
    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "other threads are to wait for it")]
    async fn a_name_that_somebody_has_just_made_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let names = Names::default();
        let directory = names.directory(root.path());
        let held = directory.turn.lock().unwrap();
        let mut first = Box::pin(names.make(root.path(), touch("a".to_owned())));
        while directory.lock().made == 0 {
            assert!(futures_util::poll!(&mut first).is_pending());
            tokio::task::yield_now().await;
        }
        let mut second = Box::pin(names.make(root.path(), touch("a".to_owned())));
        while directory.lock().made == 1 {
            assert!(futures_util::poll!(&mut second).is_pending());
            tokio::task::yield_now().await;
        }
        drop(held);
        assert_eq!(first.await.unwrap(), Made::New);
        assert_eq!(second.await.unwrap(), Made::Known);
    }

    #[tokio::test]
    async fn a_sync_that_fails_fails_for_all_that_waited_for_it() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("place");
        std::fs::create_dir(&place).unwrap();
        let names = Names::default();
        let directory = names.directory(&place);
        let held = directory.turn.lock().unwrap();
        let both = ["a", "b"].map(|name| names.make(&place, touch(name.to_owned())));
        let both = futures_util::future::join_all(both);
        let release = async {
            while directory.lock().made < 2 {
                tokio::task::yield_now().await;
            }
            std::fs::remove_dir_all(&place).unwrap();
            drop(held);
        };
        let (made, ()) = tokio::join!(both, release);
        assert!(made.into_iter().all(|made| made.is_err()));
        // Those that come later are not to blame.
        std::fs::create_dir(&place).unwrap();
        assert_eq!(names.make(&place, touch("c".to_owned())).await.unwrap(), Made::New);
    }
}
