//! Pushing through the proxy, and who may.

use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Credential, CredentialSources, Secret, Settings};
use airlift_oci::store::Store;
use airlift_oci::types::{Digest, Name};
use airlift_tests::image::{self, Flavour};
use airlift_tests::{Auth, FaultPlan, TestRegistry, UploadLocation};
use reqwest::{Method, StatusCode};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Front, both, error, push};

const TO_COLD: &str = "push: {registry: cold, anyone: true}";
/// `ci` with the password `secret`; bcrypt with cost 4.
const USERS: &str = "ci:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

fn store(front: &Front, repository: &str) -> Arc<dyn Store> {
    let client = Client::new(Settings::default(), silent()).unwrap();
    client.repository(Name::new(&front.addr.to_string(), repository).unwrap())
}

#[tokio::test]
async fn an_image_is_pushed_to_the_registry_that_is_named() {
    use UploadLocation::{Absolute, OtherPath, Relative, WithQuery};
    for location in [Relative, Absolute, WithQuery, OtherPath] {
        let plan = FaultPlan::none().location(location).auth(Auth::bearer("robot", "s3cret"));
        let (hot, cold) =
            (TestRegistry::start(FaultPlan::none()).await, TestRegistry::start(plan).await);
        let settings = format!(
            "registry:\n  hot: {{url: '{}'}}\n  cold: {{url: '{}', username: robot, password: s3cret}}\n{TO_COLD}\n",
            hot.url(),
            cold.url()
        );
        let front = Front::start(&settings).await;
        let image = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
        image.push(store(&front, "team/app").as_ref(), Some("1")).await;
        let got = front.get("/v2/team/app/manifests/1").await;
        assert_eq!(got.bytes().await.unwrap(), image.root().raw());
        assert_eq!(hot.counts().upload_post + hot.counts().manifest_put, 0);
        assert!(
            front.metric("airlift_proxy_registry_pushed_bytes_total{registry=\"cold\"}").await
                > 0.0
        );
    }
}

#[tokio::test]
async fn only_an_upload_of_the_same_repository_is_taken_to_where_the_registry_said() {
    let plan = FaultPlan::none().location(UploadLocation::OtherPath);
    let (_hot, cold, front) = both(FaultPlan::none(), plan, TO_COLD).await;
    let begun = front.send(Method::POST, "/v2/a/blobs/uploads/").await;
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    let at = begun.headers()["location"].to_str().unwrap().to_owned();
    assert!(at.starts_with("/v2/a/blobs/uploads/at-"), "{at}");
    let before = cold.log().len();
    let finish = |at: &str| format!("{at}?digest={}", Digest::of(b"x"));
    let forged = at.replace("at-", "at-00");
    for other in [at.replace("/v2/a/", "/v2/b/"), forged, format!("{at}2f")] {
        let put = front.client.put(front.url(&finish(&other))).body("x").send().await.unwrap();
        assert_eq!(put.status(), StatusCode::NOT_FOUND, "{other}");
    }
    // They were unknown uploads of the registry, below the repository that was asked for.
    for exchange in &cold.log()[before..] {
        assert!(exchange.path.contains("/blobs/uploads/at-"), "{}", exchange.path);
    }
    let put = front.client.put(front.url(&finish(&at))).body("x").send().await.unwrap();
    assert_eq!(put.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_client_that_breaks_off_is_no_outage_of_the_registry() {
    let (_hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), TO_COLD).await;
    for number in 0..5 {
        let begun = front.send(Method::POST, "/v2/a/blobs/uploads/").await;
        let at = begun.headers()["location"].to_str().unwrap().to_owned();
        let framing = ["Content-Length: 99", "Transfer-Encoding: chunked"][number % 2];
        let head = format!("PATCH {at} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
        let mut stream = TcpStream::connect(front.addr).await.unwrap();
        stream.write_all(format!("{head}5\r\nabcde\r\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{framing}: {answer}");
        assert!(answer.contains("BLOB_UPLOAD_INVALID"), "{answer}");
    }
    assert!(front.metric("airlift_proxy_registry_up{registry=\"cold\"}").await > 0.0);
    let image = image::simple(1);
    image.push(store(&front, "a").as_ref(), Some("1")).await;
    assert_eq!(cold.counts().manifest_put, 1);
}

#[tokio::test]
async fn what_another_registry_has_is_sent_all_the_same() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), TO_COLD).await;
    let image = push(&hot, "a", "1", 1).await;
    image.push(store(&front, "a").as_ref(), Some("1")).await;
    assert_eq!(cold.counts().manifest_put, 1);
}

#[tokio::test]
async fn nothing_is_pushed_unless_the_settings_say_where_to() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    for (method, path) in [
        (Method::POST, "/v2/a/blobs/uploads/".to_owned()),
        (Method::PUT, "/v2/a/manifests/1".to_owned()),
        (Method::PATCH, "/v2/a/blobs/uploads/x".to_owned()),
        (Method::DELETE, "/v2/a/manifests/1".to_owned()),
        (Method::DELETE, format!("/v2/a/blobs/{}", Digest::of(b"x"))),
    ] {
        let (status, code, _) = error(front.send(method, &path).await).await;
        assert_eq!((status, code.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"));
    }
    assert_eq!(hot.counts().total() + cold.counts().total(), 0);
}

#[tokio::test]
async fn nothing_is_deleted_and_manifests_are_checked_on_their_way() {
    let (_hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), TO_COLD).await;
    let image = push(&cold, "a", "1", 1).await;
    let path = format!("/v2/a/manifests/{}", image.root().digest());
    let deleted = front.send(Method::DELETE, &path).await;
    assert_eq!(deleted.status(), StatusCode::METHOD_NOT_ALLOWED);
    let other = front.client.put(front.url(&path)).body("{}").send().await.unwrap();
    assert_eq!(error(other).await.1, "DIGEST_INVALID");
    let large = vec![b' '; 5 << 20];
    let large = front.client.put(front.url("/v2/a/manifests/2")).body(large).send().await;
    // It may have been refused before all of it was sent.
    if let Ok(large) = large {
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(cold.counts().manifest_put, 0);
}

#[tokio::test]
async fn users_do_what_their_rights_say() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let image = push(&cold, "team/app", "1", 1).await;
    push(&cold, "other/app", "1", 2).await;
    let settings = format!(
        "registry:\n  hot: {{url: '{}'}}\n  cold: {{url: '{}'}}\n\
         push: {{registry: cold}}\n\
         users: {{file: users, rules: ['ci:read-write:team/**', 'anonymous:read:team/*']}}\n",
        hot.url(),
        cold.url()
    );
    let front = Front::with_users(&settings, Some(USERS)).await;
    assert_eq!(front.get("/v2/team/app/manifests/1").await.status(), StatusCode::OK);
    let refused = front.get("/v2/other/app/manifests/1").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers().contains_key("www-authenticate"));
    let anonymous = front.send(Method::POST, "/v2/team/app/blobs/uploads/").await;
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    let wrong = front.client.get(front.url("/v2/")).basic_auth("ci", Some("wrong"));
    assert_eq!(wrong.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let credential =
        Credential::Basic { username: "ci".to_owned(), password: Secret::new("secret") };
    let fixed = [(front.addr.to_string(), credential)].into();
    let credentials = CredentialSources { fixed, ..CredentialSources::default() };
    let client = Client::new(Settings { credentials, ..Settings::default() }, silent()).unwrap();
    let name = Name::new(&front.addr.to_string(), "team/new").unwrap();
    image.push(client.repository(name).as_ref(), Some("1")).await;
    assert_eq!(cold.counts().manifest_put, 1);
    assert!(
        cold.log().iter().all(|exchange| !exchange.is_authorized()),
        "ours, not the registry's"
    );
}
