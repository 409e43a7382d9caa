//! Manifests: resolved, fetched and put, whatever a registry leaves out or makes up.

use super::*;
use airlift_tests::Raw;

async fn with_image(plan: FaultPlan) -> (TestRegistry, Manifest) {
    let registry = TestRegistry::start(plan).await;
    let graph = image::simple(1);
    graph.push(&*registry.store("a"), Some("v1")).await;
    (registry, graph.root().clone())
}

#[tokio::test]
async fn resolved_by_one_head() {
    let (registry, root) = with_image(FaultPlan::none()).await;
    let store = open(&registry);
    let found = store.resolve(&by_tag("v1")).await.unwrap();
    assert_eq!(found, root.descriptor().bare());
    assert_eq!((registry.counts().manifest_head, registry.counts().total()), (1, 1));
    assert!(store.resolve(&by_tag("v2")).await.unwrap_err().is_not_found());
    assert_eq!(registry.counts().total(), 2);
}

#[tokio::test]
async fn resolved_by_a_get_where_head_says_too_little() {
    let head =
        |status| FaultPlan::none().on(Kind::ManifestHead, When::Always, Fault::status(status));
    for plan in
        [FaultPlan::none().digest_header(DigestHeader::Missing), head(405), head(403), head(400)]
    {
        let (registry, root) = with_image(plan).await;
        let found = open(&registry).resolve(&by_tag("v1")).await.unwrap();
        assert_eq!(found, root.descriptor().bare());
        assert_eq!(registry.counts().manifest_get, 1);
    }
}

#[tokio::test]
async fn fetched_as_it_is() {
    let (registry, root) = with_image(FaultPlan::none()).await;
    let store = open(&registry);
    for version in [by_tag("v1"), Version::Digest(root.digest().clone())] {
        let found = store.fetch(&version).await.unwrap();
        assert_eq!((found.raw(), found.descriptor()), (root.raw(), root.descriptor()));
    }
    assert_eq!(registry.counts().total(), 2);
    let error = store.fetch(&by_tag("v2")).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("v2"), "{error}");
}

#[tokio::test]
async fn damage_is_mended_once() {
    let flip = |when| FaultPlan::none().on(Kind::ManifestGet, when, Fault::FlipDownload(30));
    let (registry, root) = with_image(flip(When::Nth(1))).await;
    assert_eq!(open(&registry).fetch(&by_tag("v1")).await.unwrap(), root);
    let (registry, _) = with_image(flip(When::Always)).await;
    let error = open(&registry).fetch(&by_tag("v1")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
    assert_eq!(registry.counts().manifest_get, 2);
    let (registry, root) = with_image(FaultPlan::none().digest_header(DigestHeader::Wrong)).await;
    let error = open(&registry).fetch(&by_tag("v1")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
    let by_digest = Version::Digest(root.digest().clone());
    assert_eq!(open(&registry).fetch(&by_digest).await.unwrap(), root);
}

#[tokio::test]
async fn a_cut_manifest_is_fetched_again() {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::First(2), Fault::CutDownload(20));
    let (registry, root) = with_image(plan).await;
    assert_eq!(open(&registry).fetch(&by_tag("v1")).await.unwrap(), root);
}

#[tokio::test]
async fn a_manifest_of_which_nobody_says_how_long_it_is_is_fetched_again_when_it_is_malformed() {
    let (_, root) = with_image(FaultPlan::none()).await;
    let raw = String::from_utf8(root.raw().to_vec()).unwrap();
    for whole_in in [2, usize::MAX] {
        let (text, media_type) = (raw.clone(), root.descriptor().media_type.clone());
        let times = Mutex::new(0);
        // HTTP/1.0: the end of the connection is that of the body, wherever it comes.
        let host = Raw::start(move |_| {
            let mut times = times.lock().unwrap();
            *times += 1;
            let body = if *times < whole_in { &text[..text.len() / 2] } else { &*text };
            Raw::once(&format!("HTTP/1.0 200 OK\r\nContent-Type: {media_type}\r\n\r\n{body}"))
        })
        .await;
        let fetched = client().repository(host.name("a")).fetch(&by_tag("v1")).await;
        if whole_in == 2 {
            assert_eq!(fetched.unwrap(), root);
        } else {
            assert!(matches!(fetched.unwrap_err().kind(), ErrorKind::Manifest(_)));
        }
        assert_eq!(host.requests().len(), 2);
    }
}

#[tokio::test]
async fn too_large_and_obsolete_manifests_are_refused() {
    let body = |text: &str, media_type: &str| {
        let fault = Fault::status(200).header("Content-Type", media_type).body(text);
        FaultPlan::none().on(Kind::ManifestGet, When::Always, fault)
    };
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    let schema1 = r#"{"schemaVersion":1}"#;
    for (plan, said) in [
        (body(&large, media::OCI_MANIFEST), "4 MiB"),
        (body(schema1, media::DOCKER_SCHEMA1_SIGNED), "schema 1"),
        (body("{", media::OCI_MANIFEST), "malformed"),
    ] {
        let registry = TestRegistry::start(plan).await;
        let error = open(&registry).fetch(&by_tag("v1")).await.unwrap_err();
        let text = chain(&error);
        assert!(text.contains(said) && text.contains(&registry.host()), "{text}");
    }
}

#[tokio::test]
async fn put_with_its_tag_in_one_request() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = open(&registry);
    let graph = image::simple(1);
    for piece in graph.blobs() {
        put(&*store, piece, &absent()).await;
    }
    registry.reset_counts();
    let tag: Tag = "v1".parse().unwrap();
    store.put_manifest(graph.root(), Some(&tag)).await.unwrap();
    assert_eq!(registry.counts().total(), 1);
    assert!(store.has(graph.root().descriptor()).await.unwrap());
    assert_eq!(store.resolve(&by_tag("v1")).await.unwrap(), graph.root().descriptor().bare());
}

#[tokio::test]
async fn another_digest_in_the_answer_is_an_error() {
    let registry = TestRegistry::start(FaultPlan::none().digest_header(DigestHeader::Wrong)).await;
    let graph = image::simple(1);
    let store = registry.store("a");
    for piece in graph.blobs() {
        put(&*store, piece, &absent()).await;
    }
    let error = open(&registry).put_manifest(graph.root(), None).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
}

#[tokio::test]
async fn what_a_registry_says_it_lacks_is_believed() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = open(&registry);
    let graph = image::simple(1);
    for piece in graph.blobs() {
        put(&*store, piece, &absent()).await;
    }
    let lost = &graph.blobs()[0];
    assert!(registry.store("a").remove_blob(&lost.descriptor().digest));
    let error = store.put_manifest(graph.root(), None).await.unwrap_err();
    assert!(error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
    assert_eq!(put(&*store, lost, &absent()).await, Put::Written);
    store.put_manifest(graph.root(), None).await.unwrap();
}

#[tokio::test]
async fn a_refused_manifest_is_told_in_the_registrys_words() {
    let registry = TestRegistry::start(FaultPlan::none().refusing_nested_indexes()).await;
    let graph = image::nested(1);
    let store = open(&registry);
    for piece in graph.blobs() {
        put(&*store, piece, &absent()).await;
    }
    let mut refused = None;
    for manifest in graph.manifests() {
        if let Err(error) = store.put_manifest(manifest, None).await {
            refused = Some(error.to_string());
        }
    }
    let text = refused.unwrap();
    assert!(text.contains("MANIFEST_INVALID") && text.contains("400"), "{text}");
}
