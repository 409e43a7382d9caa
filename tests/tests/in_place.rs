//! Archives in plain files, whose large blobs are sent from where they stand: nothing that a pass over
//! a medium guarantees is lost by it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use airlift_oci::observe::{Event, Observer, silent};
use airlift_oci::registry::{Client, Retries, Settings};
use airlift_oci::store::{MemoryStore, Source, Store, chain};
use airlift_oci::types::{Descriptor, Digest, Version};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination;
use airlift_tape::{
    DeserializeError, DeserializeOptions, Medium, Received, SerializeOptions, deserialize,
    serialize,
};
use airlift_tests::{Fault, FaultPlan, Kind, Sample, TestRegistry, When, noise};

/// More than a quarter of the memory of [`small_memory`].
const LARGE: usize = 5_000_000;

fn small_memory() -> DeserializeOptions {
    let tag = Some("in".parse().unwrap());
    DeserializeOptions { tag, memory: 8 << 20, strict: true, ..DeserializeOptions::default() }
}

async fn written(directory: &Path) -> (Sample, PathBuf) {
    let sample = Sample::build(&[LARGE, 700_000]).await;
    let path = directory.join("archive.tar");
    let archive = ArchiveOptions { tag: "in".parse().ok(), ..ArchiveOptions::default() };
    let options = SerializeOptions { archive, ..SerializeOptions::default() };
    let destination = Destination::File(path.clone());
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, &options, silent()).await.unwrap();
    (sample, path)
}

async fn read(path: &Path, sink: Arc<dyn Store>) -> Result<Received, DeserializeError> {
    deserialize(vec![Medium::at(path)], sink, &small_memory(), silent()).await
}

fn large() -> Digest {
    Digest::of(&noise(10, LARGE))
}

fn place_of(archive: &[u8], content: &[u8]) -> usize {
    archive.windows(64).position(|window| *window == content[..64]).unwrap()
}

/// Reads into a registry that cuts uploads. Only the large layer is as long as where it cuts.
async fn into_cutting(medium: Medium) -> (TestRegistry, Result<Received, DeserializeError>) {
    let plan =
        FaultPlan::none().on(Kind::UploadPut, When::Always, Fault::CutUpload(LARGE as u64 / 2 + 9));
    let registry = TestRegistry::start(plan).await;
    let retries = Retries {
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(20),
        ..Retries::default()
    };
    let settings = Settings { retries, ..Settings::default() };
    let store = Client::new(settings, silent()).unwrap().repository(registry.name("a"));
    let received = deserialize(vec![medium], store, &small_memory(), silent()).await;
    (registry, received)
}

#[derive(Default)]
struct Moved(AtomicU64);

impl Observer for Moved {
    fn event(&self, event: &Event<'_>) {
        if let Event::Moved { bytes } = event {
            self.0.fetch_add(*bytes, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_is_gone_on_with_from_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = written(directory.path()).await;
    let bytes = std::fs::read(&path).unwrap();
    let error = into_cutting(airlift_tests::in_hand(&bytes)).await.1.unwrap_err();
    assert!(chain(&error).contains("only once"), "the cut is midway in a large blob: {error}");
    let (registry, received) = into_cutting(Medium::at(&path)).await;
    let received = received.unwrap();
    let landed = registry.store("a");
    let version = Version::Tag("in".parse().unwrap());
    assert_eq!(*landed.fetch(&version).await.unwrap().digest(), received.root);
    let layer = Descriptor::new("m", large(), LARGE as u64);
    let bytes = landed.open(&layer, 0).await.unwrap().read_all().await.unwrap();
    assert!(bytes == noise(10, LARGE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_lands_as_what_passes_lands_and_every_byte_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (sample, path) = written(directory.path()).await;
    let bytes = std::fs::read(&path).unwrap();
    let sink = Arc::new(MemoryStore::new());
    let passing = Arc::new(MemoryStore::new());
    let medium = vec![airlift_tests::in_hand(&bytes)];
    let passed = deserialize(medium, passing, &small_memory(), silent()).await.unwrap();
    let mut moved = Vec::new();
    for again in [false, true] {
        let watch = Arc::new(Moved::default());
        let media = vec![Medium::at(&path)];
        let received = deserialize(media, sink.clone(), &small_memory(), watch.clone()).await;
        let received = received.unwrap();
        assert_eq!(received.root, *sample.root.digest());
        assert_eq!(received.bytes, passed.bytes);
        assert_eq!(received.blobs.moved, if again { 0 } else { passed.blobs.moved });
        moved.push(watch.0.load(Ordering::Relaxed));
    }
    assert_eq!(moved[0], moved[1], "what the store has is read all the same");
    assert!(moved[0] > LARGE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_that_is_damaged_is_named_whether_the_store_wants_it_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = written(directory.path()).await;
    let full = Arc::new(MemoryStore::new());
    read(&path, full.clone()).await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = place_of(&bytes, &noise(10, LARGE));
    bytes[start + LARGE / 2] ^= 1;
    let damaged = directory.path().join("damaged.tar");
    std::fs::write(&damaged, &bytes).unwrap();
    for sink in [full, Arc::new(MemoryStore::new())] {
        let before = sink.tags().await.unwrap();
        match read(&damaged, sink.clone()).await.unwrap_err() {
            DeserializeError::Damaged { at, found } => {
                assert_eq!(at.offset, start as u64 - 512);
                assert!(at.entry.ends_with(large().hex()), "{at}");
                assert_ne!(found, large());
            }
            other => panic!("{other}"),
        }
        assert_eq!(sink.tags().await.unwrap(), before, "nothing is tagged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_too_early_goes_on_with_the_next_medium_or_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = written(directory.path()).await;
    let bytes = std::fs::read(&path).unwrap();
    let start = place_of(&bytes, &noise(10, LARGE));
    let short = directory.path().join("short.tar");
    for end in [start, start + 1, start + LARGE - 1, start + LARGE, start + LARGE + 1] {
        std::fs::write(&short, &bytes[..end]).unwrap();
        let error = read(&short, Arc::new(MemoryStore::new())).await.unwrap_err();
        assert!(matches!(&error, DeserializeError::Read(error) if error.is_truncated()), "{error}");
        let sink = Arc::new(MemoryStore::new());
        let media = vec![Medium::at(&short), Medium::at(&path)];
        deserialize(media, sink.clone(), &small_memory(), silent()).await.unwrap();
        assert_eq!(sink.tags().await.unwrap().len(), 1);
    }
}
