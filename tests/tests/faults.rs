//! The fault plan does what it says: whoever tests against it must be able to rely on that.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use airlift_oci::store::{InMemory, Sink};
use airlift_oci::types::{Digest, media};
use airlift_tests::{
    Auth, Bearer, DigestHeader, Fault, FaultPlan, Kind, TestRegistry, UploadLocation, When,
};
use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

const BLOB: &[u8] = b"0123456789";

/// A registry that has [`BLOB`] in the repository `a`.
async fn registry(plan: FaultPlan) -> TestRegistry {
    let registry = TestRegistry::start(plan).await;
    let content = InMemory::new(media::OCTET_STREAM, Bytes::from_static(BLOB));
    registry.store("a").put(&content, &airlift_oci::store::Hints::default()).await.unwrap();
    registry
}

fn request(registry: &TestRegistry, method: Method, path: &str) -> RequestBuilder {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        // One client for all would keep connections to runtimes that are gone.
        let builder = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
        builder.build().unwrap()
    });
    let base = if path.starts_with("http") { String::new() } else { registry.url() };
    CLIENT.request(method, format!("{base}{path}")).timeout(Duration::from_secs(5))
}

fn blob_path() -> String {
    format!("/v2/a/blobs/{}", Digest::of(BLOB))
}

async fn get_blob(registry: &TestRegistry) -> reqwest::Result<Response> {
    request(registry, Method::GET, &blob_path()).send().await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn open_upload(registry: &TestRegistry) -> Response {
    request(registry, Method::POST, "/v2/a/blobs/uploads/").send().await.unwrap()
}

#[tokio::test]
async fn answers_come_when_they_should_and_are_counted() {
    let fault = Fault::status(503).header("Retry-After", "7").body("later");
    let registry = registry(FaultPlan::none().on(Kind::BlobGet, When::First(2), fault)).await;
    for status in [503, 503, 200] {
        let answer = get_blob(&registry).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(header(&answer, "retry-after"), if status == 503 { "7" } else { "" });
    }
    let counts = registry.counts();
    assert_eq!((counts.blob_get, counts.failed, counts.total(), registry.faults()), (3, 2, 3, 2));
    registry.reset_counts();
    assert_eq!(registry.counts().total(), 0);
}

#[tokio::test]
async fn damaged_downloads() {
    let plan = FaultPlan::none()
        .on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(4))
        .on(Kind::BlobGet, When::Nth(2), Fault::FlipDownload(1))
        .on(Kind::BlobGet, When::Nth(3), Fault::Break)
        .on(Kind::BlobGet, When::Nth(4), Fault::StallDownload(3));
    let registry = registry(plan).await;
    let mut cut = get_blob(&registry).await.unwrap();
    assert_eq!(cut.chunk().await.unwrap().unwrap(), "0123");
    assert!(cut.chunk().await.is_err());
    assert_eq!(get_blob(&registry).await.unwrap().text().await.unwrap(), "0q23456789");
    assert!(get_blob(&registry).await.is_err());
    assert_eq!(registry.log()[2].status, None);
    let mut stalled = get_blob(&registry).await.unwrap();
    assert_eq!(stalled.chunk().await.unwrap().unwrap(), "012");
    let more = tokio::time::timeout(Duration::from_millis(50), stalled.chunk()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_cut_upload_can_go_on_where_it_broke() {
    let plan = FaultPlan::none().on(Kind::UploadPatch, When::Nth(1), Fault::CutUpload(4));
    let registry = registry(plan).await;
    let upload = header(&open_upload(&registry).await, "location").to_owned();
    let patch = || request(&registry, Method::PATCH, &upload);
    assert!(patch().body("abcdefgh").send().await.is_err());
    let status = request(&registry, Method::GET, &upload).send().await.unwrap();
    assert_eq!(header(&status, "range"), "0-3");
    let rest = patch().header("content-range", "4-7").body("efgh").send().await.unwrap();
    assert_eq!(header(&rest, "range"), "0-7");
    let end = format!("{upload}?digest={}", Digest::of(b"abcdefgh"));
    let end = request(&registry, Method::PUT, &end).send().await.unwrap();
    assert_eq!(end.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_lost_answer_was_carried_out() {
    let plan = FaultPlan::none().on(Kind::UploadPost, When::Always, Fault::LoseAnswer);
    let registry = registry(plan).await;
    let digest = Digest::of(b"new");
    let path = format!("/v2/a/blobs/uploads/?digest={digest}");
    assert!(request(&registry, Method::POST, &path).body("new").send().await.is_err());
    assert!(registry.store("a").blob_size(&digest).is_some());
}

#[tokio::test]
async fn over_the_limit_everything_is_429_for_a_second() {
    let registry = registry(FaultPlan::none().limited(3)).await;
    for n in 0..6 {
        let answer = get_blob(&registry).await.unwrap();
        assert_eq!(answer.status().as_u16(), if n < 3 { 200 } else { 429 });
    }
    assert_eq!(registry.counts().limited, 3);
}

#[tokio::test]
async fn a_slow_connection() {
    let registry = registry(FaultPlan::none().rate(2_000).delayed(Duration::from_millis(20))).await;
    let start = Instant::now();
    get_blob(&registry).await.unwrap().bytes().await.unwrap();
    // Request and answer are some 350 bytes in all.
    assert!(start.elapsed() > Duration::from_millis(100), "{:?}", start.elapsed());
}

#[tokio::test]
async fn quirks() {
    let plan = FaultPlan::none()
        .refusing_mounts()
        .ignoring_range()
        .without_referrers()
        .refusing_nested_indexes()
        .monolithic_limit(5)
        .digest_header(DigestHeader::Wrong);
    let registry = registry(plan).await;
    let digest = Digest::of(BLOB);
    let mount = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    let answer = request(&registry, Method::POST, &mount).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(registry.counts().mount_refused, 1);
    let part = request(&registry, Method::GET, &blob_path()).header("range", "bytes=3-5");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::OK);
    assert!(!["", digest.as_str()].contains(&header(&part, "docker-content-digest")));
    let referrers = format!("/v2/a/referrers/{digest}");
    let answer = request(&registry, Method::GET, &referrers).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let large = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"large!"));
    let answer = request(&registry, Method::POST, &large).body("large!").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let child = format!(r#"{{"mediaType":"{}","digest":"{digest}","size":10}}"#, media::OCI_INDEX);
    let index = format!(r#"{{"mediaType":"{}","manifests":[{child}]}}"#, media::OCI_INDEX);
    let put =
        request(&registry, Method::PUT, "/v2/a/manifests/t").body(index).send().await.unwrap();
    assert_eq!(put.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn uploads_go_on_where_the_registry_says() {
    for location in [UploadLocation::Absolute, UploadLocation::WithQuery, UploadLocation::OtherHost]
    {
        let registry = registry(FaultPlan::none().location(location)).await;
        let upload = header(&open_upload(&registry).await, "location").to_owned();
        assert_eq!(upload.contains('?'), location != UploadLocation::Absolute);
        assert_eq!(upload.starts_with("http"), location != UploadLocation::WithQuery);
        let and = if upload.contains('?') { '&' } else { '?' };
        let end = format!("{upload}{and}digest={}", Digest::of(b"new"));
        let answer = request(&registry, Method::PUT, &end).body("new").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{location:?}");
        let there = registry.log_elsewhere().len();
        assert_eq!(there, usize::from(location == UploadLocation::OtherHost));
    }
}

#[tokio::test]
async fn blobs_at_a_second_host() {
    let registry = registry(FaultPlan::none().redirecting_blobs()).await;
    let answer = get_blob(&registry).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    let there = request(&registry, Method::GET, header(&answer, "location"));
    let there = there.basic_auth("leaked", Some("secret")).send().await.unwrap();
    assert_eq!(there.bytes().await.unwrap(), BLOB);
    assert!(registry.log_elsewhere()[0].is_authorized());
}

#[tokio::test]
async fn tokens_have_scopes_and_run_out() {
    let bearer = Bearer {
        user: Some(("u".into(), "p".into())),
        lifetime: Duration::from_millis(300),
        ..Bearer::default()
    };
    let registry = registry(FaultPlan::none().auth(Auth::Bearer(bearer))).await;
    let answer = get_blob(&registry).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = header(&answer, "www-authenticate");
    assert!(challenge.contains(r#"scope="repository:a:pull""#), "{challenge}");
    let refused = request(&registry, Method::GET, "/token?scope=repository:a:pull");
    let refused = refused.basic_auth("u", Some("wrong")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let given = request(&registry, Method::GET, "/token?scope=repository:a:pull");
    let given: serde_json::Value =
        given.basic_auth("u", Some("p")).send().await.unwrap().json().await.unwrap();
    let token = given["token"].as_str().unwrap().to_owned();
    let with_token = async |method, path: &str| {
        request(&registry, method, path).bearer_auth(&token).send().await.unwrap()
    };
    assert_eq!(with_token(Method::GET, &blob_path()).await.status(), StatusCode::OK);
    let mount = format!("/v2/b/blobs/uploads/?mount={}&from=a", Digest::of(BLOB));
    let answer = with_token(Method::POST, &mount).await;
    let scope = r#"scope="repository:b:pull,push repository:a:pull""#;
    assert!(header(&answer, "www-authenticate").contains(scope));
    assert_eq!(registry.exchanges(), [["repository:a:pull"]]);
    let spent =
        async || with_token(Method::GET, &blob_path()).await.status() == StatusCode::UNAUTHORIZED;
    while !spent().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn basic_credentials() {
    let registry = registry(FaultPlan::none().auth(Auth::basic("u", "p"))).await;
    assert_eq!(get_blob(&registry).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let known = request(&registry, Method::GET, &blob_path()).basic_auth("u", Some("p"));
    assert_eq!(known.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(registry.counts().unauthorized, 1);
}
