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
    // It is the upload that is not there, and not the blob.
    assert!(!error.is_not_found() && error.to_string().contains("BLOB_UPLOAD_UNKNOWN"), "{error}");
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

#[tokio::test]
async fn an_upload_that_cannot_be_asked_for_begins_anew() {
    let refusals = [401, 403, 405, 500, 503].map(Fault::status);
    for fault in refusals.into_iter().chain([Fault::Break]) {
        let shown = format!("{fault:?}");
        let plan = FaultPlan::none().on(Kind::UploadStatus, When::Always, fault);
        let plan = plan.on(Kind::UploadPut, When::Nth(1), Fault::CutUpload(400_000));
        let registry = TestRegistry::start(plan).await;
        let blob = large();
        assert_eq!(ends(&open(&registry), &blob).await.unwrap(), Put::Written, "{shown}");
        assert!(holds(&registry, &blob), "{shown}");
        assert_eq!(blob.opened(), [0, 0], "{shown}");
        let counts = registry.counts();
        assert_eq!((counts.upload_post, counts.upload_put), (2, 2), "{shown}: {counts:?}");
        assert_eq!(counts.upload_cancel, 1, "nothing is left open: {shown}");
    }
}

#[tokio::test]
async fn a_body_that_is_refused_with_a_new_token_is_final() {
    let challenge = r#"Bearer realm="/token",service="test",scope="repository:a:pull,push""#;
    let refusal = Fault::status(401).header("WWW-Authenticate", challenge);
    for (kind, limit) in [(Kind::UploadPut, u64::MAX), (Kind::UploadPatch, 100)] {
        let plan = FaultPlan::none().auth(Auth::bearer("u", "p")).monolithic_limit(limit);
        let registry = TestRegistry::start(plan.on(kind, When::Always, refusal.clone())).await;
        let store = auth::as_user(&registry, "u", "p");
        let error = ends(&store, &large()).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        assert_eq!(registry.faults(), 2, "once with each of two tokens: {kind:?}");
        assert!(registry.exchanges().len() <= 3, "{:?}", registry.exchanges());
        let counts = registry.counts();
        assert_eq!(counts.upload_post - 1, counts.upload_cancel, "{counts:?}");
    }
}

#[tokio::test]
async fn what_goes_in_chunks_goes_on_in_chunks_after_a_wait() {
    let busy = Fault::status(429).header("Retry-After", "0.05");
    let plan = FaultPlan::none().monolithic_limit(100);
    let registry = TestRegistry::start(plan.on(Kind::UploadPatch, When::Every(2), busy)).await;
    let settings = Settings { chunk_size: 300_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(ends(&store, &large()).await.unwrap(), Put::Written);
    assert!(holds(&registry, &large()));
    let counts = registry.counts();
    // The first, which is refused, and that which ends the upload.
    assert_eq!((counts.upload_post, counts.upload_put), (1, 2), "{counts:?}");
}

#[tokio::test]
async fn a_body_that_is_sent_on_to_elsewhere_follows_a_few_times() {
    let elsewhere = |status| Fault::status(status).header("Location", "?again=1");
    for status in [307, 308] {
        let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), elsewhere(status));
        let registry = TestRegistry::start(plan).await;
        assert_eq!(ends(&open(&registry), &large()).await.unwrap(), Put::Written, "{status}");
        assert!(holds(&registry, &large()));
        let log = registry.log();
        let put = log.iter().rfind(|exchange| exchange.kind == Kind::UploadPut).unwrap();
        assert!(put.query.contains("again=1&digest="), "{}", put.query);
        assert_eq!(registry.counts().upload_post, 1, "{:?}", registry.counts());
    }
    for (status, bodies) in [(307, 5), (302, 1), (303, 1)] {
        let plan = FaultPlan::none().on(Kind::UploadPut, When::Always, elsewhere(status));
        let registry = TestRegistry::start(plan).await;
        let error = ends(&open(&registry), &large()).await.unwrap_err().to_string();
        assert!(error.contains("redirect") || error.contains(&status.to_string()), "{error}");
        assert_eq!(registry.faults(), bodies, "{status}");
    }
}
