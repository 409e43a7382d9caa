//! One huge blob among small ones is no tail: it is begun first, comes over several connections,
//! and holds up none of the others.

#![allow(clippy::unwrap_used, reason = "a test")]

use airlift_oci::mirror::{Executor, ExecutorOptions, Root, Target, Transfer};
use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::store::{Content, Hints, InMemory, Presence, Sink};
use airlift_oci::types::{Descriptor, Digest, Manifest, media};
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

/// Enough to be worth several connections.
const HUGE: usize = 33 << 20;
const SMALL: usize = 24;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

async fn put(registry: &TestRegistry, bytes: Vec<u8>) -> Descriptor {
    let content = InMemory::new(LAYER, bytes.into());
    registry.store("a").put(&content, &Hints::default()).await.unwrap();
    content.descriptor().clone()
}

/// Bytes with a period that no part of a blob has.
fn huge() -> Vec<u8> {
    (0..HUGE).map(|at| (at % 251) as u8).collect()
}

/// An image whose huge layer is the last that it names.
async fn image(registry: &TestRegistry) -> Manifest {
    let mut layers = Vec::new();
    for number in 0..SMALL {
        layers.push(put(registry, vec![number as u8; 20_000 + number]).await);
    }
    layers.push(put(registry, huge()).await);
    let text = serde_json::json!({"schemaVersion": 2, "layers": layers}).to_string();
    let manifest = Manifest::parse(media::OCI_MANIFEST, text.into()).unwrap();
    registry.store("a").put_manifest(&manifest, None).await.unwrap();
    manifest
}

async fn carry(image: Manifest, low: &TestRegistry, high: &TestRegistry) {
    let client = Client::new(Settings::default(), silent()).unwrap();
    let transfer = Transfer {
        item: "a".to_owned(),
        from: client.repository(low.name("a")),
        mount_from: None,
        // Read by the run itself, as always: the first answer of a host says how to talk to it.
        root: Root::Known(Box::new(image.descriptor().bare())),
        to: vec![Target {
            store: client.repository(high.name("b")),
            tag: Some("1".parse().unwrap()),
            label: "b:1".to_owned(),
            presence: Presence::Absent,
            look: false,
        }],
        referrers: false,
    };
    let executor = Executor::new(ExecutorOptions::default(), silent());
    executor.transfer(&transfer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_blob_is_begun_first_and_comes_over_several_connections_beside_the_others() {
    let low = TestRegistry::start(FaultPlan::none().rate(10_000_000)).await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let image = image(&low).await;
    let huge = image.layers()[SMALL].digest.clone();
    carry(image, &low, &high).await;
    let log = low.log();
    let gets: Vec<_> = log.iter().filter(|seen| seen.kind == Kind::BlobGet).collect();
    let of_huge = |get: &&airlift_tests::Exchange| get.path.ends_with(huge.as_str());
    let parts: Vec<usize> = (0..gets.len()).filter(|at| of_huge(&gets[*at])).collect();
    assert_eq!(parts[0], 0, "the largest is begun first");
    assert!(parts.len() > 2, "{} parts", parts.len());
    let last_small = (0..gets.len()).rfind(|at| !of_huge(&gets[*at])).unwrap();
    assert!(last_small < *parts.last().unwrap(), "small ones wait for the end of the huge one");
    assert_eq!(gets.len() - parts.len(), SMALL, "each small one is asked for once");
    let sent = high.log().iter().filter(|seen| seen.kind == Kind::UploadPost).count();
    assert_eq!(sent, SMALL + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_blobs_arrive_while_a_huge_one_stands_still() {
    let huge = Digest::of(&huge());
    let hang = FaultPlan::none().on_path(Kind::BlobGet, huge.hex(), When::Always, Fault::Hang);
    let low = TestRegistry::start(hang).await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let image = image(&low).await;
    let small: Vec<Descriptor> = image.layers()[..SMALL].to_vec();
    let arrived = async {
        for blob in &small {
            while !high.store("b").has(blob).await.unwrap() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        () = arrived => {}
        () = carry(image, &low, &high) => panic!("the huge blob never comes"),
    }
    assert_eq!(high.counts().manifest_put, 0, "no manifest before its blobs");
}
