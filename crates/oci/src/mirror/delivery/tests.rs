//! Tests of `delivery`.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::graph::{WalkOptions, walk};
use crate::inventory::{Labels, Sizes};
use crate::mirror::report::Status;
use crate::mirror::scatter::Destination;
use crate::store::{InMemory, MemoryStore};
use crate::types::{Annotations, Reference, media};

/// Content that can be opened once, as a large blob on a tape.
struct Passing(InMemory, AtomicUsize);

#[async_trait]
impl Content for Passing {
    fn descriptor(&self) -> &Descriptor {
        self.0.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
            let kind = ErrorKind::Spent(self.descriptor().digest.clone());
            return Err(StoreError::new("tape", kind));
        }
        self.0.open(offset).await
    }
}

/// Where the images of the test go: by source.
struct Table(Vec<(&'static str, Vec<Stop>)>);

type Stop = (Arc<MemoryStore>, &'static str);

#[async_trait]
impl Route for Table {
    async fn route(&self, items: Vec<Item>) -> Result<Vec<Routed>, StoreError> {
        let routed = items.into_iter().map(|item| {
            let rule = self.0.iter().find(|(source, _)| *source == item.source);
            let to = rule.into_iter().flat_map(|(_, to)| to).map(|(store, tag)| Destination {
                store: store.clone(),
                tag: Some(tag.parse().unwrap()),
                label: format!("{}:{tag}", store.place()),
            });
            Routed { destinations: to.collect(), item }
        });
        Ok(routed.collect())
    }
}

async fn image(store: &MemoryStore, layers: &[&str], subject: Option<&Manifest>) -> Manifest {
    let mut list = Vec::new();
    for layer in layers {
        let content = InMemory::new("layer", Bytes::copy_from_slice(layer.as_bytes()));
        store.put(&content, &Hints::default()).await.unwrap();
        list.push(content.descriptor().clone());
    }
    let mut value = json!({"schemaVersion": 2, "layers": list});
    if let Some(subject) = subject {
        value["subject"] = serde_json::to_value(subject.descriptor().bare()).unwrap();
    }
    let manifest = Manifest::parse(media::OCI_MANIFEST, value.to_string().into()).unwrap();
    store.put_manifest(&manifest, None).await.unwrap();
    manifest
}

/// A gathered repository of two images that share a layer, the first with a signature.
async fn gathered() -> (Arc<MemoryStore>, Manifest) {
    let store = MemoryStore::new();
    let one = image(&store, &["base", "one"], None).await;
    let two = image(&store, &["base", "two"], None).await;
    image(&store, &["signature"], Some(&one)).await;
    let item = |m: &Manifest, s| Item::new(&m.descriptor().bare(), s, Labels::new(), None);
    let items = vec![item(&one, "a.io/one:1"), item(&two, "a.io/two:1")];
    let sizes = Sizes::default();
    let index = Inventory::write(items, sizes, "v", &Annotations::new(), false).unwrap();
    store.put_manifest(&index, None).await.unwrap();
    (Arc::new(store), index)
}

/// What a reader of an archive does with its sink.
struct Tape {
    manifests: Vec<Manifest>,
    groups: Vec<Vec<Manifest>>,
    blobs: Vec<InMemory>,
}

impl Tape {
    async fn of(store: Arc<MemoryStore>, root: Manifest) -> Self {
        let options = WalkOptions { referrers: true, ..WalkOptions::default() };
        let source: Arc<dyn Source> = store.clone();
        let graph = walk(&source, root, &options).await.unwrap();
        let mut blobs = Vec::new();
        for blob in graph.blobs() {
            let bytes = store.open(blob, 0).await.unwrap().read_all().await.unwrap();
            blobs.push(InMemory::with_descriptor(blob.clone(), bytes));
        }
        let groups = graph.children_first();
        Tape {
            manifests: graph.manifests().to_vec(),
            groups: groups.into_iter().map(|g| g.into_iter().cloned().collect()).collect(),
            blobs,
        }
    }

    async fn announce(&self, delivery: &Delivery) -> Result<(), StoreError> {
        for (index, manifest) in self.manifests.iter().enumerate() {
            delivery.announce(manifest, index == 0, &[Tag::latest()]).await?;
        }
        Ok(())
    }

    async fn pass(&self, delivery: &Delivery) {
        for blob in &self.blobs {
            let bytes = blob.open(0).await.unwrap().read_all().await.unwrap();
            let blob = InMemory::with_descriptor(blob.descriptor().clone(), bytes);
            delivery.put(&Passing(blob, AtomicUsize::new(0)), &Hints::default()).await.unwrap();
        }
    }

    async fn complete(&self, delivery: &Delivery) {
        for manifest in self.groups.iter().flatten() {
            delivery.put_manifest(manifest, None).await.unwrap();
        }
    }
}

async fn unarchive(table: Table, referrers: bool) -> Report {
    let (store, root) = gathered().await;
    let delivery = Delivery::new(Arc::new(table), referrers, None);
    let tape = Tape::of(store, root).await;
    tape.announce(&delivery).await.unwrap();
    tape.pass(&delivery).await;
    tape.complete(&delivery).await;
    delivery.finish().await
}

fn repository(name: &str) -> Arc<MemoryStore> {
    let name: Reference = name.parse().unwrap();
    Arc::new(MemoryStore::named(name.name))
}

async fn content_of(store: &Arc<MemoryStore>, tag: &str) -> Vec<Digest> {
    let source: Arc<dyn Source> = store.clone();
    let root = source.fetch(&Version::Tag(tag.parse().unwrap())).await.unwrap();
    let graph = walk(&source, root, &WalkOptions::default()).await.unwrap();
    for blob in graph.blobs() {
        source.open(blob, 0).await.unwrap().read_all().await.unwrap();
    }
    graph.blobs().iter().map(|blob| blob.digest.clone()).collect()
}

fn digests(texts: &[&str]) -> Vec<Digest> {
    texts.iter().map(|text| Digest::of(text.as_bytes())).collect()
}

#[tokio::test]
async fn each_image_goes_where_it_belongs_and_nothing_else_does() {
    let (a, b) = (repository("a.example/x"), repository("b.example/y"));
    let table = Table(vec![
        ("a.io/one:1", vec![(a.clone(), "1"), (b.clone(), "one"), (b.clone(), "uno")]),
        ("a.io/two:1", vec![(b.clone(), "two")]),
    ]);
    let report = unarchive(table, false).await;
    assert_eq!(report.count(Status::Done), 2, "{report:?}");
    assert_eq!(content_of(&a, "1").await, digests(&["base", "one"]));
    for (tag, texts) in
        [("one", ["base", "one"]), ("uno", ["base", "one"]), ("two", ["base", "two"])]
    {
        assert_eq!(content_of(&b, tag).await, digests(&texts), "{tag}");
    }
    assert_eq!(a.digests().len(), 3, "one manifest, two blobs");
    assert_eq!(b.digests().len(), 5, "two manifests, three blobs");
    assert_eq!(report.totals().moved, 8);
}

#[tokio::test]
async fn a_signature_goes_with_its_image() {
    let a = repository("a.example/x");
    let table = || Table(vec![("a.io/one:1", vec![(a.clone(), "1")])]);
    let report = unarchive(table(), true).await;
    assert_eq!(report.items[1].status, Status::Unmatched);
    let root = a.resolve(&Version::Tag("1".parse().unwrap())).await.unwrap();
    let referrers = a.referrers(&root.digest).await.unwrap();
    assert_eq!(referrers.len(), 1);
    assert!(a.blob_size(&Digest::of(b"signature")).is_some());
    let again = unarchive(table(), false).await;
    assert_eq!(again.items[0].status, Status::Unchanged);
}

#[tokio::test]
async fn a_blob_that_does_not_come_fails_its_image_alone() {
    let (a, b) = (repository("a.example/x"), repository("b.example/y"));
    let table = Table(vec![
        ("a.io/one:1", vec![(a.clone(), "1"), (b.clone(), "1")]),
        ("a.io/two:1", vec![(a.clone(), "2")]),
    ]);
    let (store, root) = gathered().await;
    let delivery = Delivery::new(Arc::new(table), false, None);
    let mut tape = Tape::of(store, root).await;
    tape.announce(&delivery).await.unwrap();
    tape.blobs.retain(|blob| blob.descriptor().digest != Digest::of(b"one"));
    // One of the destinations has what the archive leaves out.
    let one = InMemory::new("layer", Bytes::from_static(b"one"));
    b.put(&one, &Hints::default()).await.unwrap();
    tape.pass(&delivery).await;
    tape.complete(&delivery).await;
    let report = delivery.finish().await;
    let error = report.items[0].error.as_deref().unwrap();
    assert!(error.starts_with("a.example/x:1: sha256:"), "{error}");
    assert!(error.contains(Digest::of(b"one").as_str()), "{error}");
    assert_eq!(report.items[1].status, Status::Done);
    assert_eq!(a.tags().await.unwrap(), ["2".parse().unwrap()], "no tag of something incomplete");
    assert_eq!(content_of(&b, "1").await, digests(&["base", "one"]));
}

/// Archives of other programs: content in front of the manifests that name it.
#[tokio::test]
async fn small_content_may_come_before_anything_names_it() {
    let a = repository("a.example/x");
    let table = Table(vec![("a.io/one:1", vec![(a.clone(), "1")])]);
    let (store, root) = gathered().await;
    let delivery = Delivery::new(Arc::new(table), false, None);
    let tape = Tape::of(store, root).await;
    tape.pass(&delivery).await;
    tape.announce(&delivery).await.unwrap();
    tape.complete(&delivery).await;
    assert_eq!(delivery.finish().await.items[0].status, Status::Done);
    assert_eq!(content_of(&a, "1").await, digests(&["base", "one"]));
}

#[tokio::test]
async fn large_content_that_came_too_early_is_told_with_what_to_do() {
    let a = repository("a.example/x");
    let large = "x".repeat(usize::try_from(HELD).unwrap() + 1);
    let store = MemoryStore::new();
    let one = image(&store, &[&large], None).await;
    let item = Item::new(&one.descriptor().bare(), "a.io/one:1", Labels::new(), None);
    let root =
        Inventory::write(vec![item], Sizes::default(), "v", &Annotations::new(), false).unwrap();
    let table = Table(vec![("a.io/one:1", vec![(a.clone(), "1")])]);
    let delivery = Delivery::new(Arc::new(table), false, None);
    let tape = Tape::of(Arc::new(store), root).await;
    tape.pass(&delivery).await;
    tape.announce(&delivery).await.unwrap();
    tape.complete(&delivery).await;
    let report = delivery.finish().await;
    let error = report.items[0].error.as_deref().unwrap();
    assert!(error.contains("give the archive as a file"), "{error}");
    assert!(a.tags().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_gathered_artifact_or_another_tag_is_refused_before_anything_moves() {
    let (store, root) = gathered().await;
    let tape = Tape::of(store, root).await;
    let other = Delivery::new(Arc::new(Table(Vec::new())), false, Some("v2".parse().unwrap()));
    let error = tape.announce(&other).await.unwrap_err().to_string();
    assert!(error.contains("has not the tag v2"), "{error}");
    let delivery = Delivery::new(Arc::new(Table(Vec::new())), false, None);
    let error = delivery.announce(&tape.manifests[1], true, &[]).await.unwrap_err();
    assert!(chain(&error).contains("no gathered index"), "{error}");
    assert_eq!(
        cosign_subject(&format!("sha256-{}.sig", Digest::of(b"x").hex()).parse().unwrap()),
        Some(Digest::of(b"x"))
    );
    let plain: Tag = "v1.sig".parse().unwrap();
    assert_eq!(cosign_subject(&plain), None);
}
