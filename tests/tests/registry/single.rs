//! Blobs in one request, where every answer is long on its way.

use super::*;
use airlift_tests::{Counts, Quirk};

/// A registry so far away that a request saved is worth something.
fn far() -> FaultPlan {
    FaultPlan::none().delayed(Duration::from_millis(30))
}

/// Puts eight small blobs and one that is larger, one after the other. The first four show how far
/// away the registry is.
async fn fill(registry: &TestRegistry) -> Vec<Watched> {
    fill_with(registry, 10_000).await
}

/// The same with eight blobs of `size` bytes.
async fn fill_with(registry: &TestRegistry, size: usize) -> Vec<Watched> {
    let store = open(registry);
    let first = (0..8).map(|seed| bytes(seed * 2 + 11, size));
    let blobs: Vec<_> = first.chain([bytes(101, 1_000_000)]).map(Watched::new).collect();
    for blob in &blobs {
        assert_eq!(put(&*store, blob, &absent()).await, Put::Written);
        assert!(holds(registry, blob));
    }
    blobs
}

/// A blob that is sent as it is read, and that may show how the registry takes it.
const STREAMED: usize = 600_000;

#[tokio::test]
async fn far_away_a_blob_costs_one_request_once_that_is_known_to_work() {
    // How far it is shows by answers to what has no body that is streamed.
    for (size, upload_put) in [(10_000, 4), (STREAMED, 8)] {
        let registry = TestRegistry::start(far()).await;
        fill_with(&registry, size).await;
        // Of the first that goes so it is made sure that it is there.
        let expected = Counts { upload_post: 9, upload_put, blob_head: 1, ..Counts::default() };
        assert_eq!(registry.counts(), expected, "{size}");
    }
}

#[tokio::test]
async fn what_waits_for_its_turn_learns_from_those_before_it() {
    let registry = TestRegistry::start(far()).await;
    let client = client_with(Settings { max_connections_per_host: 10, ..quick() });
    let store = client.repository(registry.name("a"));
    let blobs: Vec<_> = (0..100).map(|seed| Watched::new(bytes(seed * 2 + 11, STREAMED))).collect();
    let hints = absent();
    let puts = blobs.iter().map(|blob| put(&*store, blob, &hints));
    let puts: Vec<Put> = futures_util::future::join_all(puts).await;
    assert!(puts.iter().all(|put| *put == Put::Written));
    assert!(blobs.iter().all(|blob| holds(&registry, blob)));
    let counts = registry.counts();
    // All came at once; no more than could be under way while it was found out took two requests.
    assert_eq!((counts.upload_post, counts.blob_head), (100, 1), "{counts:?}");
    assert!(counts.upload_put < 50, "{counts:?}");
}

#[tokio::test]
async fn a_streamed_blob_that_is_not_taken_is_sent_into_an_upload() {
    let plan = far().with(Quirk::SinglePostIgnored);
    let registry = TestRegistry::start(plan).await;
    let blobs = fill_with(&registry, STREAMED).await;
    let expected = Counts { upload_post: 9, upload_put: 9, ..Counts::default() };
    assert_eq!(registry.counts(), expected);
    let again = blobs.iter().filter(|blob| blob.opened().len() > 1).count();
    assert_eq!(again, 1, "one was sent in vain");
}

#[tokio::test]
async fn near_by_it_is_not_tried() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    fill(&registry).await;
    let expected = Counts { upload_post: 9, upload_put: 9, ..Counts::default() };
    assert_eq!(registry.counts(), expected);
}

#[tokio::test]
async fn where_an_upload_is_opened_instead_it_is_used_and_that_is_remembered() {
    let registry = TestRegistry::start(far().with(Quirk::SinglePostIgnored)).await;
    fill(&registry).await;
    let expected = Counts { upload_post: 9, upload_put: 9, ..Counts::default() };
    assert_eq!(registry.counts(), expected);
}

#[tokio::test]
async fn whatever_else_comes_of_it_is_no_failure_of_the_blob() {
    let faults = [
        Fault::status(400),
        Fault::status(405),
        Fault::status(411),
        Fault::status(413),
        Fault::status(500),
        Fault::Break,
        Fault::CutUpload(100),
        Fault::status(201).header("docker-content-digest", Digest::of(b"x").as_str()),
        // It says that the blob is there.
        Fault::status(201),
    ];
    for fault in faults {
        for (size, nth) in [(10_000, 5), (STREAMED, 9)] {
            let shown = format!("{fault:?}, {size}");
            let plan = far().on(Kind::UploadPost, When::Nth(nth), fault.clone());
            let registry = TestRegistry::start(plan).await;
            fill_with(&registry, size).await;
            // What was tried again at once has passed.
            let puts = registry.counts().upload_put;
            assert!(puts == 9 || puts == nth - 1, "{shown}: {puts}");
        }
    }
}

#[tokio::test]
async fn a_blob_that_breaks_on_its_way_goes_on_as_an_upload() {
    for fault in [Fault::CutUpload(400_000), Fault::LoseAnswer, Fault::status(503)] {
        let registry = TestRegistry::start(far().on(Kind::UploadPost, When::Nth(9), fault)).await;
        let blobs = fill(&registry).await;
        let counts = registry.counts();
        assert_eq!((counts.upload_post, counts.upload_put), (10, 5), "{counts:?}");
        assert_eq!(blobs.last().unwrap().opened(), [0, 0]);
    }
}
