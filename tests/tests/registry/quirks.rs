//! How registries differ, quirk by quirk: what is done about each. `docs/registries.md` names these.

use super::*;
use airlift_tests::Quirk;
use airlift_tests::image::{Flavour, Graph};

async fn with(quirk: Quirk) -> TestRegistry {
    TestRegistry::start(FaultPlan::none().with(quirk)).await
}

/// Puts an image's blobs, then its manifests children first, the root under `v1`; the first error.
async fn push(store: &dyn Sink, graph: &Graph) -> Result<(), StoreError> {
    for blob in graph.blobs() {
        store.put(blob, &absent()).await?;
    }
    let (root, children) = graph.manifests().split_last().unwrap();
    for child in children {
        store.put_manifest(child, None).await?;
    }
    store.put_manifest(root, Some(&"v1".parse().unwrap())).await
}

async fn refused(quirk: Quirk, graph: &Graph) -> String {
    let registry = with(quirk).await;
    let error = push(&*open(&registry), graph).await.unwrap_err();
    assert!(registry.store("a").tags().await.unwrap().is_empty(), "no tag without its content");
    let text = chain(&error);
    assert!(text.contains(&registry.host()), "{text}");
    text
}

fn mixed() -> Graph {
    let of = |flavour, seed| image::image(flavour, "linux/amd64", &image::layers(seed, 2), seed);
    image::index(Flavour::Oci, &[of(Flavour::Oci, 1), of(Flavour::Docker, 2)])
}

#[tokio::test]
async fn what_a_registry_will_not_take_is_told_in_its_words() {
    let twice = image::index(Flavour::Oci, &[image::simple(1), image::simple(1)]);
    let docker = image::image(Flavour::Docker, "linux/amd64", &image::layers(1, 2), 1);
    for (quirk, graph, said) in [
        (Quirk::NestedIndexRefused, image::nested(1), "MANIFEST_INVALID"),
        (Quirk::MixedIndexRefused, mixed(), "MANIFEST_INVALID"),
        (Quirk::RepeatedChildRefused, twice, "404"),
        (Quirk::DockerTypesRefused, docker, "MANIFEST_INVALID"),
        (Quirk::ConfigTypesGated, image::chart(1), "MANIFEST_INVALID"),
    ] {
        let text = refused(quirk.clone(), &graph).await;
        assert!(text.contains(said), "{quirk:?}: {text}");
        assert!(text.contains("/manifests/"), "{quirk:?}: {text}");
        // What is none of it passes.
        push(&*open(&with(quirk).await), &image::simple(3)).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_without_its_children_is_refused() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let graph = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    let store = open(&registry);
    let error = store.put_manifest(graph.root(), None).await.unwrap_err();
    assert!(error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
    push(&*store, &graph).await.unwrap();
}

#[tokio::test]
async fn a_repository_that_has_to_be_made_first_is_named_with_what_to_do() {
    let registry = with(Quirk::RepositoriesMade(vec!["made".to_owned()])).await;
    push(&*client().repository(registry.name("made")), &image::simple(1)).await.unwrap();
    for blob in [small(), large()] {
        let error = open(&registry).put(&blob, &Hints::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_not_found() && text.contains("made before"), "{text}");
        assert!(text.contains(&registry.name("a").to_string()), "{text}");
        assert!(blob.opened().is_empty(), "nothing is read in vain");
    }
    let deep = with(Quirk::PathDepth(2)).await;
    let error = client().repository(deep.name("a/b/c")).put(&small(), &absent()).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("a/b/c"), "{error}");
}

#[tokio::test]
async fn a_tag_that_cannot_be_moved_is_no_trouble_where_it_is_right() {
    let registry = with(Quirk::TagsImmutable).await;
    let store = open(&registry);
    push(&*store, &image::simple(1)).await.unwrap();
    push(&*store, &image::simple(1)).await.unwrap();
    let error = push(&*store, &image::simple(2)).await.unwrap_err();
    assert!(error.to_string().contains("TAG_INVALID"), "{error}");
    // The answer to the PUT that made the tag is lost, and the next one refused.
    let plan = FaultPlan::none().with(Quirk::TagsImmutable);
    let plan = plan.on(Kind::ManifestPut, When::Nth(1), Fault::LoseAnswer);
    let registry = TestRegistry::start(plan).await;
    push(&*open(&registry), &image::simple(1)).await.unwrap();
    assert_eq!((registry.counts().manifest_put, registry.counts().manifest_head), (2, 1));
}

#[tokio::test]
async fn manifests_refused_in_company_are_put_alone() {
    let registry = with(Quirk::ManifestsOneAtATime).await;
    let store = open(&registry);
    let graphs: Vec<_> = (0..12).map(image::simple).collect();
    for graph in &graphs {
        for blob in graph.blobs() {
            put(&*store, blob, &absent()).await;
        }
    }
    let puts = graphs.iter().map(|graph| store.put_manifest(graph.root(), None));
    for done in futures_util::future::join_all(puts).await {
        done.unwrap();
    }
    assert!(registry.counts().manifest_put > 12, "some met");
    // One that is invalid by itself is asked once.
    registry.reset_counts();
    let plan = FaultPlan::none().with(Quirk::NestedIndexRefused);
    let registry = TestRegistry::start(plan).await;
    push(&*open(&registry), &image::nested(1)).await.unwrap_err();
    assert_eq!(registry.counts().manifest_put, image::nested(1).manifests().len() as u64);
}

#[tokio::test]
async fn a_subject_goes_before_what_refers_to_it() {
    let registry = with(Quirk::SubjectRequired).await;
    let (graph, store) = (image::simple(1), open(&registry));
    let signature = image::signature(graph.root());
    let error = push(&*store, &signature).await.unwrap_err();
    assert!(error.to_string().contains("MANIFEST_UNKNOWN"), "{error}");
    graph.push(&*store, Some("v1")).await;
    signature.push(&*store, None).await;
}

#[tokio::test]
async fn what_is_said_to_be_listed_is_looked_for_once() {
    for (quirk, by_tag) in [(Some(Quirk::ReferrersUnlisted), true), (None, false)] {
        let plan = quirk.into_iter().fold(FaultPlan::none(), FaultPlan::with);
        let registry = TestRegistry::start(plan).await;
        let (graph, store) = (image::simple(1), open(&registry));
        graph.push(&*store, Some("v1")).await;
        for referrer in [image::signature(graph.root()), image::sbom(graph.root())] {
            referrer.push(&*store, None).await;
        }
        assert_eq!(registry.counts().referrers, 1);
        let fallback: Tag = graph.root().digest().fallback_tag().parse().unwrap();
        let tags = registry.store("a").tags().await.unwrap();
        assert_eq!(tags.contains(&fallback), by_tag, "{tags:?}");
        // Another client, which knows nothing of this one, finds both.
        let found = open(&registry).referrers(graph.root().digest()).await.unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[tokio::test]
async fn a_metered_registry_is_asked_by_head() {
    let registry = with(Quirk::ManifestGetsMetered(0)).await;
    image::simple(1).push(&*registry.store("a"), Some("v1")).await;
    let store = open(&registry);
    let found = store.resolve(&by_tag("v1")).await.unwrap();
    assert_eq!(found.digest, *image::simple(1).root().digest());
    let error = store.fetch(&by_tag("v1")).await.unwrap_err();
    assert!(error.to_string().contains("TOOMANYREQUESTS"), "{error}");
}

#[tokio::test]
async fn pages_of_tags_are_no_larger_than_any_registry_gives() {
    for most in [100, 1000] {
        let registry = with(Quirk::TagPageAtMost(most)).await;
        image::simple(1).push(&*registry.store("a"), Some("v1")).await;
        assert_eq!(open(&registry).tags().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_mount_names_the_blob_and_where_it_is() {
    let blob = large();
    for quirk in [Quirk::MountNeedsBoth, Quirk::MountFromAnywhere] {
        let registry = with_blob(FaultPlan::none().with(quirk.clone()), &blob).await;
        let store = client().repository(registry.name("b"));
        let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
        assert_eq!(put(&*store, &blob, &hints).await, Put::Mounted, "{quirk:?}");
        for exchange in registry.log() {
            let (mount, from) =
                (exchange.query.contains("mount="), exchange.query.contains("from="));
            assert_eq!(mount, from, "{}", exchange.query);
        }
    }
    // Where any repository serves, asking for what is nowhere near finds it, and it is there then.
    let registry = with_blob(FaultPlan::none().with(Quirk::MountFromAnywhere), &blob).await;
    let store = client().repository(registry.name("b"));
    put(&*store, &blob, &Hints::default()).await;
    assert!(registry.store("b").digests().contains(&blob.descriptor().digest));
}

#[tokio::test]
async fn a_blob_that_no_manifest_names_yet_is_sent_and_mounted_once_one_does() {
    let registry = with(Quirk::MountOnlyReferenced).await;
    let client = client();
    let (from, to) = (client.repository(registry.name("a")), client.repository(registry.name("b")));
    let graph = image::simple(1);
    let piece = &graph.blobs()[1];
    put(&*from, piece, &absent()).await;
    let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
    assert_eq!(put(&*to, piece, &hints).await, Put::Written);
    let counts = registry.counts();
    assert_eq!((counts.mount_refused, counts.upload_cancel), (1, 0), "the upload is used");
    push(&*from, &graph).await.unwrap();
    let to = client.repository(registry.name("c"));
    assert_eq!(put(&*to, piece, &hints).await, Put::Mounted);
}

#[tokio::test]
async fn a_mount_from_another_registry_is_never_asked_for() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let far = Name::new("elsewhere.example.com", "a").unwrap();
    let hints = Hints { mount_from: Some(far), ..absent() };
    assert_eq!(put(&*open(&registry), &small(), &hints).await, Put::Written);
    assert!(registry.log().iter().all(|exchange| !exchange.query.contains("mount=")));
}

#[tokio::test]
async fn an_upload_that_takes_too_long_goes_in_pieces() {
    let blob = large();
    // At this rate the whole takes a second and a half, a piece a quarter of one.
    let plan = FaultPlan::none().rate(1_000_000);
    let plan = plan.with(Quirk::UploadDeadline(Duration::from_secs(1)));
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 256 << 10, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
    registry.reset_counts();
    let other = Watched::new(bytes(21, LARGE));
    assert_eq!(put(&*store, &other, &absent()).await, Put::Written);
    assert!(holds(&registry, &other));
    let length = |exchange: &airlift_tests::Exchange| -> usize {
        exchange.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    assert!(registry.log().iter().all(|exchange| length(exchange) < LARGE), "it is remembered");
}

#[tokio::test]
async fn a_body_that_is_too_large_for_a_silent_proxy_goes_in_pieces() {
    let blob = large();
    let registry = with(Quirk::BodyLimitBreaks(200_000)).await;
    let settings = Settings { chunk_size: 1 << 20, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
    // One that takes nothing at all is given up.
    let registry = with(Quirk::BodyLimitBreaks(10)).await;
    let error = open(&registry).put(&blob, &absent()).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(registry.counts().total() < 80, "{:?}", registry.counts());
}

#[tokio::test]
async fn an_upload_that_is_forgotten_when_it_breaks_begins_anew() {
    let blob = large();
    for kind in [Kind::UploadPut, Kind::UploadPatch] {
        let mut plan = FaultPlan::none()
            .with(Quirk::BrokenUploadsForgotten)
            .on(kind, When::Nth(2), Fault::CutUpload(100_000))
            .on(kind, When::Nth(1), Fault::CutUpload(300_000));
        if kind == Kind::UploadPatch {
            plan = plan.monolithic_limit(100);
        }
        let registry = TestRegistry::start(plan).await;
        let settings = Settings { chunk_size: 500_000, ..quick() };
        let store = client_with(settings).repository(registry.name("a"));
        assert_eq!(put(&*store, &blob, &absent()).await, Put::Written, "{kind:?}");
        assert!(holds(&registry, &blob));
        assert!(registry.counts().upload_post >= 3, "{:?}", registry.counts());
    }
}

#[tokio::test]
async fn a_chunk_that_does_not_fit_where_the_upload_is_begins_anew() {
    for status in [416, 404] {
        let blob = large();
        let plan = FaultPlan::none().monolithic_limit(100).on(
            Kind::UploadPatch,
            When::Nth(2),
            Fault::status(status),
        );
        let registry = TestRegistry::start(plan).await;
        let settings = Settings { chunk_size: 500_000, ..quick() };
        let store = client_with(settings).repository(registry.name("a"));
        assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
        assert!(holds(&registry, &blob));
    }
}

#[tokio::test]
async fn the_smallest_chunk_is_asked_of_the_registry() {
    let plan = FaultPlan::none().monolithic_limit(100).with(Quirk::SmallestChunk(700_000));
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 100_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    put(&*store, &large(), &absent()).await;
    let log = registry.log();
    let chunks = log.iter().filter(|exchange| exchange.kind == Kind::UploadPatch);
    let sizes: Vec<u64> =
        chunks.map(|chunk| chunk.header("content-length").unwrap().parse().unwrap()).collect();
    let (last, others) = sizes.split_last().unwrap();
    assert!(others.iter().all(|size| *size >= 700_000), "{others:?} {last}");
}

#[tokio::test]
async fn too_many_requests_in_other_words() {
    let code = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    let github = "You have exceeded a secondary rate limit. Please wait a few minutes.";
    for (kind, fault) in [
        (Kind::BlobGet, Fault::status(429).body("Rate exceeded")),
        (Kind::BlobGet, Fault::status(403).body(code)),
        (Kind::BlobGet, Fault::status(403).body(github)),
        (Kind::BlobGet, Fault::status(403).header("Retry-After", "1")),
        (Kind::BlobGet, Fault::status(400).body("ThrottlingException: Rate exceeded")),
        (Kind::UploadPost, Fault::status(403).body(code)),
        (Kind::UploadPut, Fault::status(403).body(code)),
        (Kind::UploadPut, Fault::status(429)),
    ] {
        for blob in [small(), large()] {
            let plan = FaultPlan::none().on(kind, When::First(2), fault.clone());
            let registry = with_blob(plan, &blob).await;
            let store = open(&registry);
            if kind == Kind::BlobGet {
                read(&*store, &blob).await.unwrap();
            } else {
                let other = Watched::new(bytes(77, blob.descriptor().size as usize));
                assert_eq!(put(&*store, &other, &absent()).await, Put::Written, "{fault:?}");
            }
            assert_eq!(registry.faults(), 2, "{fault:?}");
        }
    }
}
