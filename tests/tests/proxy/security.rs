//! Attacks: by names, by requests that mean two things, by size, and by registries that would have
//! the proxy go elsewhere for them.

use airlift_oci::types::{Digest, MAX_MANIFEST};
use airlift_tests::{Fault, FaultPlan, Kind, Raw as Echo, TestRegistry, When, image};
use reqwest::StatusCode;

use crate::raw::{Manner, Raw};
use crate::{Front, both, error, push, settings};

const HOSTILE: [&str; 14] = [
    "..",
    "%2e%2e",
    ".%2e/.%2e",
    "a/..",
    "a/../b",
    "..%2f..%2fetc",
    "%2fetc%2fpasswd",
    "a%00b",
    "a%0d%0aX-Evil:%201",
    "a%0aX-Evil:1",
    "a%5c..",
    "a%3fx",
    "a%23x",
    "%ff%fe",
];

#[tokio::test]
async fn no_hostile_name_in_any_position_reaches_a_registry_or_a_header() {
    let more = "push: {registry: cold, anyone: true}\nroutes: [{prefix: z, registries: [hot, cold], replace: ''}]";
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), more).await;
    let digest = Digest::of(b"x");
    for hostile in HOSTILE {
        for (method, path) in [
            ("GET", format!("/v2/{hostile}/manifests/1")),
            ("GET", format!("/v2/a/manifests/{hostile}")),
            ("HEAD", format!("/v2/{hostile}/manifests/{digest}")),
            ("GET", format!("/v2/{hostile}/blobs/{digest}")),
            ("GET", format!("/v2/a/blobs/{hostile}")),
            ("GET", format!("/v2/a/blobs/sha256:{hostile}")),
            ("GET", format!("/v2/{hostile}/tags/list")),
            ("GET", format!("/v2/{hostile}/referrers/{digest}")),
            ("GET", format!("/v2/a/referrers/{hostile}")),
            ("POST", format!("/v2/{hostile}/blobs/uploads/")),
            ("PATCH", format!("/v2/a/blobs/uploads/{hostile}")),
            ("PUT", format!("/v2/a/manifests/{hostile}")),
            ("GET", format!("/v2/z{hostile}/manifests/1")),
        ] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = front.raw(request.as_bytes()).await;
            let line = answer.lines().next().unwrap_or_default();
            assert!(line.starts_with("HTTP/1.1 4"), "{method} {path}: {answer}");
            assert!(!answer.lines().any(|line| line.starts_with("X-Evil")), "{answer}");
        }
    }
    assert_eq!((hot.log().len(), cold.log().len()), (0, 0));
}

#[tokio::test]
async fn a_hostile_query_stays_a_query() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    push(&hot, "a", "1", 1).await;
    for query in ["n=1&last=%0d%0aX-Evil:1", "last=../../..", "last=%3E%3B%20rel=evil", "n=1%00"] {
        let request =
            format!("GET /v2/a/tags/list?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = front.raw(request.as_bytes()).await;
        assert!(!answer.contains("X-Evil"), "{answer}");
    }
    for exchange in hot.log().iter().chain(&cold.log()) {
        assert_eq!(exchange.path, "/v2/a/tags/list");
    }
}

#[tokio::test]
async fn a_request_that_could_be_two_is_one_or_none() {
    let more = "push: {registry: cold, anyone: true}";
    let inner = "GET /v2/smuggled/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = inner.len();
    for head in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Content-Length: +0\r\n\r\n".to_owned(),
        "X: y\r\n Content-Length: 0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n".to_owned(),
    ] {
        let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), more).await;
        let request = format!("PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\n{head}{inner}");
        let end = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = front.raw(format!("{request}{end}").as_bytes()).await;
        // Whatever the proxy makes of it, registries must see whole requests of their own only:
        // what is inside is either a body or a second request to the proxy, never half of one.
        for exchange in hot.log().iter().chain(&cold.log()) {
            let known = exchange.path == "/v2/a/blobs/uploads/x"
                || exchange.path == "/v2/smuggled/manifests/1";
            assert!(known, "{head}: {}", exchange.path);
            assert!(
                !(exchange.headers.contains_key("content-length")
                    && exchange.headers.contains_key("transfer-encoding"))
            );
        }
        let both_lengths = head.contains("Content-Length: 0\r\nContent-Length")
            || head.contains("xchunked")
            || head.contains("+0")
            || head.contains("identity")
            || head.contains("Encoding :");
        if both_lengths {
            assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{head}: {answer}");
            assert!(hot.log().is_empty(), "{head}");
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let large = "x".repeat(200_000);
    let (hot, _cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    for request in [
        format!("GET /v2/{large}/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Large: {large}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(5000)),
    ] {
        let answer = front.raw(request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let long = format!(
        "GET /v2/{}/manifests/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "a".repeat(10_000)
    );
    assert!(front.raw(long.as_bytes()).await.starts_with("HTTP/1.1 400"));
    assert!(hot.log().is_empty());
    let body = format!("{{\"x\":\"{}\"}}", "y".repeat(usize::try_from(MAX_MANIFEST).unwrap()));
    let answer = Fault::status(200).body(&body);
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, answer.clone()).on(
        Kind::Tags,
        When::Always,
        answer,
    );
    let (_hot, _cold, front) = both(plan, FaultPlan::none(), "").await;
    for path in ["/v2/a/manifests/1", "/v2/a/tags/list"] {
        let (status, _, message) = error(front.get(path).await).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(message.contains("more than 4194304 bytes"), "{message}");
    }
}

#[tokio::test]
async fn a_registry_cannot_send_the_proxy_anywhere() {
    let inside = Raw::start(Manner::Page).await;
    let location = format!("{}/latest/meta-data", inside.url);
    for (location, kinds) in [
        (location.as_str(), [Kind::ManifestGet, Kind::Tags, Kind::BlobGet, Kind::Referrers]),
        ("http://169.254.169.254/latest/meta-data", [Kind::ManifestGet; 4]),
        ("file:///etc/passwd", [Kind::BlobGet; 4]),
        ("http://user:pw@127.0.0.1/", [Kind::BlobGet; 4]),
        ("//[::1", [Kind::BlobGet; 4]),
    ] {
        let answer = Fault::status(307).header("Location", location);
        let plan = kinds
            .into_iter()
            .fold(FaultPlan::none(), |plan, kind| plan.on(kind, When::Always, answer.clone()));
        let (_hot, _cold, front) = both(plan, FaultPlan::none(), "mode: relay").await;
        let digest = Digest::of(b"x");
        let all = [
            ("/v2/a/manifests/1".to_owned(), Kind::ManifestGet),
            ("/v2/a/tags/list".to_owned(), Kind::Tags),
            (format!("/v2/a/blobs/{digest}"), Kind::BlobGet),
            (format!("/v2/a/referrers/{digest}"), Kind::Referrers),
        ];
        for (path, _) in all.iter().filter(|(_, kind)| kinds.contains(kind)) {
            let response = front.get(path).await;
            assert_eq!(response.headers().get("location"), None);
            if path.contains("/referrers/") {
                // Those of the other registry, which has none.
                assert!(response.headers().contains_key("warning"));
            } else {
                assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{path} {location}");
            }
        }
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn an_upload_is_never_sent_on_to_another_host() {
    let plan = FaultPlan::none().location(airlift_tests::UploadLocation::OtherHost);
    let more = "push: {registry: cold, anyone: true}";
    let (_hot, cold, front) = both(FaultPlan::none(), plan, more).await;
    let (status, _, message) =
        error(front.send(reqwest::Method::POST, "/v2/a/blobs/uploads/").await).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(message.contains("another place"), "{message}");
    assert!(cold.log_elsewhere().is_empty());
}

#[tokio::test]
async fn warming_fetches_nothing_from_where_a_manifest_says() {
    let inside = Raw::start(Manner::Page).await;
    let (hot, cold, front) =
        both(FaultPlan::none(), FaultPlan::none(), "warming: {enabled: true}").await;
    // A manifest whose layer is said to be had inside, and is not in the registry.
    let image = image::simple(1);
    let config = &image.blobs()[0];
    let foreign = Digest::of(b"foreign");
    let raw = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "digest": foreign, "size": 7, "urls": [format!("{}/layer", inside.url)]
        }]
    });
    let raw = serde_json::to_vec(&raw).unwrap();
    let manifest = airlift_oci::types::Manifest::parse_as(
        "application/vnd.oci.image.manifest.v1+json",
        Digest::of(&raw),
        raw.into(),
    )
    .unwrap();
    use airlift_oci::store::Sink;
    image.push(cold.store("a").as_ref(), None).await;
    cold.store("a").put_manifest(&manifest, Some(&"1".parse().unwrap())).await.unwrap();
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    let ended = async {
        loop {
            let of = |result| format!("airlift_proxy_warming_total{{result=\"{result}\"}}");
            if front.metric(&of("done")).await + front.metric(&of("failed")).await > 0.0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.unwrap();
    assert_eq!(inside.connections(), 0);
    assert!(hot.counts().manifest_head + hot.counts().manifest_get > 0);
}

#[tokio::test]
async fn secrets_are_in_no_answer() {
    let dead = TestRegistry::start(FaultPlan::none()).await.url();
    let text = settings(&dead, &dead, "")
        .replace("'}", "', username: robot, password: s3cret, headers: {X-Key: k3y-k3y}}");
    let front = Front::start(&text).await;
    for path in ["/v2/a/manifests/1", "/ready", "/metrics", "/v2/a/tags/list"] {
        let response = front.get(path).await;
        let headers = format!("{:?}", response.headers());
        let text = response.text().await.unwrap();
        for secret in ["s3cret", "k3y-k3y", "cm9ib3Q6czNjcmV0"] {
            assert!(!text.contains(secret) && !headers.contains(secret), "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn what_a_registry_repeats_of_our_secrets_is_not_passed_on() {
    for status in ["400 Bad", "401 No", "403 No", "404 None", "409 Conflict", "500 Broken"] {
        let backend = Echo::start(move |request| {
            let sent = request.lines().find_map(|line| line.split_once("uthorization: "));
            let Some((_, sent)) = sent else {
                let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n";
                return Echo::once(&format!("{head}Content-Length: 0\r\n\r\n"));
            };
            // As it came, decoded, and one that is cut off by the limit of what is passed on.
            let words = format!("{sent} robot:s3cret-s3cret k3y-k3y ").repeat(2000);
            Echo::once(&format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"{sent}\"\r\nX-Was: {sent}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{words}",
                words.len()
            ))
        });
        let backend = backend.await;
        let url = format!("http://{}", backend.addr());
        let more = "push: {registry: cold, anyone: true}";
        let secret = "', username: robot, password: s3cret-s3cret, headers: {X-Key: k3y-k3y}}";
        let text = settings(&url, &url, more).replace("'}", secret);
        let front = Front::start(&text).await;
        let digest = Digest::of(b"x");
        for (method, path) in [
            ("GET", "/v2/a/manifests/1".to_owned()),
            ("HEAD", "/v2/a/manifests/1".to_owned()),
            ("GET", format!("/v2/a/blobs/{digest}")),
            ("GET", "/v2/a/tags/list".to_owned()),
            ("GET", format!("/v2/a/referrers/{digest}")),
            ("POST", "/v2/a/blobs/uploads/".to_owned()),
            ("DELETE", "/v2/a/manifests/1".to_owned()),
        ] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = front.raw(request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 "), "{method} {path}: {answer}");
            for secret in ["s3cret", "k3y-k3y", "cm9ib3Q6"] {
                assert!(!answer.contains(secret), "{status} {method} {path}: {answer}");
            }
        }
    }
}
