//! Taking a file away so that it can still come back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Stored;
use crate::store::StoreError;
use crate::store::layout::{blob_path, create_directories};
use crate::types::Digest;

/// Where files are that are about to be removed.
const ASIDE: &str = ".removing";

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is removed.
    Done,
    /// It was not there any more.
    Gone,
    /// Somebody came to rely on it: it stays.
    Renewed,
}

fn name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().as_str(), digest.hex())
}

/// Removes a file that is older than `age`. Nobody can renew its time once it is moved aside, so
/// the time that it has then is the one that counts.
pub(super) fn remove(root: &Path, digest: &Digest, age: Duration) -> Result<Removal, StoreError> {
    let path = blob_path(root, digest);
    let failed = |error| StoreError::io("removing", &path, error);
    let directory = root.join(ASIDE);
    create_directories(&directory)?;
    let aside = directory.join(name(digest));
    match std::fs::rename(&path, &aside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Removal::Gone),
        moved => moved.map_err(failed)?,
    }
    let stored = match std::fs::metadata(&aside) {
        // Somebody started meanwhile, and brought it back.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Removal::Renewed),
        meta => Stored::of(&meta.map_err(failed)?).map_err(failed)?,
    };
    if stored.is_young(age) {
        restore(&aside, &path)?;
        return Ok(Removal::Renewed);
    }
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Removal::Renewed),
        removed => removed.map(|()| Removal::Done).map_err(failed),
    }
}

/// Brings back what a collection that was killed had moved aside.
pub(in crate::store::layout) fn bring_back(root: &Path) -> Result<(), StoreError> {
    let directory = root.join(ASIDE);
    let failed = |error| StoreError::io("listing", &directory, error);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let digest = entry.file_name().to_string_lossy().replacen('-', ":", 1).parse::<Digest>();
        if let Ok(digest) = digest {
            restore(&entry.path(), &blob_path(root, &digest))?;
        }
    }
    Ok(())
}

/// Puts a file back, unless somebody wrote it anew, which is the same content.
fn restore(aside: &PathBuf, path: &Path) -> Result<(), StoreError> {
    match std::fs::rename(aside, path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(|error| StoreError::io("bringing back", path, error)),
    }
}
