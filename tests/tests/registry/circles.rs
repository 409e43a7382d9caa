//! Uploads that could go round in circles: what gets nowhere is given up, and what is asked to wait
//! waits.

use super::*;
use airlift_tests::{Quirk, Raw};

/// Longer than any of these takes that comes to an end.
const LONG: Duration = Duration::from_secs(30);

/// What becomes of a blob. It is a failure of the test when nothing does.
async fn ends(store: &RegistryStore, blob: &Watched) -> Result<Put, StoreError> {
    let hints = absent();
    let put = tokio::time::timeout(LONG, store.put(blob, &hints));
    put.await.unwrap()
}

#[tokio::test]
async fn an_upload_that_is_lost_at_every_end_is_given_up() {
    let unknown = Fault::status(404).body(r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#);
    let plan = FaultPlan::none().monolithic_limit(100).on(Kind::UploadPut, When::After(1), unknown);
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 300_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    let error = ends(&store, &large()).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(registry.counts().upload_post <= 8, "{:?}", registry.counts());
}

#[tokio::test]
async fn an_upload_that_gets_no_further_than_before_is_given_up() {
    // As behind a balancer: of two replicas each has another part of the upload.
    let asked = Mutex::new(0);
    let host = Raw::start(move |request| {
        let nothing = "Content-Length: 0\r\n\r\n";
        match request.split(' ').next().unwrap() {
            "POST" => Raw::kept(&format!("HTTP/1.1 202 Yes\r\nLocation: /u/1\r\n{nothing}")),
            "GET" => {
                let mut asked = asked.lock().unwrap();
                *asked += 1;
                let last = if *asked % 2 == 0 { 49_999 } else { 99_999 };
                Raw::kept(&format!("HTTP/1.1 204 So far\r\nRange: 0-{last}\r\n{nothing}"))
            }
            "DELETE" => Raw::kept(&format!("HTTP/1.1 204 Gone\r\n{nothing}")),
            _ => Raw::once(""),
        }
    })
    .await;
    let store = client().repository(host.name("a"));
    ends(&store, &large()).await.unwrap_err();
    assert!(host.requests().len() < 100, "{}", host.requests().len());
}

#[tokio::test]
async fn a_body_that_is_asked_to_wait_waits_as_often_as_it_is_asked() {
    // More often than what breaks is tried again.
    let busy = Fault::status(429).header("Retry-After", "0.05");
    let plan = FaultPlan::none().on(Kind::UploadPut, When::First(7), busy);
    let registry = TestRegistry::start(plan).await;
    assert_eq!(ends(&open(&registry), &large()).await.unwrap(), Put::Written);
    assert!(holds(&registry, &large()));
    assert_eq!(registry.counts().upload_patch, 0, "a wait says nothing of how large bodies may be");
}

#[tokio::test]
async fn a_body_that_is_asked_to_wait_beyond_the_limit_is_an_error_at_once() {
    for status in [429, 503] {
        let busy = Fault::status(status).header("Retry-After", "7200");
        let plan = FaultPlan::none().on(Kind::UploadPut, When::Always, busy);
        let registry = TestRegistry::start(plan).await;
        let error = ends(&open(&registry), &large()).await.unwrap_err().to_string();
        assert!(error.contains("7200") && error.contains("limit of 3600"), "{error}");
    }
}

#[tokio::test]
async fn a_chunk_that_is_taken_in_part_is_gone_on_with_from_there() {
    let plan = FaultPlan::none().monolithic_limit(100).with(Quirk::ChunkTakenInPart(150_000));
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 200_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(ends(&store, &large()).await.unwrap(), Put::Written);
    assert!(holds(&registry, &large()));
    let counts = registry.counts();
    assert_eq!(counts.upload_patch, large().descriptor().size.div_ceil(150_000), "{counts:?}");
    assert_eq!(counts.upload_post, 1, "none is begun anew: {counts:?}");
}
