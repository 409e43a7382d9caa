//! What the corpus of 60 images costs in requests, counted at the registries.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::Arc;

use airlift_oci::inventory::{Inventory, Labels};
use airlift_oci::mirror::clone::{CloneOptions, RoutedSource, clone, read_sources};
use airlift_oci::mirror::gather::{GatherOptions, gather};
use airlift_oci::mirror::scatter::{Destination, Routed, ScatterOptions, scatter};
use airlift_oci::mirror::{Executor, ExecutorOptions, SourceImage, Status};
use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Location, Reference, Tag};
use airlift_tests::corpus::Corpus;
use airlift_tests::{FaultPlan, TestRegistry};

const BLOBS: u64 = 629;
const IMAGES: u64 = 60;

/// A process that has learned nothing yet.
fn fresh() -> (Stores, Executor) {
    process(None)
}

/// A process that knows what earlier ones left in a directory.
fn process(hints: Option<&Path>) -> (Stores, Executor) {
    let settings = Settings { blob_hints: hints.map(Path::to_owned), ..Settings::default() };
    let client = Client::new(settings, silent()).unwrap();
    (Stores::new(client), Executor::new(ExecutorOptions::default(), silent()))
}

async fn open(stores: &Stores, references: &[Reference]) -> Vec<SourceImage> {
    let mut sources = Vec::new();
    for reference in references {
        let opened = stores.source(&Location::Registry(reference.clone())).await.unwrap();
        sources.push(SourceImage {
            text: reference.to_string(),
            labels: Labels::new(),
            store: opened.store,
            mount_from: opened.mount_from,
            version: opened.version,
        });
    }
    sources
}

async fn nested(
    stores: &Stores,
    registry: &TestRegistry,
    below: &str,
    source: &str,
) -> Destination {
    let to =
        registry.reference(&format!("{below}/{}", source.replace(':', "_").replace("_v", ":v")));
    let opened = stores.destination(&Location::Registry(to.clone())).await.unwrap();
    Destination { store: opened.store, tag: opened.tag, label: to.to_string() }
}

async fn run_gather(sources: &[Reference], near: &TestRegistry) {
    let (stores, executor) = fresh();
    let store =
        stores.destination(&Location::Registry(near.reference("gathered"))).await.unwrap().store;
    let tag: Tag = "sync".parse().unwrap();
    let sources = open(&stores, sources).await;
    let report = gather(&executor, sources, store, &tag, &GatherOptions::default()).await.unwrap();
    assert_eq!(report.count(Status::Failed), 0, "{report:?}");
}

async fn run_scatter(near: &TestRegistry, to: &TestRegistry) {
    let (stores, executor) = fresh();
    let from = stores.source(&Location::Registry(near.reference("gathered:sync"))).await.unwrap();
    let index = from.store.fetch(&from.version).await.unwrap();
    let mut routed = Vec::new();
    for item in Inventory::read(&index).unwrap().items {
        let destinations = vec![nested(&stores, to, "high", &item.source).await];
        routed.push(Routed { item, destinations });
    }
    let options = ScatterOptions::default();
    let report = scatter(&executor, from.store, from.mount_from, routed, &options).await;
    assert_eq!(report.count(Status::Failed), 0, "{report:?}");
}

async fn run_clone(sources: &[Reference], to: &TestRegistry) {
    clone_by(fresh(), sources, to, "high").await;
}

async fn clone_by(
    (stores, executor): (Stores, Executor),
    sources: &[Reference],
    to: &TestRegistry,
    below: &str,
) {
    let mut routed = Vec::new();
    for (source, read) in read_sources(&executor, open(&stores, sources).await, &[]).await {
        let destinations = vec![nested(&stores, to, below, &source.text).await];
        routed.push(RoutedSource { source, read: read.unwrap(), destinations });
    }
    let report = clone(&executor, routed, &CloneOptions::default()).await;
    assert_eq!(report.count(Status::Failed), 0, "{report:?}");
}

async fn registries() -> (TestRegistry, TestRegistry, Vec<Reference>) {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let near = TestRegistry::start(FaultPlan::none()).await;
    let sources = Corpus::tiny().fill(&low).await;
    low.reset_counts();
    (low, near, sources)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gather_and_scatter() {
    let (low, near, sources) = registries().await;
    run_gather(&sources, &near).await;
    assert_eq!(low.counts().blob_get, BLOBS);
    let all = low.counts().total() + near.counts().total();
    assert!(all < 2700, "{all}: {:?} {:?}", low.counts(), near.counts());

    low.reset_counts();
    near.reset_counts();
    run_gather(&sources, &near).await;
    assert!(low.counts().total() <= IMAGES, "{:?}", low.counts());
    assert!(near.counts().total() <= 3, "{:?}", near.counts());

    near.reset_counts();
    run_scatter(&near, &near).await;
    assert_eq!(near.counts().blob_get, 0);
    assert!(near.counts().total() <= 1300, "{}: {:?}", near.counts().total(), near.counts());

    near.reset_counts();
    run_scatter(&near, &near).await;
    assert!(near.counts().total() <= IMAGES + 1, "{:?}", near.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clone_twice() {
    let (low, near, sources) = registries().await;
    run_clone(&sources, &near).await;
    assert_eq!(low.counts().blob_get, BLOBS);
    let all = low.counts().total() + near.counts().total();
    assert!(all <= 2800, "{all}: {:?} {:?}", low.counts(), near.counts());

    low.reset_counts();
    near.reset_counts();
    run_clone(&sources, &near).await;
    assert!(low.counts().total() <= IMAGES, "{:?}", low.counts());
    assert!(near.counts().total() <= IMAGES, "{:?}", near.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scatter_to_another_registry() {
    let (low, near, sources) = registries().await;
    run_gather(&sources, &near).await;
    near.reset_counts();
    let far: Arc<TestRegistry> = Arc::new(TestRegistry::start(FaultPlan::none()).await);
    run_scatter(&near, &far).await;
    assert_eq!(near.counts().blob_get, BLOBS);
    assert_eq!(far.sent(), BLOBS);
    drop(low);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_left_is_mounted_and_not_sent_again() {
    let (low, near, sources) = registries().await;
    let hints = tempfile::tempdir().unwrap();
    clone_by(process(Some(hints.path())), &sources, &near, "high").await;
    low.reset_counts();
    near.reset_counts();
    clone_by(process(Some(hints.path())), &sources, &near, "other").await;
    let (read, written) = (low.counts(), near.counts());
    assert_eq!((read.blob_get, near.sent()), (0, 0), "{read:?} {written:?}");
    assert_eq!(written.blob_head, 0, "{written:?}");
    assert!(written.mount_ok >= BLOBS, "{written:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_hints_cost_requests_and_nothing_else() {
    let (low, near, sources) = registries().await;
    let hints = tempfile::tempdir().unwrap();
    clone_by(process(Some(hints.path())), &sources, &near, "high").await;
    let empty = TestRegistry::start(FaultPlan::none()).await;
    let file = |registry: &TestRegistry| hints.path().join(registry.host().replace(':', "_"));
    std::fs::copy(file(&near), file(&empty)).unwrap();
    low.reset_counts();
    clone_by(process(Some(hints.path())), &sources, &empty, "high").await;
    let counts = empty.counts();
    assert_eq!((low.counts().blob_get, empty.sent()), (BLOBS, BLOBS));
    // As without hints, and at most one request more for each blob.
    assert!(counts.total() <= 2800 + BLOBS, "{counts:?}");
}
