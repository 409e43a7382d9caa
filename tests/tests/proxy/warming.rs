//! Warming: what the cold registry answered is copied to the hot one, once, in the background.

use std::time::{Duration, Instant};

use airlift_oci::store::{Sink, Source};
use airlift_oci::types::Version;
use airlift_tests::image::{self, Flavour};
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};
use reqwest::StatusCode;

use crate::{Front, both, push};

const ON: &str = "warming: {enabled: true}";

/// Waits until so many images came to an end in this way.
async fn warmed(front: &Front, result: &str, count: f64) {
    let line = format!("airlift_proxy_warming_total{{result=\"{result}\"}}");
    let begun = Instant::now();
    while front.metric(&line).await < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "{result}");
        tokio::task::yield_now().await;
    }
}

async fn has(registry: &TestRegistry, repository: &str, image: &image::Graph) {
    let store = registry.store(repository);
    for manifest in image.manifests() {
        assert!(store.has(manifest.descriptor()).await.unwrap());
    }
    for blob in image.blobs() {
        assert!(store.has(blob.descriptor()).await.unwrap());
    }
}

#[tokio::test]
async fn what_the_cold_registry_answered_is_copied_whole_and_once() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), ON).await;
    let image = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    image.push(cold.store("team/app").as_ref(), Some("1")).await;
    let asked = (0..20).map(|_| front.get("/v2/team/app/manifests/1"));
    for response in futures_util::future::join_all(asked).await {
        assert_eq!(response.status(), StatusCode::OK);
    }
    warmed(&front, "done", 1.0).await;
    has(&hot, "team/app", &image).await;
    let tag = Version::Tag("1".parse().unwrap());
    let found = hot.store("team/app").resolve(&tag).await.unwrap();
    assert_eq!(&found.digest, image.root().digest());
    assert_eq!(hot.counts().manifest_put, 3, "each manifest once");
    let before = cold.counts().total();
    assert_eq!(front.get("/v2/team/app/manifests/1").await.status(), StatusCode::OK);
    assert_eq!(cold.counts().total(), before, "the hot registry answers now");
    let one = front.metric("airlift_proxy_warming_total{result=\"done\"}").await;
    assert!((one - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn nothing_is_copied_unless_asked_for_or_for_a_hot_registry_that_may_have_it() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    push(&cold, "a", "1", 1).await;
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    assert_eq!(hot.counts().upload_post, 0);
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::status(500));
    let (hot, cold, front) = both(plan, FaultPlan::none(), ON).await;
    push(&cold, "a", "1", 1).await;
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    assert_eq!(front.head("/v2/a/manifests/1").await.status(), StatusCode::OK);
    assert_eq!(hot.counts().upload_post, 0, "perhaps it has it");
}

#[tokio::test]
async fn an_image_that_cannot_be_copied_is_served_all_the_same_and_left_alone() {
    let plan = FaultPlan::none().on(Kind::UploadPost, When::Always, Fault::status(403));
    let (hot, cold, front) = both(plan, FaultPlan::none(), ON).await;
    push(&cold, "a", "1", 1).await;
    for _ in 0..3 {
        assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
        warmed(&front, "failed", 1.0).await;
    }
    assert_eq!(hot.counts().manifest_put, 0);
    let failed = front.metric("airlift_proxy_warming_total{result=\"failed\"}").await;
    assert!((failed - 1.0).abs() < f64::EPSILON, "{failed}");
}

#[tokio::test]
async fn no_more_images_wait_than_may() {
    let plan = FaultPlan::none().on(Kind::UploadPost, When::Always, Fault::Hang);
    let more = "warming: {enabled: true, queue: 2, images: 1}";
    let (_hot, cold, front) = both(plan, FaultPlan::none(), more).await;
    for number in 0..8 {
        let repository = format!("a{number}");
        push(&cold, &repository, "1", number).await;
        let path = format!("/v2/{repository}/manifests/1");
        assert_eq!(front.get(&path).await.status(), StatusCode::OK);
    }
    // One at work, two waiting at most.
    warmed(&front, "dropped", 5.0).await;
    assert!(front.metric("airlift_proxy_warming_waiting").await <= 2.0);
}
