//! Bytes on their way into a layout: a file in `ingest/`, renamed to its digest when whole and synced.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;

use crate::store::{ErrorKind, Ingest, StoreError, files};
use crate::types::{Algorithm, Digest, Hasher};

/// A blob being written. SHA-256 is computed on the way; another algorithm reads the file again.
pub(super) struct FileIngest {
    root: PathBuf,
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
        let (file, path) = file.into_parts();
        let file =
            tokio::io::BufWriter::with_capacity(files::CHUNK, tokio::fs::File::from_std(file));
        let hasher = Hasher::new(Algorithm::Sha256);
        Ok(FileIngest { root: root.to_owned(), file, path, hasher, written: 0 })
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
        let path = self.path.to_path_buf();
        move |source| StoreError::io("writing", &path, source)
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
        self.file.write_all(&bytes).await.map_err(self.failed())
    }

    fn written(&self) -> u64 {
        self.written
    }

    async fn finish(mut self: Box<Self>, expected: &Digest) -> Result<(), StoreError> {
        self.file.flush().await.map_err(self.failed())?;
        let found = self.digest(expected.algorithm()).await?;
        if found != *expected {
            let kind = ErrorKind::Digest { expected: expected.clone(), found };
            return Err(StoreError::new(format!("oci:{}", self.root.display()), kind));
        }
        self.file.get_ref().sync_data().await.map_err(self.failed())?;
        let failed = self.failed();
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        rustix::fs::fchmod(self.file.get_ref(), mode).map_err(|code| failed(code.into()))?;
        let directory = self.root.join("blobs").join(expected.algorithm().as_str());
        let made = tokio::fs::create_dir_all(&directory).await;
        made.map_err(|source| StoreError::io("creating", &directory, source))?;
        let target = directory.join(expected.hex());
        self.path
            .persist(&target)
            .map_err(|error| StoreError::io("writing", &target, error.error))?;
        sync_directory(&directory).await
    }
}

/// Makes the names in a directory durable.
async fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let synced = async { tokio::fs::File::open(directory).await?.sync_data().await };
    synced.await.map_err(|source| StoreError::io("syncing", directory, source))
}

fn hash_file(path: &Path, algorithm: Algorithm) -> std::io::Result<Digest> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut chunk = vec![0; files::CHUNK];
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&chunk[..read]),
        }
    }
}
