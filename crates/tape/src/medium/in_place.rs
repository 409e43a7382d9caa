//! A plain file: read in order like any medium, and at any place beside that.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::compression::Compression;
use airlift_oci::store::Extent;

/// Bytes read at once. What is passed over makes more of them vain.
pub(crate) const CHUNK: u64 = 256 << 10;

/// A regular file with an archive that is not compressed.
pub(crate) struct InPlace {
    file: Arc<File>,
    /// The next byte read in order.
    at: u64,
    /// Bytes of the file when it was opened.
    length: u64,
}

impl InPlace {
    /// Opens `path`; `None` when that is no such file. Blocks.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        if !std::fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut first = Vec::with_capacity(4);
        file.read_at(0, &mut first)?;
        first.truncate(4);
        if Compression::detect(&first).is_some() {
            return Ok(None);
        }
        Ok(Some(InPlace { file: Arc::new(file), at: 0, length }))
    }

    /// The file, when all bytes from `start` on, `size` of them, stand in it.
    pub(super) fn holding(&self, start: u64, size: u64) -> Option<Arc<dyn Extent>> {
        let end = start.checked_add(size)?;
        (end <= self.length).then(|| self.file.clone() as Arc<dyn Extent>)
    }

    /// What comes next; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (file, at) = (self.file.clone(), self.at);
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(CHUNK as usize);
            file.read_at(at, &mut chunk).map(|_| chunk)
        });
        let chunk = read.await.map_err(io::Error::other)??;
        self.at += chunk.len() as u64;
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }

    /// Goes on `bytes` further behind.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.at += bytes;
    }
}
