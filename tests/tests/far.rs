//! Archives of what is far away: the memory of the buffer before the device serves twice, and
//! neither side waits for the other for ever.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use airlift_oci::observe::silent;
use airlift_oci::store::{Blob, Line, MemoryStore, Source, StoreError};
use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, Version};
use airlift_tape::device::Destination;
use airlift_tape::{Compression, SerializeOptions, serialize};
use airlift_tests::{FakeDrive, Sample, Tape};
use async_trait::async_trait;

/// A store that says it is at the end of a long line.
struct Far(Arc<MemoryStore>, Line);

#[async_trait]
impl Source for Far {
    fn place(&self) -> String {
        self.0.place()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.0.resolve(version).await
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.0.fetch(version).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        self.0.open(descriptor, offset).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.0.referrers(subject).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.0.tags().await
    }

    fn line(&self) -> Line {
        self.1
    }
}

const BLOCK: u64 = 64 << 10;

async fn archive(source: Arc<dyn Source>, root: &Manifest, options: &SerializeOptions) -> Vec<u8> {
    let tape = Tape::default();
    let mut drive = FakeDrive::new(&tape, BLOCK);
    drive.pace = Duration::from_micros(200);
    let destination = Destination::Device(Box::new(drive));
    let run = serialize(source, root.clone(), destination, options, silent());
    let run = tokio::time::timeout(Duration::from_secs(120), run).await;
    run.unwrap_or_else(|_| panic!("stands still: {options:?}")).unwrap();
    tape.bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_that_lends_its_memory_still_fills_to_its_mark() {
    let sample = Sample::build(&[3 << 20, 700_000, 5 << 20, 100_000, 2 << 20, 900]).await;
    let options = |memory, high_water, compression| SerializeOptions {
        block: Some(BLOCK),
        memory,
        high_water: Some(high_water),
        compression,
        ..SerializeOptions::default()
    };
    for compression in [Compression::None, Compression::Zstd(1)] {
        let near = options(64 << 20, 0, compression);
        let wanted = archive(sample.store.clone(), &sample.root, &near).await;
        for (memory, at_once) in [(2 * BLOCK, 1), (2 << 20, 10), (3 << 20, 48), (64 << 20, 3)] {
            let line = Line {
                at_once: Some(at_once),
                round_trip: Some(Duration::from_millis(40)),
                rate: Some(20e6),
            };
            for high_water in [0, 80, 100] {
                let far: Arc<dyn Source> = Arc::new(Far(sample.store.clone(), line));
                let options = options(memory, high_water, compression);
                let bytes = archive(far, &sample.root, &options).await;
                assert!(bytes == wanted, "{options:?}, {at_once} at once");
            }
        }
    }
}
