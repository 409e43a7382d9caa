//! Hints on which repositories of a registry have which blob, kept from run to run.
//!
//! Nothing depends on them: a wrong one costs a request, one that is missing costs what it would
//! have saved. One file a registry, `DIGEST DAY REPOSITORY` a line, replaced as a whole under a
//! lock, so that several processes can use it; the newest entries are kept. What cannot be read or
//! written is as good as not there.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::types::Digest;

/// The first line of a file: another form begins otherwise.
const HEAD: &str = "airlift blob hints 1";
/// Entries kept of one registry.
const MOST: usize = 50_000;
/// Repositories kept for one blob.
const MOST_HOLDERS: usize = 3;
/// How long another process may keep the file to itself.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long until the next look whether it still does.
const STEP: Duration = Duration::from_millis(10);
/// More is no file of ours, in bytes.
const LARGEST: u64 = 64 << 20;

/// The hints of one registry. Kept when dropped.
#[derive(Debug)]
pub(super) struct Hints {
    path: PathBuf,
    state: Mutex<Option<State>>,
}

/// What is known of one registry. A run adds a line for every blob that it moves, so repositories
/// are numbers here.
#[derive(Debug, Default)]
struct State {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// The repositories of each blob, a few of them.
    holders: HashMap<Digest, Vec<Holder>>,
    /// Repositories of which something was known from before.
    earlier: HashSet<u32>,
    removed: HashSet<(Digest, u32)>,
    /// Whether the file is to be written.
    changed: bool,
}

/// A repository that has a blob.
#[derive(Debug, Clone, Copy)]
struct Holder {
    name: u32,
    /// The day on which that was last true.
    day: u32,
    /// Learned in this run.
    new: bool,
}

impl Hints {
    /// Those of `registry` below `directory`. Nothing is read yet.
    pub(super) fn of(directory: &Path, registry: &str) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        let name: String = registry.chars().map(safe).collect();
        Hints { path: directory.join(name), state: Mutex::default() }
    }

    /// Whether `repository` had the blob, and another repository that had it.
    pub(super) fn look(&self, digest: &Digest, repository: &str) -> (bool, Option<String>) {
        self.with(|state| {
            let Some(holders) = state.holders.get(digest) else { return (false, None) };
            let own = state.numbers.get(repository).copied();
            let others = holders.iter().filter(|holder| Some(holder.name) != own);
            let newest = others.max_by_key(|holder| holder.day);
            let here = holders.iter().any(|holder| Some(holder.name) == own);
            (here, newest.map(|holder| state.names[holder.name as usize].clone()))
        })
    }

    /// Whether anything is known of `repository` from before.
    pub(super) fn knows(&self, repository: &str) -> bool {
        self.with(|state| {
            state.numbers.get(repository).is_some_and(|number| state.earlier.contains(number))
        })
    }

    /// `repository` has the blob.
    pub(super) fn add(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let name = state.number(repository);
            if !state.removed.is_empty() {
                state.removed.remove(&(digest.clone(), name));
            }
            state.changed = true;
            state.hold(digest.clone(), Holder { name, day: today(), new: true });
        });
    }

    /// `repository` has the blob no more, or will not have it mounted.
    pub(super) fn remove(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let name = state.number(repository);
            state.changed = true;
            state.removed.insert((digest.clone(), name));
            if let Some(holders) = state.holders.get_mut(digest) {
                holders.retain(|holder| holder.name != name);
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
    fn keep(&self, state: &State) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        let lock = File::options().create(true).truncate(false).write(true).open(lock)?;
        take(&lock)?;
        let mut kept = State::read(&self.path);
        for (digest, name) in &state.removed {
            let name = kept.number(&state.names[*name as usize]);
            if let Some(holders) = kept.holders.get_mut(digest) {
                holders.retain(|holder| holder.name != name);
            }
        }
        for (digest, holders) in &state.holders {
            for holder in holders.iter().filter(|holder| holder.new) {
                let name = kept.number(&state.names[holder.name as usize]);
                kept.hold(digest.clone(), Holder { name, ..*holder });
            }
        }
        let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(directory)?);
        kept.write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.persist(&self.path)?;
        Ok(())
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        let Some(state) = self.lock().take() else { return };
        if !state.changed {
            return;
        }
        if let Err(error) = self.keep(&state) {
            tracing::debug!(path = %self.path.display(), %error, "hints on blobs are not kept");
        }
    }
}

impl State {
    /// What a file says; lines that say nothing are passed over.
    fn read(path: &Path) -> Self {
        let mut state = State::default();
        // What is no file may never end, or never begin.
        if fs::metadata(path).map_or(true, |meta| !meta.is_file() || meta.len() > LARGEST) {
            return state;
        }
        let Ok(file) = File::open(path) else { return state };
        let mut lines = BufReader::new(file).lines().map_while(Result::ok);
        if lines.next().as_deref() != Some(HEAD) {
            return state;
        }
        for line in lines {
            let mut words = line.split(' ');
            let (Some(digest), Some(day), Some(repository)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let (Ok(digest), Ok(day)) = (digest.parse::<Digest>(), day.parse()) else { continue };
            if crate::types::Name::new("registry.example", repository).is_ok() {
                let name = state.number(repository);
                state.earlier.insert(name);
                state.hold(digest, Holder { name, day, new: false });
            }
        }
        state
    }

    fn number(&mut self, repository: &str) -> u32 {
        if let Some(number) = self.numbers.get(repository) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(repository.to_owned());
        self.numbers.insert(repository.to_owned(), number);
        number
    }

    /// Notes a holder of a blob, in the place of an older one when there are enough.
    fn hold(&mut self, digest: Digest, new: Holder) {
        let holders = self.holders.entry(digest).or_default();
        if let Some(known) = holders.iter_mut().find(|known| known.name == new.name) {
            *known = Holder { day: known.day.max(new.day), ..new };
        } else if holders.len() < MOST_HOLDERS {
            holders.reserve_exact(1);
            holders.push(new);
        } else if let Some(oldest) = holders.iter_mut().min_by_key(|known| known.day)
            && oldest.day < new.day
        {
            *oldest = new;
        }
    }

    /// Writes the newest entries, the newest first.
    fn write(&self, to: &mut impl io::Write) -> io::Result<()> {
        let mut entries = BTreeSet::new();
        for (digest, holders) in &self.holders {
            for holder in holders {
                let name = &self.names[holder.name as usize];
                entries.insert((std::cmp::Reverse(holder.day), digest, name));
            }
        }
        writeln!(to, "{HEAD}")?;
        for (std::cmp::Reverse(day), digest, name) in entries.into_iter().take(MOST) {
            writeln!(to, "{digest} {day} {name}")?;
        }
        Ok(())
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

    #[test]
    fn a_run_ends_though_another_process_keeps_the_file_to_itself() {
        let directory = tempfile::tempdir().unwrap();
        let lock = File::create(directory.path().join("reg.lock")).unwrap();
        lock.lock().unwrap();
        let hints = Hints::of(directory.path(), "reg");
        hints.add(&Digest::of(b"a"), "x");
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(hints);
            ended.send(())
        });
        end.recv_timeout(20 * PATIENCE).unwrap();
        assert!(!directory.path().join("reg").exists(), "unwritten, and nothing half written");
        drop(lock);
        let hints = Hints::of(directory.path(), "reg");
        hints.add(&Digest::of(b"a"), "x");
        drop(hints);
        assert!(directory.path().join("reg").exists());
    }

    #[test]
    fn bounded_and_nothing_is_made_of_nonsense() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = State::default();
        let name = state.number("r");
        for day in 0..MOST as u32 + 10 {
            let digest = Digest::of(day.to_string().as_bytes());
            state.hold(digest, Holder { name, day, new: true });
        }
        let mut text = Vec::new();
        state.write(&mut text).unwrap();
        assert_eq!(std::str::from_utf8(&text).unwrap().lines().count(), MOST + 1);
        let path = directory.path().join("f");
        fs::write(&path, &text).unwrap();
        assert_eq!(State::read(&path).holders.len(), MOST);
        let endless = State::read(Path::new("/dev/zero"));
        assert!(endless.holders.is_empty(), "what is no file is not read");
        let good = Digest::of(b"good");
        let nonsense =
            ["", "x", "sha256:zz 1 r", &format!("{good} 1 ../up"), &format!("{good} x r")];
        fs::write(&path, format!("{HEAD}\n{}\n{good} 7 r\n", nonsense.join("\n"))).unwrap();
        let read = State::read(&path).holders.into_keys().collect::<Vec<_>>();
        assert_eq!(read, std::slice::from_ref(&good));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(State::read(&path).holders.is_empty());
    }

    #[test]
    fn of_many_holders_the_newest_are_kept() {
        let mut state = State::default();
        let digest = Digest::of(b"x");
        for (name, day) in [("a", 5), ("b", 1), ("c", 3), ("d", 2), ("e", 1), ("a", 6)] {
            let name = state.number(name);
            state.hold(digest.clone(), Holder { name, day, new: true });
        }
        let held = |holder: &Holder| (state.names[holder.name as usize].as_str(), holder.day);
        let mut held: Vec<_> = state.holders[&digest].iter().map(held).collect();
        held.sort_unstable();
        assert_eq!(held, [("a", 6), ("c", 3), ("d", 2)]);
    }
}
