//! Garbage collection of a layout: what no tag and no referrer of anything tagged reaches goes.
//!
//! Safe beside writers in this process and others, without stopping them. Whoever relies on content
//! that is there already (a presence check, a push, a mount) renews its time; what is younger than
//! the age asked for stays, with everything that it names. A file is first moved aside, then looked
//! at once more: renewed in between, it goes back. Manifests go before what they name. Killed at
//! any moment, a collection has removed nothing that somebody relies on; what it had moved aside
//! comes back with the next start.

mod aside;
mod reach;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::index::IndexFile;
use super::{LayoutStore, blob_path};
use crate::store::StoreError;
use crate::types::{Algorithm, Descriptor, Digest, media};

use self::aside::Removal;
pub(super) use self::aside::bring_back;
use self::reach::Reach;

/// What a collection removed, or would remove.
#[derive(Debug, Default)]
pub struct Collection {
    /// What went, in order.
    pub removed: Vec<Garbage>,
    /// How many manifests and blobs nothing reaches, but are too young to be removed.
    pub young: usize,
}

/// A manifest or blob that nothing reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// Its digest.
    pub digest: Digest,
    /// Bytes that its removal frees: 0 when another repository shares it.
    pub freed: u64,
}

/// A file in `blobs/`.
#[derive(Debug, Clone, Copy)]
struct Stored {
    size: u64,
    links: u64,
    modified: SystemTime,
}

impl Stored {
    fn of(meta: &std::fs::Metadata) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        Ok(Stored { size: meta.len(), links: meta.nlink(), modified: meta.modified()? })
    }

    /// Whether somebody may still be about to name it.
    fn is_young(&self, age: Duration) -> bool {
        self.modified.elapsed().is_ok_and(|elapsed| elapsed < age)
    }
}

type Files = BTreeMap<Digest, Stored>;

impl LayoutStore {
    /// Removes what nothing reaches and nobody relied on for `age`; with `dry_run` only says what
    /// that is. Everything stays when a manifest cannot be read, because then nobody knows what it
    /// names. Blocks; changes of the index by others wait for the time it takes to read all
    /// manifests.
    pub fn collect(&self, age: Duration, dry_run: bool) -> Result<Collection, StoreError> {
        if !dry_run {
            bring_back(self.root())?;
        }
        let (reach, files) = self.mark(age, dry_run)?;
        let mut collection = Collection::default();
        let mut garbage = Files::new();
        for (digest, file) in files {
            if reach.has(&digest) {
                continue;
            }
            if file.is_young(age) {
                collection.young += 1;
            } else {
                garbage.insert(digest, file);
            }
        }
        self.remove(garbage, age, dry_run, &mut collection)?;
        Ok(collection)
    }

    /// What is reached, of all files. What is not loses its place in the index at the same moment,
    /// so that nobody finds it there afterwards.
    fn mark(&self, age: Duration, dry_run: bool) -> Result<(Reach, Files), StoreError> {
        let mut found = Ok((Reach::default(), Files::new()));
        let judge = |root: &Path, entries: &mut Vec<Descriptor>| {
            found = scan(root).and_then(|files| {
                let reach = Reach::of(root, entries, &files, age)?;
                Ok((reach, files))
            });
            let Ok((reach, files)) = &found else { return false };
            let before = entries.len();
            if !dry_run {
                entries.retain(|entry| {
                    let tagged = entry.annotation(media::REF_NAME).is_some();
                    tagged || reach.has(&entry.digest) || !files.contains_key(&entry.digest)
                });
            }
            entries.len() != before
        };
        IndexFile::change_now(&self.index, judge)?;
        found
    }

    fn remove(
        &self,
        garbage: Files,
        age: Duration,
        dry_run: bool,
        collection: &mut Collection,
    ) -> Result<(), StoreError> {
        let mut kept = HashSet::new();
        let mut directories = HashSet::new();
        for (digest, children) in reach::parents_first(self.root(), &garbage)? {
            let Some(file) = garbage.get(&digest) else { continue };
            let outcome = match (kept.contains(&digest), dry_run) {
                (true, _) => Removal::Renewed,
                (false, true) => Removal::Done,
                (false, false) => aside::remove(self.root(), &digest, age)?,
            };
            match outcome {
                Removal::Done => {
                    let freed = if file.links > 1 { 0 } else { file.size };
                    directories.insert(digest.algorithm());
                    collection.removed.push(Garbage { digest, freed });
                }
                Removal::Gone => {}
                Removal::Renewed => {
                    collection.young += 1;
                    kept.extend(children);
                }
            }
        }
        for algorithm in directories.into_iter().filter(|_| !dry_run) {
            let directory = self.root().join("blobs").join(algorithm.as_str());
            super::durable::sync_directory(&directory)
                .map_err(|error| StoreError::io("syncing", &directory, error))?;
        }
        Ok(())
    }
}

/// Every file in `blobs/`.
fn scan(root: &Path) -> Result<Files, StoreError> {
    let mut files = Files::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let directory = root.join("blobs").join(algorithm.as_str());
        let failed = |error| StoreError::io("listing", &directory, error);
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let digest = format!("{}:{}", algorithm.as_str(), name.to_string_lossy());
            let Ok(digest) = digest.parse::<Digest>() else { continue };
            let stored = match entry.metadata() {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                meta => meta.and_then(|meta| Stored::of(&meta)).map_err(failed)?,
            };
            files.insert(digest, stored);
        }
    }
    Ok(files)
}

/// The content of a file that may be a manifest; `None`: it is gone.
fn read(root: &Path, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let path = blob_path(root, digest);
    match std::fs::read(&path) {
        Ok(raw) => Ok(Some(raw)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("reading", &path, error)),
    }
}

#[cfg(test)]
mod tests;
