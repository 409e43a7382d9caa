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
    let store = open(registry);
    let small = (0..8).map(|seed| bytes(seed * 2 + 11, 10_000));
    let blobs: Vec<_> = small.chain([bytes(101, 1_000_000)]).map(Watched::new).collect();
    for blob in &blobs {
        assert_eq!(put(&*store, blob, &absent()).await, Put::Written);
        assert!(holds(registry, blob));
    }
    blobs
}

#[tokio::test]
async fn far_away_a_blob_costs_one_request_once_that_is_known_to_work() {
    let registry = TestRegistry::start(far()).await;
    fill(&registry).await;
    // Of the first that goes so it is made sure that it is there.
    let expected = Counts { upload_post: 9, upload_put: 4, blob_head: 1, ..Counts::default() };
    assert_eq!(registry.counts(), expected);
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
        let shown = format!("{fault:?}");
        let registry = TestRegistry::start(far().on(Kind::UploadPost, When::Nth(5), fault)).await;
        fill(&registry).await;
        // What was tried again at once has passed.
        let puts = registry.counts().upload_put;
        assert!(puts == 9 || puts == 4, "{shown}: {puts}");
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
