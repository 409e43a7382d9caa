//! Hints on which repositories of a registry have which blob, kept from run to run.
//!
//! Nothing depends on them: a wrong one costs a request, one that is missing costs what it would
//! have saved. One file a registry, `DIGEST DAY REPOSITORY` a line, replaced as a whole under a
//! lock, so that several processes can use it; the newest entries are kept. What cannot be read or
//! written is as good as not there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::types::Digest;

/// The first line of a file: another form begins otherwise.
const HEAD: &str = "airlift blob hints 1";
/// Entries kept of one registry.
const MOST: usize = 50_000;
/// Repositories kept for one blob.
const MOST_HOLDERS: usize = 3;
/// More is no file of ours, in bytes.
const LARGEST: u64 = 64 << 20;

/// The hints of one registry. Kept when dropped.
#[derive(Debug)]
pub(super) struct Hints {
    path: PathBuf,
    state: Mutex<Option<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The repositories of each blob with the day on which that was last true.
    holders: Holders,
    repositories: HashSet<String>,
    added: HashMap<(Digest, String), u64>,
    removed: HashSet<(Digest, String)>,
}

type Holders = HashMap<Digest, BTreeMap<String, u64>>;

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
            let others = holders.iter().filter(|(name, _)| *name != repository);
            let newest = others.max_by_key(|(_, day)| **day);
            (holders.contains_key(repository), newest.map(|(name, _)| name.clone()))
        })
    }

    /// Whether anything is known of `repository` from before.
    pub(super) fn knows(&self, repository: &str) -> bool {
        self.with(|state| state.repositories.contains(repository))
    }

    /// `repository` has the blob.
    pub(super) fn add(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let key = (digest.clone(), repository.to_owned());
            state.removed.remove(&key);
            state.added.insert(key, today());
            state.holders.entry(digest.clone()).or_default().insert(repository.to_owned(), today());
        });
    }

    /// `repository` has the blob no more, or will not have it mounted.
    pub(super) fn remove(&self, digest: &Digest, repository: &str) {
        self.with(|state| {
            let key = (digest.clone(), repository.to_owned());
            state.added.remove(&key);
            state.removed.insert(key);
            if let Some(holders) = state.holders.get_mut(digest) {
                holders.remove(repository);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        work(state.get_or_insert_with(|| {
            let holders = read(&self.path);
            let names = holders.values().flat_map(BTreeMap::keys);
            let repositories = names.cloned().collect();
            State { holders, repositories, ..State::default() }
        }))
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
        lock.lock()?;
        let mut holders = read(&self.path);
        for (digest, repository) in &state.removed {
            if let Some(names) = holders.get_mut(digest) {
                names.remove(repository);
            }
        }
        for ((digest, repository), day) in &state.added {
            holders.entry(digest.clone()).or_default().insert(repository.clone(), *day);
        }
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(write(holders).as_bytes())?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        let Some(state) = self.lock().take() else { return };
        if state.added.is_empty() && state.removed.is_empty() {
            return;
        }
        if let Err(error) = self.keep(&state) {
            tracing::debug!(path = %self.path.display(), %error, "hints on blobs are not kept");
        }
    }
}

/// What a file says; lines that say nothing are passed over.
fn read(path: &Path) -> Holders {
    let mut holders = Holders::new();
    if fs::metadata(path).map_or(true, |meta| meta.len() > LARGEST) {
        return holders;
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return holders;
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
            holders.entry(digest).or_default().insert(repository.to_owned(), day);
        }
    }
    holders
}

/// The newest entries, the newest first.
fn write(holders: Holders) -> String {
    let mut entries = BTreeSet::new();
    for (digest, names) in &holders {
        let mut names: Vec<_> = names.iter().collect();
        names.sort_by_key(|(_, day)| std::cmp::Reverse(**day));
        for (name, day) in names.into_iter().take(MOST_HOLDERS) {
            entries.insert((std::cmp::Reverse(*day), digest, name));
        }
    }
    let mut text = format!("{HEAD}\n");
    for (std::cmp::Reverse(day), digest, name) in entries.into_iter().take(MOST) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{digest} {day} {name}");
    }
    text
}

/// Days since 1970.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / (24 * 3600))
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
    fn bounded_and_nothing_is_made_of_nonsense() {
        let directory = tempfile::tempdir().unwrap();
        let mut holders = Holders::new();
        for number in 0..MOST + 10 {
            let digest = Digest::of(number.to_string().as_bytes());
            holders.entry(digest).or_default().insert("r".to_owned(), number as u64);
        }
        let text = write(holders);
        assert_eq!(text.lines().count(), MOST + 1);
        let path = directory.path().join("f");
        fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).len(), MOST);
        let good = Digest::of(b"good");
        let nonsense =
            ["", "x", "sha256:zz 1 r", &format!("{good} 1 ../up"), &format!("{good} x r")];
        fs::write(&path, format!("{HEAD}\n{}\n{good} 7 r\n", nonsense.join("\n"))).unwrap();
        assert_eq!(read(&path).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&good));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read(&path).is_empty());
    }
}
