//! Pulling: manifests from the first that has them, blobs by redirects that a client can follow.

use airlift_oci::types::Digest;
use airlift_tests::{DigestHeader, Fault, FaultPlan, Kind, When};
use reqwest::StatusCode;

use crate::{Front, both, error, header, push};

#[tokio::test]
async fn manifests_come_from_the_hot_registry_else_from_the_cold() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    let (old, new) = (push(&cold, "a", "1", 1).await, push(&hot, "a", "1", 2).await);
    let rare = push(&cold, "rare/app", "2", 3).await;
    for (path, image) in [
        ("/v2/a/manifests/1".to_owned(), &new),
        (format!("/v2/a/manifests/{}", old.root().digest()), &old),
        ("/v2/rare/app/manifests/2".to_owned(), &rare),
        (format!("/v2/rare/app/manifests/{}", rare.root().digest()), &rare),
    ] {
        let digest = image.root().digest().as_str();
        let (got, head) = (front.get(&path).await, front.head(&path).await);
        for response in [&got, &head] {
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(header(response, "docker-content-digest"), Some(digest));
            assert_eq!(header(response, "etag"), Some(format!("\"{digest}\"").as_str()));
            let media_type = image.root().descriptor().media_type.as_str();
            assert_eq!(header(response, "content-type"), Some(media_type));
            let length = image.root().raw().len().to_string();
            assert_eq!(header(response, "content-length"), Some(length.as_str()));
        }
        assert_eq!(got.bytes().await.unwrap(), image.root().raw());
    }
}

#[tokio::test]
async fn what_no_registry_has_is_not_found_in_the_words_of_the_specification() {
    let (_hot, _cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    let (status, code, _) = error(front.get("/v2/a/manifests/1").await).await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"));
    let blob = format!("/v2/a/blobs/{}", Digest::of(b"none"));
    let (status, code, _) = error(front.get(&blob).await).await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"));
    let (status, code, _) = error(front.get("/v2/a/tags/list").await).await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "NAME_UNKNOWN"));
    let head = front.head("/v2/a/manifests/1").await;
    assert_eq!(head.status(), StatusCode::NOT_FOUND);
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn blobs_are_redirects_that_are_remembered_for_a_while() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    let image = push(&cold, "a", "1", 1).await;
    let blob = image.blobs()[0].descriptor().clone();
    let path = format!("/v2/a/blobs/{}", blob.digest);
    let first = front.get(&path).await;
    assert_eq!(first.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(header(&first, "location"), Some(format!("{}{path}", cold.url()).as_str()));
    let asked = (hot.counts().blob_head, cold.counts().blob_head);
    assert_eq!(asked, (1, 1));
    for _ in 0..5 {
        assert_eq!(front.get(&path).await.status(), StatusCode::TEMPORARY_REDIRECT);
    }
    assert_eq!((hot.counts().blob_head, cold.counts().blob_head), asked, "remembered");
    // As a browser or container engine does it.
    let followed = reqwest::get(front.url(&path)).await.unwrap();
    assert_eq!(Digest::of(&followed.bytes().await.unwrap()), blob.digest);
    let head = front.head(&path).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(header(&head, "content-length"), Some(blob.size.to_string().as_str()));
    assert_eq!(header(&head, "docker-content-digest"), Some(blob.digest.as_str()));
    assert!(front.metric("airlift_proxy_registry_redirects_total{registry=\"cold\"}").await >= 7.0);
}

#[tokio::test]
async fn what_is_remembered_is_asked_again_after_its_time() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "remember: 1ms").await;
    let image = push(&cold, "a", "1", 1).await;
    let path = format!("/v2/a/blobs/{}", image.blobs()[0].descriptor().digest);
    front.get(&path).await;
    let before = std::time::Instant::now();
    while before.elapsed() < std::time::Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    image.push(hot.store("a").as_ref(), Some("1")).await;
    let location = format!("{}{path}", hot.url());
    assert_eq!(header(&front.get(&path).await, "location"), Some(location.as_str()));
}

#[tokio::test]
async fn a_client_that_has_a_manifest_is_told_so() {
    let (hot, _cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    let image = push(&hot, "a", "1", 1).await;
    let tag = format!("\"{}\"", image.root().digest());
    let request = front.client.get(front.url("/v2/a/manifests/1")).header("if-none-match", tag);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(response.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_base_and_the_health_are_as_documented() {
    let (_hot, _cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    for path in ["/v2/", "/v2"] {
        let base = front.get(path).await;
        assert_eq!(base.status(), StatusCode::OK);
        assert_eq!(header(&base, "docker-distribution-api-version"), Some("registry/2.0"));
        assert_eq!(base.text().await.unwrap(), "{}");
    }
    let health = front.get("/health").await;
    assert_eq!(header(&health, "content-type"), Some("application/json"));
    assert_eq!(health.text().await.unwrap(), r#"{"status":"healthy"}"#);
    let ready = front.get("/ready").await;
    assert_eq!(ready.status(), StatusCode::OK);
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["registries"]["hot"]["status"], "up");
    assert_eq!(ready["registries"]["cold"]["status"], "up");
    for nothing in ["/", "/v1/", "/v2/_catalog", "/metrics/x", "/v2/a"] {
        assert_eq!(front.get(nothing).await.status(), StatusCode::NOT_FOUND, "{nothing}");
    }
}

#[tokio::test]
async fn registries_that_refuse_head_or_say_too_little_are_asked_with_get() {
    let refusing = FaultPlan::none().on(Kind::ManifestHead, When::Always, Fault::status(405));
    let silent = FaultPlan::none().digest_header(DigestHeader::Missing);
    for plan in [refusing, silent] {
        let (hot, _cold, front) = both(plan, FaultPlan::none(), "").await;
        let image = push(&hot, "a", "1", 1).await;
        let head = front.head("/v2/a/manifests/1").await;
        assert_eq!(head.status(), StatusCode::OK);
        let digest = image.root().digest().as_str();
        assert_eq!(header(&head, "docker-content-digest"), Some(digest));
    }
}

#[tokio::test]
async fn names_go_where_the_first_matching_prefix_says() {
    let third = airlift_tests::TestRegistry::start(FaultPlan::none()).await;
    let hot = airlift_tests::TestRegistry::start(FaultPlan::none()).await;
    let settings = format!(
        "registry:\n  hot: {{url: '{}'}}\n  edge: {{url: '{}'}}\n\
         routes:\n- {{prefix: hub/, registries: [edge], replace: 'library/'}}\n",
        hot.url(),
        third.url()
    );
    let front = Front::start(&settings).await;
    let image = push(&third, "library/nginx", "1", 1).await;
    let got = front.get("/v2/hub/nginx/manifests/1").await;
    assert_eq!(got.bytes().await.unwrap(), image.root().raw());
    let path = format!("blobs/{}", image.blobs()[0].descriptor().digest);
    let blob = front.get(&format!("/v2/hub/nginx/{path}")).await;
    let location = format!("{}/v2/library/nginx/{path}", third.url());
    assert_eq!(header(&blob, "location"), Some(location.as_str()));
    assert_eq!(hot.counts().total(), 0);
    assert_eq!(front.get("/v2/nginx/manifests/1").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(third.counts().manifest_get, 1);
}
