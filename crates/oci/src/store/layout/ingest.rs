//! Bytes on their way into a layout: a file in `ingest/`, renamed to its digest when whole and synced.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use rustix::fs::FlockOperation;
use tempfile::TempPath;
use tokio::task::{JoinHandle, spawn_blocking};

use super::directories::create_directories;
use super::durable;
use super::names::{Made, Names};
use crate::store::checked::{Checked, Stamp};
use crate::store::{ErrorKind, Ingest, StoreError, extent};
use crate::types::{Algorithm, Digest, Hasher};

/// Pieces that are written at once, at most.
const PIECES: usize = 256;

/// Bytes after which the disk is told to begin: what is on its way already need not be waited for at
/// the end, while whoever sent the blob waits for an answer.
const STRIDE: u64 = 4 << 20;

/// Where a stride comes in less, the disk is what is waited for anyway.
const SLOWLY: Duration = Duration::from_millis(100);

/// A blob being written. SHA-256 is computed on the way; another algorithm reads the file again.
/// The file is locked as long as somebody writes to it, so that what was left behind can be told
/// from what is being written. Bytes go to the file from where they are: one stretch is written while
/// the next is taken in.
pub(super) struct FileIngest {
    root: PathBuf,
    names: Arc<Names>,
    /// Whom to tell of the file that was hashed.
    checked: Option<Arc<Checked>>,
    /// Taken in, and not being written yet.
    pending: VecDeque<Bytes>,
    /// Bytes of that.
    held: usize,
    writing: Option<JoinHandle<Left>>,
    file: Arc<File>,
    path: TempPath,
    hasher: Hasher,
    written: u64,
    /// How far the strides go that have ended, and when the last one did.
    stride: (u64, Instant),
}

/// What could not be written, in order, and why.
type Left = (VecDeque<Bytes>, io::Result<()>);

impl FileIngest {
    pub(super) async fn start(
        root: &Path,
        names: Arc<Names>,
        checked: Option<Arc<Checked>>,
    ) -> Result<Self, StoreError> {
        let directory = root.join("ingest");
        let made = tokio::fs::create_dir_all(&directory).await;
        made.map_err(|source| StoreError::io("creating", &directory, source))?;
        let mut builder = tempfile::Builder::new();
        let readable = builder.permissions(durable::readable());
        let file = readable.tempfile_in(&directory).map_err(|error| {
            StoreError::io("creating a file in", &directory, durable::plain(error))
        })?;
        rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive)
            .map_err(|code| StoreError::io("locking", file.path(), code.into()))?;
        let (file, path) = file.into_parts();
        Ok(FileIngest {
            root: root.to_owned(),
            names,
            checked,
            pending: VecDeque::new(),
            held: 0,
            writing: None,
            file: Arc::new(file),
            path,
            hasher: Hasher::new(Algorithm::Sha256),
            written: 0,
            stride: (0, Instant::now()),
        })
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> StoreError + use<> {
        // Of the file itself nobody has heard.
        let root = self.root.clone();
        move |source| StoreError::io("writing to the image layout", &root, source)
    }

    /// Begins to write what is pending; nothing else is being written.
    fn begin(&mut self) {
        let (mut pieces, file) = (std::mem::take(&mut self.pending), self.file.clone());
        self.held = 0;
        let slow = self.slow_stride();
        self.writing = Some(spawn_blocking(move || {
            let done = write_all(&file, &mut pieces);
            if let Some(stride) = slow.filter(|_| done.is_ok()) {
                start_writeback(&file, &stride);
            }
            (pieces, done)
        }));
    }

    /// The stride that ends here, when one does and it came slowly.
    fn slow_stride(&mut self) -> Option<Range<u64>> {
        let (start, since) = self.stride;
        if self.written - start < STRIDE {
            return None;
        }
        self.stride = (self.written, Instant::now());
        (since.elapsed() >= SLOWLY).then_some(start..self.written)
    }

    /// Waits for what is being written. What could not be written is pending again.
    async fn settle(&mut self) -> io::Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let done = writing.await;
        self.writing = None;
        let (mut left, done) = done.map_err(io::Error::other)?;
        self.held += left.iter().map(Bytes::len).sum::<usize>();
        left.append(&mut self.pending);
        self.pending = left;
        done
    }

    /// Writes everything.
    async fn complete(&mut self) -> io::Result<()> {
        self.settle().await?;
        if !self.pending.is_empty() {
            self.begin();
            self.settle().await?;
        }
        Ok(())
    }

    async fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, StoreError> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.hasher.clone().finish());
        }
        self.complete().await.map_err(self.failed())?;
        let path = self.path.to_path_buf();
        let hash = spawn_blocking(move || hash_file(&path, algorithm)).await;
        hash.map_err(io::Error::other).and_then(|inner| inner).map_err(self.failed())
    }
}

#[async_trait]
impl Ingest for FileIngest {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hasher.update(&bytes);
        self.written += bytes.len() as u64;
        self.held += bytes.len();
        self.pending.push_back(bytes);
        if self.held >= extent::CHUNK || self.pending.len() >= PIECES {
            self.settle().await.map_err(self.failed())?;
            self.begin();
        }
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }

    async fn finish(mut self: Box<Self>, expected: &Digest) -> Result<(), StoreError> {
        self.settle().await.map_err(self.failed())?;
        let found = self.digest(expected.algorithm()).await?;
        if found != *expected {
            let kind = ErrorKind::Digest { expected: expected.clone(), found };
            return Err(StoreError::new(format!("oci:{}", self.root.display()), kind));
        }
        let (failed, hex) = (self.failed(), expected.hex().to_owned());
        let directory = self.root.join("blobs").join(expected.algorithm().as_str());
        let FileIngest { names, checked, mut pending, file, path, written, .. } = *self;
        let made = names.make(&directory, move |directory| {
            write_all(&file, &mut pending).and_then(|()| secure(&file, written)).map_err(failed)?;
            create_directories(directory)?;
            let target = directory.join(hex);
            let named = path.persist(&target).map_err(|error| error.error);
            named.map_err(|source| StoreError::io("writing", &target, source))?;
            if let (Some(checked), Some(stamp)) = (checked, Stamp::of(&file)) {
                checked.learn(found, stamp);
            }
            // Locked until it has its name.
            drop(file);
            Ok(Made::New)
        });
        made.await.map(drop)
    }
}

/// Has the disk begin with these bytes of the file, and waits for nothing. That they are not wanted
/// any more is the one way to say so without `unsafe`; those that are not on the disk yet stay in memory.
fn start_writeback(file: &File, stride: &Range<u64>) {
    let length = NonZeroU64::new(stride.end - stride.start);
    // A file system that cannot do it writes at the end, as it would have.
    let _advice = rustix::fs::fadvise(file, stride.start, length, rustix::fs::Advice::DontNeed);
}

/// Makes what was written durable. Everything is to be there: an error of a write may have come when
/// nobody was waiting for it any more.
fn secure(file: &File, written: u64) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length != written {
        let text = format!("{length} bytes are in the file where {written} were written");
        return Err(io::Error::other(text));
    }
    file.sync_data()
}

/// Writes the pieces, taking each away as far as it is written.
fn write_all(mut file: &File, pieces: &mut VecDeque<Bytes>) -> io::Result<()> {
    pieces.retain(|piece| !piece.is_empty());
    while !pieces.is_empty() {
        let slices: Vec<IoSlice<'_>> =
            pieces.iter().take(PIECES).map(|piece| IoSlice::new(piece)).collect();
        let mut written = match file.write_vectored(&slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while let Some(piece) = pieces.front_mut().filter(|_| written > 0) {
            let part = written.min(piece.len());
            piece.advance(part);
            written -= part;
            if piece.is_empty() {
                pieces.pop_front();
            }
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_write_is_made_up_for() {
        let root = tempfile::tempdir().unwrap();
        let chunk = Bytes::from(vec![7; 5 << 20]);
        let whole = [chunk.as_ref(), chunk.as_ref(), b"end"].concat();
        let mut ingest =
            Box::new(FileIngest::start(root.path(), Arc::default(), None).await.unwrap());
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
    async fn the_disk_begins_with_each_stride_that_came_slowly() {
        let root = tempfile::tempdir().unwrap();
        let mut ingest = FileIngest::start(root.path(), Arc::default(), None).await.unwrap();
        let slowly = || Instant::now().checked_sub(SLOWLY).unwrap();
        ingest.stride.1 = slowly();
        ingest.written = STRIDE - 1;
        assert_eq!(ingest.slow_stride(), None, "it is not long enough yet");
        ingest.written = STRIDE + 5;
        assert_eq!(ingest.slow_stride(), Some(0..STRIDE + 5));
        ingest.stride.1 = slowly();
        assert_eq!(ingest.slow_stride(), None, "the next one has only begun");
        ingest.written = 2 * STRIDE + 5;
        assert_eq!(ingest.slow_stride(), Some(STRIDE + 5..2 * STRIDE + 5));
    }

    #[test]
    fn pieces_of_any_length_are_written_in_order() {
        let mut file = tempfile::tempfile().unwrap();
        let piece = |number: u32| Bytes::from(vec![number as u8; number as usize * 7 % 1000]);
        let mut pieces: VecDeque<Bytes> = (0..2000).map(piece).collect();
        let whole: Vec<u8> = pieces.iter().flatten().copied().collect();
        write_all(&file, &mut pieces).unwrap();
        let mut found = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::Read::read_to_end(&mut file, &mut found).unwrap();
        assert!(pieces.is_empty() && found == whole);
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_pending_again() {
        let root = tempfile::tempdir().unwrap();
        let mut ingest =
            Box::new(FileIngest::start(root.path(), Arc::default(), None).await.unwrap());
        let good = std::mem::replace(&mut ingest.file, Arc::new(File::open("/dev/null").unwrap()));
        ingest.write(Bytes::from_static(b"one ")).await.unwrap();
        assert!(ingest.complete().await.is_err(), "a file that is open for reading alone");
        ingest.file = good;
        ingest.write(Bytes::from_static(b"two")).await.unwrap();
        let digest = Digest::of(b"one two");
        ingest.finish(&digest).await.unwrap();
        let stored = std::fs::read(root.path().join("blobs/sha256").join(digest.hex())).unwrap();
        assert_eq!(stored, b"one two");
    }

    #[tokio::test]
    async fn a_file_that_lost_bytes_gets_no_name() {
        let root = tempfile::tempdir().unwrap();
        let mut ingest =
            Box::new(FileIngest::start(root.path(), Arc::default(), None).await.unwrap());
        ingest.write(Bytes::from_static(b"bytes")).await.unwrap();
        ingest.complete().await.unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&ingest.path).unwrap();
        file.set_len(3).unwrap();
        assert!(ingest.finish(&Digest::of(b"bytes")).await.is_err());
        assert!(!root.path().join("blobs").exists());
    }
}
