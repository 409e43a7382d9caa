//! What writers left behind that were killed, in `ingest/` and beside `index.json`: found and removed.

use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::durable;

/// How long a file must have been left alone before it counts as left behind.
const LEFT: Duration = Duration::from_secs(60);

/// Removes what writers left behind that were killed. How many files it was.
pub(super) fn sweep(root: &Path) -> std::io::Result<usize> {
    let mut removed = 0;
    for (directory, prefix) in [(root.join("ingest"), ""), (root.to_owned(), durable::TEMPORARY)] {
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let ours = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
            // Whoever writes to it may finish at any moment: then there is nothing to remove.
            if ours && unless_gone(is_left(&entry))?.unwrap_or(false) {
                removed += usize::from(unless_gone(std::fs::remove_file(entry.path()))?.is_some());
            }
        }
    }
    Ok(removed)
}

/// `None` when the file was not there any more.
fn unless_gone<T>(done: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Whether nobody writes to a file: it is old, and not locked.
fn is_left(entry: &std::fs::DirEntry) -> std::io::Result<bool> {
    let meta = entry.metadata()?;
    if !meta.is_file() || meta.modified()?.elapsed().is_ok_and(|age| age < LEFT) {
        return Ok(false);
    }
    let file = std::fs::File::open(entry.path())?;
    Ok(rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use bytes::Bytes;

    use super::*;
    use crate::store::Ingest;
    use crate::store::layout::ingest::FileIngest;
    use crate::types::Digest;

    /// A file in `ingest/` that nobody wrote to for two hours.
    fn old_file(root: &Path, name: &str) -> std::fs::File {
        std::fs::create_dir_all(root.join("ingest")).unwrap();
        let file = std::fs::File::create(root.join("ingest").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
        file
    }

    #[tokio::test]
    async fn only_what_was_left_behind_is_swept() {
        let root = tempfile::tempdir().unwrap();
        drop(old_file(root.path(), "left"));
        let locked = old_file(root.path(), "locked");
        rustix::fs::flock(&locked, FlockOperation::LockExclusive).unwrap();
        let mut ingest =
            Box::new(FileIngest::start(root.path(), Arc::default(), None).await.unwrap());
        assert_eq!(sweep(root.path()).unwrap(), 1);
        assert!(!root.path().join("ingest/left").exists());
        assert!(root.path().join("ingest/locked").exists());
        ingest.write(Bytes::from_static(b"bytes")).await.unwrap();
        ingest.finish(&Digest::of(b"bytes")).await.unwrap();
    }
}
