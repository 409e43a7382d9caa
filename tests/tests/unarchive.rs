//! Unarchive of a medium that passes once: from the tape's reader straight to registries.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::inventory::Item;
use airlift_oci::mirror::delivery::{Delivery, Route};
use airlift_oci::mirror::scatter::{Destination, Routed};
use airlift_oci::mirror::{Report, Status};
use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::store::{MemoryStore, Source, Store, StoreError};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Digest, Location, Tag, Version};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination as Device;
use airlift_tape::{
    DeserializeOptions, Medium, ReadDevice, SerializeOptions, deserialize, serialize,
};
use airlift_tests::model::Model;
use airlift_tests::{Fault, FaultPlan, Kind, Sample, TestRegistry, When};
use async_trait::async_trait;

struct Pipe(Cursor<Vec<u8>>);

impl ReadDevice for Pipe {
    fn place(&self) -> String {
        "the pipe".to_owned()
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::io::Read::read(&mut self.0, buffer)
    }
}

/// `HOST/SOURCE` below each prefix, as `nest` does.
struct Nest {
    stores: Stores,
    prefixes: Vec<String>,
}

impl Nest {
    fn of(prefixes: &[String]) -> Arc<Self> {
        let stores = Stores::new(Client::new(Settings::default(), silent()).unwrap());
        Arc::new(Nest { stores, prefixes: prefixes.to_vec() })
    }
}

#[async_trait]
impl Route for Nest {
    async fn route(&self, items: Vec<Item>) -> Result<Vec<Routed>, StoreError> {
        let mut routed = Vec::new();
        for item in items {
            let mut destinations = Vec::new();
            for prefix in &self.prefixes {
                let (path, tag) = item.source.rsplit_once(':').unwrap();
                let label = format!("{prefix}/{}:{tag}", path.replace(':', "_"));
                let location: Location = label.parse().unwrap();
                let opened = self.stores.destination(&location).await?;
                destinations.push(Destination { store: opened.store, tag: opened.tag, label });
            }
            routed.push(Routed { item, destinations });
        }
        Ok(routed)
    }
}

async fn written(sample: &Sample, existing: &[Digest]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar");
    let existing = existing.iter().map(|digest| (digest.clone(), "sync-0".to_owned())).collect();
    let archive = ArchiveOptions { existing, ..ArchiveOptions::default() };
    let options = SerializeOptions { archive, referrers: true, ..SerializeOptions::default() };
    let root = sample.root.clone();
    let device = Device::File(path.clone());
    serialize(sample.store.clone(), root, device, &options, silent()).await.unwrap();
    std::fs::read(path).unwrap()
}

async fn unarchive(bytes: Vec<u8>, route: Arc<dyn Route>, referrers: bool) -> Report {
    let delivery = Arc::new(Delivery::new(route, referrers, None));
    let media = vec![Medium::Device(Box::new(Pipe(Cursor::new(bytes))))];
    // The least memory: a layer of a quarter of it is not held.
    let options = DeserializeOptions { memory: 4 << 20, ..DeserializeOptions::default() };
    let sink: Arc<dyn Store> = delivery.clone();
    deserialize(media, sink, &options, silent()).await.unwrap();
    delivery.finish().await
}

async fn model(store: &MemoryStore, tag: &str, referrers: bool) -> Model {
    let version = Version::Tag(tag.parse::<Tag>().unwrap());
    let read = if referrers {
        Model::walk_with_referrers(store, &version).await
    } else {
        Model::walk(store, &version).await
    };
    read.unwrap()
}

/// The images of the sample, where `nest` puts them, with their tags.
const IMAGES: [(&str, &str); 4] = [
    ("one.example.test/team/multi", "1"),
    ("one.example.test/single", "2"),
    ("two.example.test_5000/twin", "2"),
    ("two.example.test_5000/long", "3"),
];

/// Whether every image of the sample is under `prefix`, byte for byte.
async fn assert_whole(sample: &Sample, registry: &TestRegistry, prefix: &str, referrers: bool) {
    let items = airlift_oci::inventory::Inventory::read(&sample.root).unwrap().items;
    for (path, tag) in IMAGES {
        let source = format!("{}:{tag}", path.replace("_5000", ":5000"));
        let item = items.iter().find(|item| item.source == source).unwrap();
        let version = Version::Digest(item.descriptor.digest.clone());
        let store = sample.store.as_ref();
        let before = if referrers {
            Model::walk_with_referrers(store, &version).await
        } else {
            Model::walk(store, &version).await
        };
        let after = model(&registry.store(&format!("{prefix}/{path}")), tag, referrers).await;
        assert!(before.unwrap() == after, "{path} is another one at {prefix}");
    }
}

#[tokio::test]
async fn one_pass_fills_two_registries_and_stores_every_blob_once_in_each() {
    let sample = Sample::build(&[300_000, 3_000_000]).await;
    let bytes = written(&sample, &[]).await;
    let (one, two) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let prefixes = [format!("{}/a", one.host()), format!("{}/b", two.host())];
    let report = unarchive(bytes.clone(), Nest::of(&prefixes), true).await;
    assert_eq!(report.count(Status::Done), 4, "{report:?}");
    assert_whole(&sample, &one, "a", true).await;
    assert_whole(&sample, &two, "b", true).await;
    let all = sample_blobs(&sample).await;
    for registry in [&one, &two] {
        let counts = registry.counts();
        assert_eq!(registry.sent(), all, "{counts:?}");
        assert!(counts.mount_ok > 0, "{counts:?}");
    }
    assert_eq!(one.counts().blob_get + two.counts().blob_get, 1, "the layer that was not held");

    one.reset_counts();
    let again = unarchive(bytes, Nest::of(&prefixes), false).await;
    assert_eq!(again.count(Status::Unchanged), 4, "{again:?}");
    assert_eq!(one.counts().total(), one.counts().manifest_head, "one question an image");
}

/// All blobs, those of what refers to the images by a tag of cosign's among them.
async fn sample_blobs(sample: &Sample) -> u64 {
    let source: Arc<dyn Source> = sample.store.clone();
    let walking = WalkOptions { referrers: true, ..WalkOptions::default() };
    walk(&source, sample.root.clone(), &walking).await.unwrap().blobs().len() as u64
}

#[tokio::test]
async fn a_registry_that_fails_takes_nothing_from_the_other() {
    let sample = Sample::build(&[200_000]).await;
    let bytes = written(&sample, &[]).await;
    let denied = FaultPlan::none().on(Kind::UploadPost, When::Always, Fault::status(403));
    let bad = TestRegistry::start(denied).await;
    let good = TestRegistry::start(FaultPlan::none()).await;
    let prefixes = [format!("{}/a", bad.host()), format!("{}/b", good.host())];
    let report = unarchive(bytes, Nest::of(&prefixes), false).await;
    assert_eq!(report.count(Status::Failed), 4);
    assert_whole(&sample, &good, "b", false).await;
    let error = report.items[0].error.clone().unwrap();
    assert!(error.contains(&bad.host()) && error.contains("did not arrive"), "{error}");
    assert_eq!(bad.counts().manifest_put, 0, "nothing incomplete was put");
}

#[tokio::test]
async fn a_delta_needs_what_it_leaves_out_at_the_destination() {
    let sample = Sample::build(&[200_000]).await;
    let version = Version::Digest(sample.root.digest().clone());
    let all = Model::walk(sample.store.as_ref(), &version).await.unwrap();
    let largest = all.blobs.iter().max_by_key(|(_, size)| **size).unwrap().0.clone();
    let delta = written(&sample, std::slice::from_ref(&largest)).await;
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let prefixes = [format!("{}/a", registry.host())];
    let report = unarchive(delta.clone(), Nest::of(&prefixes), false).await;
    let failed: Vec<_> = report.failed().collect();
    assert!(!failed.is_empty() && failed.len() < 4, "{report:?}");
    for item in &failed {
        let error = item.error.as_deref().unwrap();
        assert!(error.contains(largest.as_str()) && error.contains("earlier archives"), "{error}");
    }
    let whole = written(&sample, &[]).await;
    unarchive(whole, Nest::of(&prefixes), false).await;
    let report = unarchive(delta, Nest::of(&prefixes), false).await;
    assert_eq!(report.count(Status::Unchanged), 4);
}

/// What the reference program wrote: depth first, a short index in front, a whole one behind.
#[tokio::test]
async fn archives_of_the_reference_program() {
    for (name, images) in [("01-plain", 8), ("02-odd-content", 10), ("03-recursive", 2)] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/ace-dt").join(name);
        let file = std::fs::File::open(data.join("archive.tar.zst")).unwrap();
        let bytes = zstd::decode_all(file).unwrap();
        let registry = TestRegistry::start(FaultPlan::none()).await;
        let report = unarchive(bytes, Arc::new(Flat(registry.host())), true).await;
        assert_eq!(report.items.len(), images, "{name}");
        assert_eq!(report.count(Status::Done), images, "{name}: {report:#?}");
    }
}

/// Each image in a repository of its own, whatever its name.
struct Flat(String);

#[async_trait]
impl Route for Flat {
    async fn route(&self, items: Vec<Item>) -> Result<Vec<Routed>, StoreError> {
        let stores = Stores::new(Client::new(Settings::default(), silent()).unwrap());
        let mut routed = Vec::new();
        for (number, item) in items.into_iter().enumerate() {
            let label = format!("{}/i{number}:1", self.0);
            let opened = stores.destination(&label.parse::<Location>().unwrap()).await?;
            let to = Destination { store: opened.store, tag: opened.tag, label };
            routed.push(Routed { item, destinations: vec![to] });
        }
        Ok(routed)
    }
}
