//! Registries that are down, slow, or out of their minds: the other goes on, and nothing that may
//! be there is said not to be.

use std::time::{Duration, Instant};

use airlift_oci::types::Digest;
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};
use reqwest::StatusCode;

use crate::raw::{Manner, Raw};
use crate::{Front, both, error, header, push, settings};

/// Bounds that a test can wait for.
const SHORT: &str =
    "timeouts: {connect: 1s, answer: 1s, stall: 1s}\nbreaker: {failures: 2, pause: 1h}";

/// The address of a registry that was killed.
async fn killed() -> String {
    TestRegistry::start(FaultPlan::none()).await.url()
}

/// With `bad` as one registry and a good one as the other, on either side: the good one's content
/// is served, and what it has not is an outage.
async fn hurts_nobody(bad: &str) {
    for bad_is_hot in [true, false] {
        let good = TestRegistry::start(FaultPlan::none()).await;
        let image = push(&good, "a", "1", 1).await;
        let good_url = good.url();
        let (hot, cold) = if bad_is_hot { (bad, &*good_url) } else { (&*good_url, bad) };
        let front = Front::start(&settings(hot, cold, SHORT)).await;
        let manifest = front.get("/v2/a/manifests/1").await;
        assert_eq!(manifest.status(), StatusCode::OK);
        assert_eq!(manifest.bytes().await.unwrap(), image.root().raw());
        let blob = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
        let location = format!("{good_url}{blob}");
        assert_eq!(header(&front.get(&blob).await, "location"), Some(location.as_str()));
        let tags = front.get("/v2/a/tags/list").await;
        let bad_name = if bad_is_hot { "hot: " } else { "cold: " };
        assert!(header(&tags, "warning").unwrap().contains(bad_name));
        assert_eq!(tags.json::<serde_json::Value>().await.unwrap()["tags"][0], "1");
        let none = format!("/v2/a/blobs/{}", Digest::of(b"none"));
        for path in ["/v2/a/manifests/2", "/v2/b/tags/list", &none] {
            let (status, code, message) = error(front.get(path).await).await;
            let outage = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];
            assert!(outage.contains(&status), "{path}: {status} {message}");
            assert_eq!(code, "UNAVAILABLE");
            assert!(message.contains(bad_name), "{message}");
            assert_ne!(front.head(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        // By now it is left alone: nobody waits for it any more.
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_hurts_nobody() {
    hurts_nobody(&killed().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_hurts_nobody() {
    hurts_nobody(&Raw::start(Manner::Frozen).await.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_hurts_nobody() {
    hurts_nobody(&Raw::start(Manner::Garbage).await.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_hurt_nobody() {
    hurts_nobody(&Raw::start(Manner::EndlessHeaders).await.url).await;
    hurts_nobody(&Raw::start(Manner::EndlessHeader).await.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_hurt_nobody() {
    let plan = FaultPlan::none().on_any(When::Always, Fault::status(500).body("<html>"));
    hurts_nobody(&TestRegistry::start(plan).await.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_manifest_is_none() {
    let plan = || FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::CutDownload(20));
    let (hot, cold, front) = both(plan(), FaultPlan::none(), SHORT).await;
    let image = push(&hot, "a", "1", 1).await;
    image.push(cold.store("a").as_ref(), Some("1")).await;
    let whole = front.get("/v2/a/manifests/1").await;
    assert_eq!(whole.bytes().await.unwrap(), image.root().raw());
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::StallDownload(20));
    let (hot, _cold, front) = both(plan, FaultPlan::none(), SHORT).await;
    push(&hot, "a", "1", 1).await;
    let (status, ..) = error(front.get("/v2/a/manifests/1").await).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn connections_that_a_registry_closes_between_two_requests_are_no_trouble() {
    let closing = Raw::start(Manner::Closing).await;
    let more = "breaker: {failures: 1, pause: 1h}";
    let front = Front::start(&settings(&closing.url, &killed().await, more)).await;
    for _ in 0..50 {
        let answer = front.get("/v2/a/manifests/1").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "{\"a\":1}");
    }
    assert_eq!(closing.connections(), 50, "each answered one question");
}

#[tokio::test]
async fn a_page_of_something_in_between_is_no_manifest() {
    let page = Raw::start(Manner::Page).await;
    let cold = TestRegistry::start(FaultPlan::none()).await;
    let image = push(&cold, "a", "1", 1).await;
    let front = Front::start(&settings(&page.url, &cold.url(), SHORT)).await;
    assert_eq!(front.get("/v2/a/manifests/1").await.bytes().await.unwrap(), image.root().raw());
    let (status, ..) = error(front.get("/v2/a/manifests/2").await).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(front.head("/v2/a/manifests/2").await.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_manifest_with_other_bytes_is_taken_from_the_other_registry() {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::FlipDownload(5));
    let (hot, cold, front) = both(plan, FaultPlan::none(), "").await;
    let image = push(&hot, "a", "1", 1).await;
    image.push(cold.store("a").as_ref(), Some("1")).await;
    let path = format!("/v2/a/manifests/{}", image.root().digest());
    assert_eq!(front.get(&path).await.bytes().await.unwrap(), image.root().raw());
}

#[tokio::test]
async fn a_registry_that_failed_is_left_alone_and_then_tried_by_one() {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::First(2), Fault::Break);
    let more = "breaker: {failures: 2, pause: 300ms}";
    let (hot, cold, front) = both(plan, FaultPlan::none(), more).await;
    let image = push(&hot, "a", "1", 1).await;
    image.push(cold.store("a").as_ref(), Some("1")).await;
    for _ in 0..10 {
        assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    }
    let up = "airlift_proxy_registry_up{registry=\"hot\"}";
    // The pause may be over already on a busy machine; then the registry answered again.
    let served = hot.log().iter().filter(|exchange| exchange.status.is_some()).count();
    assert!(hot.counts().manifest_get <= 2 + served as u64);
    let begun = Instant::now();
    while front.metric(up).await < 1.0 {
        assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
        assert!(begun.elapsed() < Duration::from_secs(20), "it recovers");
    }
    let before = cold.counts().manifest_get;
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    assert_eq!(cold.counts().manifest_get, before, "the hot registry is asked first again");
}

#[tokio::test]
async fn a_wish_to_be_left_alone_is_obeyed_and_passed_on() {
    let throttled = Fault::status(429).header("Retry-After", "77");
    let plan = FaultPlan::none().on_any(When::Always, throttled);
    let (hot, cold, front) = both(plan, FaultPlan::none(), "").await;
    let image = push(&cold, "a", "1", 1).await;
    assert_eq!(front.get("/v2/a/manifests/1").await.bytes().await.unwrap(), image.root().raw());
    for _ in 0..5 {
        let response = front.get("/v2/a/manifests/none").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
        assert!((60..=77).contains(&wait), "{wait}");
    }
    assert_eq!(hot.counts().total(), 1, "it asked to be left alone");
    let ready: serde_json::Value = front.get("/ready").await.json().await.unwrap();
    assert_eq!(ready["registries"]["hot"]["status"], "down");
    assert_eq!(ready["registries"]["cold"]["status"], "up");
}

#[tokio::test]
async fn a_refusal_is_neither_missing_nor_an_outage() {
    for status in [401, 403] {
        let plan = FaultPlan::none().on_any(When::Always, Fault::status(status));
        let (_hot, cold, front) = both(plan, FaultPlan::none(), "").await;
        push(&cold, "a", "1", 1).await;
        assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
        let response = front.get("/v2/a/manifests/2").await;
        assert_eq!(header(&response, "www-authenticate"), None, "the client's are not asked for");
        let (status, code, _) = error(response).await;
        assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "DENIED"));
    }
}

#[tokio::test]
async fn with_every_registry_down_the_proxy_says_so() {
    let (hot, cold) = (killed().await, killed().await);
    let front = Front::start(&settings(&hot, &cold, SHORT)).await;
    assert_eq!(front.get("/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(front.get("/health").await.status(), StatusCode::OK);
    let digest = Digest::of(b"x");
    for path in [
        "/v2/a/manifests/1".to_owned(),
        format!("/v2/a/blobs/{digest}"),
        "/v2/a/tags/list".to_owned(),
        format!("/v2/a/referrers/{digest}"),
    ] {
        let status = front.get(&path).await.status();
        assert!(status == StatusCode::BAD_GATEWAY || status == StatusCode::SERVICE_UNAVAILABLE);
    }
}
