//! Bytes on their way into a layout: a file in `ingest/`, renamed to its digest when whole and synced.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use rustix::fs::FlockOperation;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;

use super::durable;
use crate::store::{ErrorKind, Ingest, StoreError, extent};
use crate::types::{Algorithm, Digest, Hasher};

/// A blob being written. SHA-256 is computed on the way; another algorithm reads the file again.
/// The file is locked as long as somebody writes to it, so that what was left behind can be told
/// from what is being written.
pub(super) struct FileIngest {
    root: PathBuf,
    /// Taken in, but not written yet, because a write was dropped or failed.
    pending: VecDeque<Bytes>,
    file: tokio::io::BufWriter<tokio::fs::File>,
    path: TempPath,
    hasher: Hasher,
    written: u64,
}

impl FileIngest {
    pub(super) async fn start(root: &Path) -> Result<Self, StoreError> {
        let directory = root.join("ingest");
        let made = tokio::fs::create_dir_all(&directory).await;
        made.map_err(|source| StoreError::io("creating", &directory, source))?;
        let file = NamedTempFile::new_in(&directory)
            .map_err(|source| StoreError::io("creating a file in", &directory, source))?;
        rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive)
            .map_err(|code| StoreError::io("locking", file.path(), code.into()))?;
        let (file, path) = file.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        // It would take in 2 MiB, for each of many blobs at once.
        file.set_max_buf_size(extent::CHUNK);
        let file = tokio::io::BufWriter::with_capacity(extent::CHUNK, file);
        let hasher = Hasher::new(Algorithm::Sha256);
        let pending = VecDeque::new();
        Ok(FileIngest { root: root.to_owned(), pending, file, path, hasher, written: 0 })
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
        let path = self.path.to_path_buf();
        move |source| StoreError::io("writing", &path, source)
    }

    /// Writes what is pending. Dropped or failed, it goes on next time where it was.
    async fn drain(&mut self) -> std::io::Result<()> {
        while let Some(chunk) = self.pending.front_mut() {
            while !chunk.is_empty() {
                match self.file.write(chunk).await? {
                    0 => return Err(std::io::ErrorKind::WriteZero.into()),
                    written => chunk.advance(written),
                }
            }
            self.pending.pop_front();
        }
        Ok(())
    }

    /// Writes everything, and makes sure that the file has it all: an error of a write may have
    /// come when nobody was waiting for it any more.
    async fn complete(&mut self) -> std::io::Result<()> {
        self.drain().await?;
        self.file.flush().await?;
        let length = self.file.get_ref().metadata().await?.len();
        if length == self.written {
            return Ok(());
        }
        let text = format!("{length} bytes are in the file where {} were written", self.written);
        Err(std::io::Error::other(text))
    }

    async fn digest(&self, algorithm: Algorithm) -> Result<Digest, StoreError> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.hasher.clone().finish());
        }
        let path = self.path.to_path_buf();
        let hash = tokio::task::spawn_blocking(move || hash_file(&path, algorithm)).await;
        hash.map_err(std::io::Error::other).and_then(|inner| inner).map_err(self.failed())
    }
}

#[async_trait]
impl Ingest for FileIngest {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hasher.update(&bytes);
        self.written += bytes.len() as u64;
        self.pending.push_back(bytes);
        self.drain().await.map_err(self.failed())
    }

    fn written(&self) -> u64 {
        self.written
    }

    async fn finish(mut self: Box<Self>, expected: &Digest) -> Result<(), StoreError> {
        self.complete().await.map_err(self.failed())?;
        let found = self.digest(expected.algorithm()).await?;
        if found != *expected {
            let kind = ErrorKind::Digest { expected: expected.clone(), found };
            return Err(StoreError::new(format!("oci:{}", self.root.display()), kind));
        }
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        rustix::fs::fchmod(self.file.get_ref(), mode).map_err(|code| self.failed()(code.into()))?;
        self.file.get_ref().sync_data().await.map_err(self.failed())?;
        let directory = self.root.join("blobs").join(expected.algorithm().as_str());
        let target = directory.join(expected.hex());
        // Locked until it has its name.
        let FileIngest { root, path, file: _locked, .. } = *self;
        let placed = tokio::task::spawn_blocking(move || {
            durable::create_directories(&directory)?;
            path.persist(&target)
                .map_err(|error| error.error)
                .and_then(|()| durable::sync_directory(&directory))
                .map_err(|source| StoreError::io("writing", &target, source))
        });
        placed
            .await
            .map_err(|error| StoreError::io("writing", &root, std::io::Error::other(error)))?
    }
}

fn hash_file(path: &Path, algorithm: Algorithm) -> std::io::Result<Digest> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut chunk = vec![0; extent::CHUNK];
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&chunk[..read]),
        }
    }
}

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
    use std::time::SystemTime;

    use super::*;

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
        let mut ingest = Box::new(FileIngest::start(root.path()).await.unwrap());
        assert_eq!(sweep(root.path()).unwrap(), 1);
        assert!(!root.path().join("ingest/left").exists());
        assert!(root.path().join("ingest/locked").exists());
        ingest.write(Bytes::from_static(b"bytes")).await.unwrap();
        ingest.finish(&Digest::of(b"bytes")).await.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_write_is_made_up_for() {
        let root = tempfile::tempdir().unwrap();
        let chunk = Bytes::from(vec![7; 5 << 20]);
        let whole = [chunk.as_ref(), chunk.as_ref(), b"end"].concat();
        let mut ingest = Box::new(FileIngest::start(root.path()).await.unwrap());
        for _ in 0..2 {
            let mut write = Box::pin(ingest.write(chunk.clone()));
            // So much is seldom written before the disk was waited for, so the write is dropped in
            // the middle; when it was not, the bytes must be right all the same.
            let _begun = futures_util::poll!(&mut write);
        }
        ingest.write(Bytes::from_static(b"end")).await.unwrap();
        assert_eq!(ingest.written(), whole.len() as u64);
        let digest = Digest::of(&whole);
        ingest.finish(&digest).await.unwrap();
        let stored = std::fs::read(root.path().join("blobs/sha256").join(digest.hex())).unwrap();
        assert!(stored == whole);
    }

    #[tokio::test]
    async fn a_file_that_lost_bytes_gets_no_name() {
        let root = tempfile::tempdir().unwrap();
        let mut ingest = Box::new(FileIngest::start(root.path()).await.unwrap());
        ingest.write(Bytes::from_static(b"bytes")).await.unwrap();
        ingest.complete().await.unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&ingest.path).unwrap();
        file.set_len(3).unwrap();
        assert!(ingest.finish(&Digest::of(b"bytes")).await.is_err());
        assert!(!root.path().join("blobs").exists());
    }
}
