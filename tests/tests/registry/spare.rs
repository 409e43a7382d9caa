//! What can be done without: mounts, and questions that only save something. Where they fail, blobs
//! arrive all the same, and no host is asked again and again.

use super::*;

/// How many requests of a kind there were, whatever became of them.
fn asked(registry: &TestRegistry, kind: Kind) -> usize {
    registry.log().iter().filter(|exchange| exchange.kind == kind).count()
}

/// Blobs that the repository `a` has, and hints that they can be mounted from it.
async fn to_mount(registry: &TestRegistry) -> (Vec<Watched>, Hints) {
    let blobs: Vec<_> = (0..6).map(|seed| Watched::new(bytes(seed * 2 + 11, 1000))).collect();
    for blob in &blobs {
        registry.store("a").put(&blob.inner, &Hints::default()).await.unwrap();
    }
    (blobs, Hints { mount_from: Some(registry.name("a")), ..absent() })
}

#[tokio::test]
async fn mounts_that_never_work_become_uploads_and_are_asked_for_no_more() {
    let failing = [500, 502, 503, 504].map(Fault::status);
    for fault in failing.into_iter().chain([Fault::Break, Fault::LoseAnswer]) {
        let shown = format!("{fault:?}");
        let plan = FaultPlan::none().on(Kind::Mount, When::Always, fault);
        let registry = TestRegistry::start(plan).await;
        let (blobs, hints) = to_mount(&registry).await;
        let store = client().repository(registry.name("b"));
        for blob in &blobs {
            assert_eq!(put(&*store, blob, &hints).await, Put::Written, "{shown}");
            assert!(registry.store("b").digests().contains(&blob.descriptor().digest), "{shown}");
        }
        assert_eq!(registry.faults(), 4, "two mounts, each tried twice: {shown}");
    }
}

#[tokio::test]
async fn a_mount_that_opens_an_upload_nobody_knows_where_becomes_another() {
    let plan = FaultPlan::none().on(Kind::Mount, When::Always, Fault::status(202));
    let registry = TestRegistry::start(plan).await;
    let (blobs, hints) = to_mount(&registry).await;
    let store = client().repository(registry.name("b"));
    assert_eq!(put(&*store, &blobs[0], &hints).await, Put::Written);
    assert!(!store.mount(blobs[1].descriptor(), &registry.name("a")).await.unwrap());
}

#[tokio::test]
async fn a_mount_that_is_asked_to_wait_waits() {
    for status in [429, 503] {
        // More often than what fails is tried again.
        let busy = Fault::status(status).header("Retry-After", "0.05");
        let plan = FaultPlan::none().on(Kind::Mount, When::First(5), busy);
        let registry = TestRegistry::start(plan).await;
        let (blobs, hints) = to_mount(&registry).await;
        let store = client().repository(registry.name("b"));
        assert_eq!(put(&*store, &blobs[0], &hints).await, Put::Mounted, "{status}");
    }
}

#[tokio::test]
async fn a_mount_without_an_upload_instead_is_insisted_on() {
    let plan = FaultPlan::none().on(Kind::Mount, When::First(3), Fault::status(502));
    let registry = TestRegistry::start(plan).await;
    let (blobs, _) = to_mount(&registry).await;
    let store = client().repository(registry.name("b"));
    assert!(store.mount(blobs[0].descriptor(), &registry.name("a")).await.unwrap());
}

#[tokio::test]
async fn a_token_server_that_fails_for_two_repositories_at_once_fails_no_blob() {
    // A mount is the first request, and its token the first that is asked for.
    let plan = FaultPlan::none().auth(Auth::bearer("u", "p"));
    let plan = plan.on(Kind::Token, When::First(2), Fault::status(500));
    let registry = TestRegistry::start(plan).await;
    let (blobs, hints) = to_mount(&registry).await;
    let mut settings = quick();
    settings.credentials.fixed.insert(registry.host(), auth::basic("u", "p"));
    let store = client_with(settings).repository(registry.name("b"));
    assert_eq!(put(&*store, &blobs[0], &hints).await, Put::Written);
    let exchanges = registry.exchanges();
    assert_eq!(exchanges.len(), 1, "{exchanges:?}");
    assert_eq!(exchanges[0].len(), 1, "that of the upload: {exchanges:?}");
}

#[tokio::test]
async fn a_hint_that_leads_to_a_failing_mount_is_dropped_and_the_blob_sent() {
    let directory = tempfile::tempdir().unwrap();
    let run = || client_with(Settings { blob_hints: Some(directory.path().into()), ..quick() });
    let plan = FaultPlan::none().on(Kind::Mount, When::First(4), Fault::status(500));
    let registry = TestRegistry::start(plan).await;
    let blob = small();
    assert_eq!(put(&*run().repository(registry.name("a")), &blob, &absent()).await, Put::Written);
    for repository in ["b", "c"] {
        let store = run().repository(registry.name(repository));
        assert_eq!(put(&*store, &blob, &Hints::default()).await, Put::Written, "{repository}");
    }
    assert_eq!(registry.faults(), 4);
    assert_eq!(put(&*run().repository(registry.name("d")), &blob, &absent()).await, Put::Mounted);
    let last = registry.log().pop().unwrap();
    assert!(last.query.contains("from=c"), "those that failed are not named: {}", last.query);
}

#[tokio::test]
async fn questions_without_an_answer_are_given_up_soon() {
    let trouble = |plan: FaultPlan, kind| plan.on(kind, When::Always, Fault::status(500));
    let plan = [Kind::Tags, Kind::BlobHead].into_iter().fold(FaultPlan::none(), trouble);
    let registry = TestRegistry::start(plan.refusing_mounts()).await;
    let client = client();
    for name in ["a", "b", "c", "d", "e"] {
        let store = client.repository(registry.name(name));
        assert_eq!(put(&*store, &large(), &Hints::default()).await, Put::Written);
        assert!(registry.store(name).digests().contains(&large().descriptor().digest));
    }
    for kind in [Kind::Tags, Kind::BlobHead] {
        assert_eq!(asked(&registry, kind), 4, "two questions, each asked twice: {kind:?}");
    }
}
