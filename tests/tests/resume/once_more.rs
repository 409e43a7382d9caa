//! A large blob that came damaged, which shows when it is written: it is fetched and written once
//! more, and the archive is the archive.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airlift_oci::observe::{Event, Observer, silent};
use airlift_oci::store::{Blob, Line, MemoryStore, Source, StoreError, chain};
use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, Version};
use airlift_tape::device::Destination;
use airlift_tape::ledger::Ledger;
use airlift_tape::{Compression, Resume, SerializeError, SerializeOptions, Written, serialize};
use airlift_tests::{FakeDrive, Sample, Tape};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use super::{ALL, options, whole};

/// A store from which large blobs come damaged: of each the first so many times that its middle is
/// read.
struct Rough {
    store: Arc<MemoryStore>,
    bad: u64,
    /// The damage is another one each time.
    varied: bool,
    read: Mutex<BTreeMap<Digest, u64>>,
}

const LARGE: u64 = 1 << 20;

impl Rough {
    fn new(sample: &Sample, bad: u64, varied: bool) -> Arc<Self> {
        Arc::new(Rough { store: sample.store.clone(), bad, varied, read: Mutex::default() })
    }

    /// The bytes of a range, with a bit in the middle of the blob flipped if it is the time for it.
    async fn read(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<Blob, StoreError> {
        let blob = self.store.open_range(descriptor, range.clone()).await?;
        let middle = descriptor.size / 2;
        let mut read = self.read.lock().unwrap();
        let times = read.entry(descriptor.digest.clone()).or_default();
        if descriptor.size < LARGE || !range.contains(&middle) || *times >= self.bad {
            return Ok(blob);
        }
        let bit = if self.varied { 1 << (*times % 8) } else { 1 };
        *times += 1;
        let mut at = range.start;
        let chunks = blob.unhashed().map(move |chunk| {
            let chunk: Bytes = chunk?;
            let index = middle.checked_sub(at).filter(|index| *index < chunk.len() as u64);
            at += chunk.len() as u64;
            let Some(index) = index else { return Ok(chunk) };
            let mut copy = chunk.to_vec();
            copy[index as usize] ^= bit;
            Ok(copy.into())
        });
        let damaged = Blob::new(descriptor.clone(), range.start, self.place(), chunks.boxed());
        Ok(damaged.until(range.end))
    }
}

#[async_trait]
impl Source for Rough {
    fn place(&self) -> String {
        "the low side".to_owned()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.store.resolve(version).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.store.fetch(version).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        self.read(descriptor, offset..descriptor.size).await
    }

    async fn open_range(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Blob, StoreError> {
        self.read(descriptor, range).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.store.referrers(subject).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.store.tags().await
    }

    fn line(&self) -> Line {
        // So that blobs come in segments.
        Line { at_once: Some(12), round_trip: Some(Duration::from_millis(40)), rate: Some(1e6) }
    }
}

/// What the operator was warned of.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

async fn sample() -> Sample {
    Sample::build(&[3_500_000, 90_000, 1_300_000, 700_000, 4_200_000]).await
}

async fn run(
    sample: &Sample,
    source: Arc<dyn Source>,
    destination: Destination,
    options: &SerializeOptions,
) -> (Result<Written, SerializeError>, Vec<String>) {
    let warnings = Arc::new(Warnings::default());
    let written =
        serialize(source, sample.root.clone(), destination, options, warnings.clone()).await;
    let warned = std::mem::take(&mut *warnings.0.lock().unwrap());
    (written, warned)
}

fn small_memory(compression: Compression, ledger: &Path) -> SerializeOptions {
    let checkpoint = Some(ledger.to_owned());
    SerializeOptions { memory: 4 << 20, checkpoint, ..options(compression) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_damaged_is_written_once_more_into_the_same_archive_and_ledger() {
    let sample = sample().await;
    for compression in ALL {
        let (bytes, ledger) = whole(&sample, compression).await;
        for bad in [1, 3] {
            let directory = tempfile::tempdir().unwrap();
            let (path, lines) = (directory.path().join("archive"), directory.path().join("ledger"));
            let options = small_memory(compression, &lines);
            let source = Rough::new(&sample, bad, true);
            let (written, warned) =
                run(&sample, source, Destination::File(path.clone()), &options).await;
            written.unwrap_or_else(|error| panic!("{compression:?}: {}", chain(&error)));
            assert!(std::fs::read(&path).unwrap() == bytes, "{compression:?}, {bad} times");
            assert_eq!(Ledger::read(&lines).unwrap(), ledger, "{compression:?}");
            // Those that came in more than one segment. Others are mended before they are written.
            assert!(warned.len() as u64 >= 2 * bad, "{warned:?}");
            let named = |text: &String| text.contains("the low side") && text.contains("once more");
            assert!(warned.iter().all(named), "{warned:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_is_taken_back_to_a_block() {
    let sample = sample().await;
    let directory = tempfile::tempdir().unwrap();
    let block = 64 << 10;
    for compression in ALL {
        let settings = |ledger: &str| {
            let mut options = small_memory(compression, &directory.path().join(ledger));
            options.block = Some(block);
            options
        };
        let (uncut, tape) = (Tape::default(), Tape::default());
        let on = |tape: &Tape| Destination::Device(Box::new(FakeDrive::new(tape, block)));
        let options = settings(&format!("good {compression:?}"));
        run(&sample, sample.store.clone(), on(&uncut), &options).await.0.unwrap();
        let options = settings(&format!("rough {compression:?}"));
        run(&sample, Rough::new(&sample, 2, true), on(&tape), &options).await.0.unwrap();
        assert!(tape.bytes() == uncut.bytes(), "{compression:?}");
        assert_eq!(tape.block_sizes(), uncut.block_sizes());
        assert_eq!(tape.marks(), 1);
        assert!(tape.writes() > uncut.writes(), "some of it was on the tape already");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_where_it_is_kept_ends_the_run_which_is_gone_on_with_once_it_is_mended() {
    let sample = sample().await;
    let (bytes, ledger) = whole(&sample, Compression::None).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, lines) = (directory.path().join("archive"), directory.path().join("ledger"));
    let mut options = small_memory(Compression::None, &lines);
    let to = || Destination::File(path.clone());
    let (failed, warned) = run(&sample, Rough::new(&sample, u64::MAX, false), to(), &options).await;
    let text = chain(&failed.unwrap_err());
    assert!(text.contains("the low side") && text.contains("one.example.test/single:2"), "{text}");
    // Twice the same: a third time would be no other.
    assert_eq!(warned.len(), 1);
    assert!(!path.exists());
    let known = Ledger::read(&lines).unwrap().lines;
    assert!(ledger.lines.starts_with(&known) && known.len() < ledger.lines.len());
    options.resume = Resume::Auto;
    let (written, _) = run(&sample, sample.store.clone(), to(), &options).await;
    written.unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(Ledger::read(&lines).unwrap(), ledger);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pipe_nothing_can_be_taken_back() {
    let sample = sample().await;
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = {
        let pipe = pipe.clone();
        tokio::task::spawn_blocking(move || std::fs::read(pipe).unwrap())
    };
    let options = SerializeOptions { memory: 4 << 20, ..options(Compression::None) };
    let source = Rough::new(&sample, 1, true);
    let destination = Destination::Pipe(pipe);
    let written = serialize(source, sample.root.clone(), destination, &options, silent()).await;
    let text = chain(&written.unwrap_err());
    assert!(text.contains("expected sha256:") && text.contains("single:2"), "{text}");
    let (bytes, _) = whole(&sample, Compression::None).await;
    // It ends within the damaged blob, or with it; nothing follows.
    assert!(reader.await.unwrap().len() < bytes.len());
}
