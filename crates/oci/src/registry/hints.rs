//! Hints on which repositories of a registry have which blob, kept from run to run.
//!
//! Nothing depends on them: a wrong one costs a request, one that is missing costs what it would
//! have saved. One file a registry, replaced as a whole under a lock, so that several processes can
//! use it; the newest entries are kept. What cannot be read or written is as good as not there.

mod table;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use self::table::{Entry, Key, Names, Table};
use crate::types::Digest;

/// Repositories learned for one blob in one run.
const MOST_LEARNED: usize = 3;
/// How long another process may keep the file to itself.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long until the next look whether it still does.
const STEP: Duration = Duration::from_millis(10);

/// The hints of one registry. Kept when dropped.
#[derive(Debug)]
pub(super) struct Hints {
    path: PathBuf,
    state: Mutex<Option<State>>,
}

/// What is known of one registry. A run adds an entry for every blob that it moves, so they are
/// small: repositories are numbers, and digests their beginnings.
#[derive(Debug)]
struct State {
    names: Names,
    /// What the file said when it was first asked.
    earlier: Table,
    /// Repositories with a lower number are those of which something was known from before.
    known: u32,
    /// What this run learned: repositories that have a blob.
    learned: HashMap<Key, Learned>,
    removed: HashSet<(Key, u32)>,
    /// Whether the file is to be written.
    changed: bool,
}

/// Some repositories, the first ones learned.
#[derive(Debug, Clone, Copy, Default)]
struct Learned([Option<u32>; MOST_LEARNED]);

impl Learned {
    fn add(&mut self, name: u32) {
        if !self.0.contains(&Some(name))
            && let Some(free) = self.0.iter_mut().find(|place| place.is_none())
        {
            *free = Some(name);
        }
    }

    fn remove(&mut self, name: u32) {
        for place in self.0.iter_mut().filter(|place| **place == Some(name)) {
            *place = None;
        }
    }

    fn names(&self) -> impl Iterator<Item = u32> + Clone + use<> {
        self.0.into_iter().flatten()
    }
}

impl Hints {
    /// Those of `registry` below `directory`. Nothing is read yet.
    pub(super) fn of(directory: &Path, registry: &str) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        let name: String = registry.chars().map(safe).collect();
        Hints { path: directory.join(name), state: Mutex::default() }
    }

    /// Whether `repository` had the blob, and another repository that had it: one of this run, or
    /// the newest.
    pub(super) fn look(&self, digest: &Digest, repository: &str) -> (bool, Option<String>) {
        self.with(|state| {
            let (key, own) = (Key::of(digest), state.names.known(repository));
            let learned = state.learned.get(&key).copied().unwrap_or_default();
            let earlier = state.earlier.find(key).iter().map(|entry| entry.name);
            let earlier = earlier.filter(|name| !state.removed.contains(&(key, *name)));
            let mut holders = learned.names().chain(earlier);
            let here = own.is_some_and(|own| holders.clone().any(|name| name == own));
            let other = holders.find(|name| Some(*name) != own);
            (here, other.map(|name| state.names.get(name).to_owned()))
        })
    }

    /// Whether anything is known of `repository` from before.
    pub(super) fn knows(&self, repository: &str) -> bool {
        self.with(|state| state.names.known(repository).is_some_and(|name| name < state.known))
    }

    /// `repository` has the blob.
    pub(super) fn add(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let (key, name) = (Key::of(digest), state.names.number(repository));
            state.removed.remove(&(key, name));
            state.changed = true;
            state.learned.entry(key).or_default().add(name);
        });
    }

    /// `repository` has the blob no more, or will not have it mounted.
    pub(super) fn remove(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let (key, name) = (Key::of(digest), state.names.number(repository));
            state.changed = true;
            state.removed.insert((key, name));
            if let Some(learned) = state.learned.get_mut(&key) {
                learned.remove(name);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(self.lock().get_or_insert_with(|| State::read(&self.path)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was learned to what is in the file by now.
    fn keep(&self, mut state: State) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        if fs::metadata(&lock).is_ok_and(|meta| !meta.is_file()) {
            return Err(io::Error::other("what should be its lock is no file"));
        }
        let lock = File::options().create(true).truncate(false).write(true).open(lock)?;
        take(&lock)?;
        state.earlier = Table::default();
        let mut kept = Table::read(&self.path, &mut state.names);
        kept.retain(|entry| !state.removed.contains(&(entry.key, entry.name)));
        let day = today();
        let learned = state.learned.iter();
        kept.add(
            learned.flat_map(|(key, learned)| {
                learned.names().map(|name| Entry { key: *key, name, day })
            }),
        );
        let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(directory)?);
        kept.write(&state.names, &mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.persist(&self.path)?;
        Ok(())
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        let Some(state) = self.lock().take().filter(|state| state.changed) else { return };
        if let Err(error) = self.keep(state) {
            tracing::debug!(path = %self.path.display(), %error, "hints on blobs are not kept");
        }
    }
}

impl State {
    fn read(path: &Path) -> Self {
        let mut names = Names::default();
        let earlier = Table::read(path, &mut names);
        State {
            known: names.count(),
            names,
            earlier,
            learned: HashMap::new(),
            removed: HashSet::new(),
            changed: false,
        }
    }
}

/// Takes a lock that another process may have: not for long, as what it does meanwhile is quick. One
/// that is held by whoever was stopped, or by a file server that is gone, is no reason to wait.
fn take(lock: &File) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(STEP),
            taken => return Ok(taken?),
        }
    }
}

/// Days since 1970.
fn today() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / (24 * 3600)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_from_run_to_run_and_by_several_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let open = || Hints::of(directory.path(), "reg.example.com:5000");
        let (first, second) = (open(), open());
        first.add(&a, "x/y");
        second.add(&a, "z");
        second.add(&b, "z");
        assert_eq!(first.look(&a, "x/y"), (true, None));
        drop(first);
        drop(second);
        let third = open();
        assert_eq!(third.look(&a, "x/y"), (true, Some("z".to_owned())));
        assert!(third.knows("z") && !third.knows("other"));
        third.remove(&a, "z");
        drop(third);
        assert_eq!(open().look(&a, "z"), (false, Some("x/y".to_owned())));
        assert_eq!(open().look(&b, "z"), (true, None));
    }

    /// Learns something, and is kept as far as that can be: not for ever.
    fn ends(hints: Hints) {
        hints.add(&Digest::of(b"a"), "x");
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(hints);
            ended.send(())
        });
        end.recv_timeout(20 * PATIENCE).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_no_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("reg.lock");
        assert!(std::process::Command::new("mkfifo").arg(lock).status().unwrap().success());
        let hints = Hints::of(directory.path(), "reg");
        ends(hints);
        assert!(!directory.path().join("reg").exists());
    }

    #[test]
    fn a_run_ends_though_another_process_keeps_the_file_to_itself() {
        let directory = tempfile::tempdir().unwrap();
        let lock = File::create(directory.path().join("reg.lock")).unwrap();
        lock.lock().unwrap();
        let hints = Hints::of(directory.path(), "reg");
        ends(hints);
        assert!(!directory.path().join("reg").exists(), "unwritten, and nothing half written");
        drop(lock);
        let hints = Hints::of(directory.path(), "reg");
        hints.add(&Digest::of(b"a"), "x");
        drop(hints);
        assert!(directory.path().join("reg").exists());
    }
}
