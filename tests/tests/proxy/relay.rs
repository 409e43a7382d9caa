//! Relaying: where a redirect would not work, and what must not pass.

use airlift_oci::types::Digest;
use airlift_tests::{Auth, Bearer, Fault, FaultPlan, Kind, TestRegistry, When};
use reqwest::StatusCode;

use crate::{Front, both, error, header, push, settings};

fn with_user(hot: &TestRegistry, cold: &TestRegistry, mode: &str) -> String {
    format!(
        "registry:\n  hot: {{url: '{}'}}\n  cold: {{url: '{}', username: robot, password: s3cret{mode}}}\n",
        hot.url(),
        cold.url()
    )
}

#[tokio::test]
async fn a_registry_with_credentials_is_relayed_and_they_go_nowhere_else() {
    let hot = TestRegistry::start(FaultPlan::none()).await;
    let plan = FaultPlan::none().auth(Auth::basic("robot", "s3cret"));
    let cold = TestRegistry::start(plan).await;
    let front = Front::start(&with_user(&hot, &cold, "")).await;
    let image = push(&cold, "a", "1", 1).await;
    let blob = &image.blobs()[0];
    let path = format!("/v2/a/blobs/{}", blob.descriptor().digest);
    let mine = front.client.get(front.url(&path)).basic_auth("client", Some("own"));
    let response = mine.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "www-authenticate"), None);
    let length = blob.descriptor().size.to_string();
    assert_eq!(header(&response, "content-length"), Some(length.as_str()));
    assert_eq!(response.bytes().await.unwrap(), blob.bytes());
    let part =
        front.client.get(front.url(&path)).header("range", "bytes=3-7").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = format!("bytes 3-7/{length}");
    assert_eq!(header(&part, "content-range"), Some(range.as_str()));
    assert_eq!(part.bytes().await.unwrap(), blob.bytes().slice(3..8));
    let beyond = format!("bytes={length}-");
    let beyond = front.client.get(front.url(&path)).header("range", beyond).send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert!(hot.log().iter().all(|exchange| !exchange.is_authorized()));
    for exchange in cold.log().iter().filter(|exchange| exchange.is_authorized()) {
        // robot:s3cret, and never what the client showed us.
        assert_eq!(exchange.header("authorization"), Some("Basic cm9ib3Q6czNjcmV0"));
    }
}

#[tokio::test]
async fn tokens_are_fetched_once_for_all_and_a_registry_that_wants_them_is_relayed() {
    for bearer in [
        Bearer { user: Some(("robot".into(), "s3cret".into())), ..Bearer::default() },
        Bearer { anonymous_pull: true, ..Bearer::default() },
    ] {
        let hot = TestRegistry::start(FaultPlan::none()).await;
        let anonymous = bearer.anonymous_pull;
        let cold = TestRegistry::start(FaultPlan::none().auth(Auth::Bearer(bearer))).await;
        let settings = if anonymous {
            settings(&hot.url(), &cold.url(), "")
        } else {
            with_user(&hot, &cold, "")
        };
        let front = Front::start(&settings).await;
        let image = push(&cold, "a", "1", 1).await;
        let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
        let asked = (0..8).map(|_| front.get(&path));
        for response in futures_util::future::join_all(asked).await {
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.bytes().await.unwrap(), image.blobs()[0].bytes());
        }
        assert_eq!(cold.exchanges().len(), 1, "{:?}", cold.exchanges());
    }
}

#[tokio::test]
async fn a_registrys_own_redirect_is_passed_on() {
    let hot = TestRegistry::start(FaultPlan::none()).await;
    let plan = FaultPlan::none().auth(Auth::basic("robot", "s3cret")).redirecting_blobs();
    let cold = TestRegistry::start(plan).await;
    let front = Front::start(&with_user(&hot, &cold, "")).await;
    let image = push(&cold, "a", "1", 1).await;
    let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
    let response = front.get(&path).await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    let location = header(&response, "location").unwrap();
    assert!(location.ends_with("?signature=abc") && !location.contains("s3cret"), "{location}");
    assert!(!location.starts_with(&cold.url()), "{location}");
    let followed = reqwest::get(front.url(&path)).await.unwrap().bytes().await.unwrap();
    assert_eq!(followed, image.blobs()[0].bytes());
}

#[tokio::test]
async fn a_mode_can_be_forced() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "mode: relay").await;
    let image = push(&cold, "a", "1", 1).await;
    let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
    let relayed = front.get(&path).await;
    assert_eq!(relayed.status(), StatusCode::OK);
    assert_eq!(relayed.bytes().await.unwrap(), image.blobs()[0].bytes());
    assert_eq!(hot.counts().blob_head, 0, "one request finds out and answers");
    let plan = FaultPlan::none().auth(Auth::basic("robot", "s3cret"));
    let closed = TestRegistry::start(plan).await;
    let front = Front::start(&with_user(&hot, &closed, ", mode: redirect")).await;
    image.push(closed.store("a").as_ref(), Some("1")).await;
    let response = front.get(&path).await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(header(&response, "location"), Some(format!("{}{path}", closed.url()).as_str()));
}

#[tokio::test]
async fn only_headers_that_are_the_clients_pass() {
    let answer = Fault::status(200)
        .header("Set-Cookie", "session=backend")
        .header("Connection", "X-Secret")
        .header("X-Secret", "1")
        .header("Keep-Alive", "timeout=1")
        .header("Proxy-Authenticate", "Basic")
        .header("WWW-Authenticate", "Basic")
        .header("Server", "internal-7")
        .header("Content-Type", "application/octet-stream")
        .body("hello");
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, answer);
    let (hot, _cold, front) = both(plan, FaultPlan::none(), "mode: relay").await;
    let path = format!("/v2/a/blobs/{}", Digest::of(b"hello"));
    let request = front
        .client
        .get(front.url(&path))
        .header("cookie", "mine=1")
        .header("x-forwarded-for", "10.9.8.7")
        .header("te", "trailers")
        .header("upgrade", "websocket")
        .header("proxy-authorization", "Basic eA==");
    let response = request.send().await.unwrap();
    let names: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
    for name in
        ["set-cookie", "x-secret", "keep-alive", "proxy-authenticate", "www-authenticate", "server"]
    {
        assert!(!names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(header(&response, "content-type"), Some("application/octet-stream"));
    assert_eq!(response.text().await.unwrap(), "hello");
    let asked = hot.log().pop().unwrap();
    for name in
        ["cookie", "x-forwarded-for", "te", "upgrade", "proxy-authorization", "authorization"]
    {
        assert_eq!(asked.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn an_operators_headers_go_to_their_registry_only() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let settings = format!(
        "registry:\n  hot:\n    url: '{}'\n    headers: {{X-Key: k3y, User-Agent: mirror-registry/1.0}}\n  cold: {{url: '{}'}}\n",
        hot.url(),
        cold.url()
    );
    let front = Front::start(&settings).await;
    front.get("/v2/a/manifests/1").await;
    let (hot, cold) = (hot.log().pop().unwrap(), cold.log().pop().unwrap());
    assert_eq!(
        (hot.header("x-key"), hot.header("user-agent")),
        (Some("k3y"), Some("mirror-registry/1.0"))
    );
    assert_eq!(cold.header("x-key"), None);
}

#[tokio::test]
async fn a_damaged_blob_never_arrives_whole_and_half_of_one_is_an_error() {
    for fault in [Fault::FlipDownload(10), Fault::CutDownload(20), Fault::StallDownload(20)] {
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, fault.clone());
        let (hot, _cold, front) =
            both(plan, FaultPlan::none(), "mode: relay\ntimeouts: {stall: 200ms}").await;
        let image = push(&hot, "a", "1", 1).await;
        let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
        // What is small enough is known to be bad before the answer's head has left.
        let arrived = match front.client.get(front.url(&path)).send().await {
            Ok(response) => response.bytes().await.ok(),
            Err(_) => None,
        };
        assert_eq!(arrived, None, "{fault:?}");
    }
}

#[tokio::test]
async fn storage_that_a_registry_sends_us_to_must_be_listed() {
    let plan = || FaultPlan::none().auth(Auth::basic("robot", "s3cret")).redirecting_blobs();
    let hot = TestRegistry::start(FaultPlan::none()).await;
    let cold = TestRegistry::start(plan()).await;
    let image = push(&cold, "a", "1", 1).await;
    let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
    let front = Front::start(&with_user(&hot, &cold, ", mode: relay")).await;
    let (status, _, message) = error(front.get(&path).await).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(message.contains("registry.cold.storage"), "{message}");
    assert!(cold.log_elsewhere().is_empty());
    let listed = with_user(&hot, &cold, ", mode: relay, storage: ['127.0.0.1']");
    let front = Front::start(&listed).await;
    let response = front.get(&path).await;
    assert_eq!(response.bytes().await.unwrap(), image.blobs()[0].bytes());
    let elsewhere = cold.log_elsewhere();
    assert_eq!(elsewhere.len(), 1);
    assert!(!elsewhere[0].is_authorized(), "credentials stay at home");
}
