//! Hosts that ask for patience: it is theirs, and not that of each request, and ends for all at once.

use super::*;
use futures_util::future::join_all;
use std::time::Instant;

/// Longer than any of these takes that comes to an end.
const LONG: Duration = Duration::from_secs(60);

fn busy(wait: &str) -> Fault {
    Fault::status(429).header("Retry-After", wait)
}

/// Settings under which waits come to so much at most.
fn waiting(limit: Duration) -> Settings {
    Settings { retry_after_limit: limit, ..quick() }
}

fn limited(milliseconds: u64) -> Settings {
    waiting(Duration::from_millis(milliseconds))
}

async fn put_in_chunks(settings: Settings, busy: Fault) -> TestRegistry {
    let when = When::Every(2);
    let plan = FaultPlan::none().body_limit(70_000).on(Kind::UploadPatch, when, busy);
    let registry = TestRegistry::start(plan).await;
    let store = client_with(Settings { chunk_size: 66_000, ..settings });
    let store = store.repository(registry.name("a"));
    let (blob, hints) = (large(), absent());
    let put = tokio::time::timeout(LONG, store.put(&blob, &hints)).await.unwrap();
    assert_eq!(put.unwrap(), Put::Written);
    assert!(holds(&registry, &blob));
    registry
}

#[tokio::test]
async fn an_upload_that_gets_further_is_served_however_often_it_is_throttled() {
    // More often than a request that gets nowhere is tried, and longer than any wait may be.
    let registry = put_in_chunks(quick(), Fault::status(429)).await;
    assert!(registry.counts().upload_patch > 4 * 6, "{:?}", registry.counts());
    let registry = put_in_chunks(limited(500), busy("0.05")).await;
    assert!(registry.counts().upload_patch > 2 * 10, "{:?}", registry.counts());
}

#[tokio::test]
async fn waits_that_come_to_too_much_are_told_as_a_sum() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, busy("1"));
    let registry = with_blob(plan, &small()).await;
    let store = client_with(limited(2000)).repository(registry.name("a"));
    let text = read(&*store, &small()).await.unwrap_err().to_string();
    assert!(
        text.contains("another 1 s, which makes 3 s") && text.contains("limit of 2 s"),
        "{text}"
    );
    assert_eq!(registry.counts().blob_get, 3);
}

#[tokio::test]
async fn a_host_that_throttles_for_ever_costs_its_patience_once_and_not_for_each_request() {
    let registry = with_blob(FaultPlan::none().on_any(When::Always, busy("0.5")), &small()).await;
    let client = client_with(limited(2000));
    let blob = small();
    let begun = Instant::now();
    let reads = (0..40).map(|image| {
        let (store, blob) = (client.repository(registry.name(&format!("a{image}"))), &blob);
        async move { read(&*store, blob).await.unwrap_err() }
    });
    let errors = tokio::time::timeout(LONG, join_all(reads)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    for error in errors {
        let text = error.to_string();
        assert!(text.contains(&registry.host()) && text.contains("exceeds the limit"), "{text}");
    }
    assert!(registry.counts().limited < 60, "{:?}", registry.counts());
}

#[tokio::test]
async fn a_host_that_throttles_for_ever_without_saying_how_long_is_given_up_by_all_at_once() {
    let plan = FaultPlan::none().on_any(When::Always, Fault::status(429));
    let registry = with_blob(plan, &small()).await;
    let retries = Retries {
        throttled: 6,
        first_wait: Duration::from_millis(100),
        longest_wait: Duration::from_millis(200),
        ..quick().retries
    };
    let client = client_with(Settings { retries, ..quick() });
    let blob = small();
    let begun = Instant::now();
    let reads = (0..40).map(|image| {
        let (store, blob) = (client.repository(registry.name(&format!("a{image}"))), &blob);
        async move { read(&*store, blob).await.unwrap_err() }
    });
    for error in tokio::time::timeout(LONG, join_all(reads)).await.unwrap() {
        assert!(error.to_string().contains("429"), "{error}");
    }
    // One alone takes nearly as long.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_host_that_answers_well_in_between_is_served_to_the_end() {
    // Every third request; the waits come to several times what they may come to without progress.
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Every(3), busy("0.1"));
    let registry = with_blob(plan, &small()).await;
    let store = client_with(limited(500)).repository(registry.name("a"));
    for _ in 0..40 {
        read(&*store, &small()).await.unwrap();
    }
    assert_eq!(registry.counts().blob_get, 60 - 1);
}

#[tokio::test]
async fn a_wait_beyond_the_limit_is_remembered_for_what_it_was_asked_of() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, busy("100000"));
    let registry = with_blob(plan, &small()).await;
    let client = client();
    let blob = small();
    let reads = (0..50).map(|image| {
        let (store, blob) = (client.repository(registry.name(&format!("a{image}"))), &blob);
        async move { read(&*store, blob).await.unwrap_err().to_string() }
    });
    for text in join_all(reads).await {
        assert!(text.contains("100000 s") && text.contains(&registry.host()), "{text}");
    }
    assert_eq!(registry.counts().blob_get, 1);
    // As at Docker Hub, which counts some requests only.
    assert!(client.repository(registry.name("a")).tags().await.is_ok());
}
