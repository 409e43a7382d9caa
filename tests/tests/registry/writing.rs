//! Uploads: few requests, and what they do when they break.

use super::*;
use airlift_tests::Counts;

fn expect(counts: Counts, expected: Counts) {
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn an_absent_blob_costs_two_requests() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = open(&registry);
    assert_eq!(put(&*store, &small(), &Hints::default()).await, Put::Written);
    assert_eq!(put(&*store, &large(), &absent()).await, Put::Written);
    assert!(holds(&registry, &small()) && holds(&registry, &large()));
    expect(registry.counts(), Counts { upload_post: 2, upload_put: 2, ..Counts::default() });
}

#[tokio::test]
async fn in_a_new_repository_nothing_is_looked_for() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = open(&registry);
    let blobs: Vec<_> = (0..5).map(|seed| Watched::new(bytes(seed * 2 + 11, LARGE))).collect();
    for blob in &blobs {
        put(&*store, blob, &Hints::default()).await;
    }
    let expected = Counts { upload_post: 5, upload_put: 5, tags: 1, ..Counts::default() };
    expect(registry.counts(), expected);
}

#[tokio::test]
async fn what_was_put_is_known_to_be_there() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let store = open(&registry);
    let blob = small();
    put(&*store, &blob, &Hints::default()).await;
    registry.reset_counts();
    assert_eq!(put(&*store, &blob, &Hints::default()).await, Put::Existed);
    assert!(store.has(blob.descriptor()).await.unwrap());
    assert_eq!(registry.counts().total(), 0);
}

#[tokio::test]
async fn a_present_blob_costs_one_request() {
    let blob = large();
    let registry = with_blob(FaultPlan::none(), &blob).await;
    image::simple(1).push(&*registry.store("a"), Some("v1")).await;
    let store = open(&registry);
    assert_eq!(put(&*store, &blob, &Hints::default()).await, Put::Existed);
    // Whether the repository exists is asked once, before the first large blob.
    expect(registry.counts(), Counts { tags: 1, mount_ok: 1, ..Counts::default() });
    registry.reset_counts();
    for piece in image::simple(1).blobs() {
        assert_eq!(put(&*store, piece, &Hints::default()).await, Put::Existed);
    }
    let blobs = image::simple(1).blobs().len() as u64;
    expect(registry.counts(), Counts { mount_ok: blobs, ..Counts::default() });
}

#[tokio::test]
async fn where_mounts_are_refused_a_head_finds_the_blob() {
    let blob = large();
    let registry = with_blob(FaultPlan::none().refusing_mounts(), &blob).await;
    image::simple(1).push(&*registry.store("a"), Some("v1")).await;
    let store = open(&registry);
    assert_eq!(put(&*store, &blob, &Hints::default()).await, Put::Existed);
    assert_eq!(registry.counts().upload_cancel, 1, "the upload that was opened is given up");
    assert!(blob.opened().is_empty());
}

#[tokio::test]
async fn mounted_within_a_registry() {
    let blob = large();
    let registry = with_blob(FaultPlan::none(), &blob).await;
    let store = client().repository(registry.name("b"));
    let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
    assert_eq!(put(&*store, &blob, &hints).await, Put::Mounted);
    expect(registry.counts(), Counts { mount_ok: 1, ..Counts::default() });
    assert!(registry.store("b").digests().contains(&blob.descriptor().digest));
}

#[tokio::test]
async fn a_refused_mount_goes_on_as_the_upload_it_opened() {
    let blob = large();
    let registry = with_blob(FaultPlan::none().refusing_mounts(), &blob).await;
    let store = client().repository(registry.name("b"));
    let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
    assert_eq!(put(&*store, &blob, &hints).await, Put::Written);
    expect(registry.counts(), Counts { mount_refused: 1, upload_put: 1, ..Counts::default() });
}

#[tokio::test]
async fn mounts_that_fail_in_other_ways_become_uploads() {
    let blob = small();
    for status in [400, 403, 404, 405, 500] {
        let plan = FaultPlan::none().on(Kind::Mount, When::First(1), Fault::status(status));
        let registry = with_blob(plan, &blob).await;
        let store = client().repository(registry.name("b"));
        let hints = Hints { mount_from: Some(registry.name("a")), ..absent() };
        let done = put(&*store, &blob, &hints).await;
        assert_eq!(done, if status == 500 { Put::Mounted } else { Put::Written }, "{status}");
    }
}

#[tokio::test]
async fn mount_alone_leaves_no_upload_open() {
    let blob = small();
    let registry = with_blob(FaultPlan::none().refusing_mounts(), &blob).await;
    let store = client().repository(registry.name("b"));
    assert!(!store.mount(blob.descriptor(), &registry.name("a")).await.unwrap());
    expect(registry.counts(), Counts { mount_refused: 1, upload_cancel: 1, ..Counts::default() });
    let far = Name::new("elsewhere.example.com", "a").unwrap();
    assert!(!store.mount(blob.descriptor(), &far).await.unwrap());
}

#[tokio::test]
async fn locations_of_every_form() {
    use UploadLocation::{Absolute, OtherHost, Relative, WithQuery};
    for location in [Relative, Absolute, WithQuery, OtherHost] {
        for blob in [small(), large()] {
            let plan = FaultPlan::none().location(location).auth(Auth::basic("u", "p"));
            let registry = TestRegistry::start(plan).await;
            let store = auth::as_user(&registry, "u", "p");
            assert_eq!(put(&*store, &blob, &absent()).await, Put::Written, "{location:?}");
            assert!(holds(&registry, &blob), "{location:?}");
            assert!(!registry.log_elsewhere().iter().any(airlift_tests::Exchange::is_authorized));
        }
    }
}

#[tokio::test]
async fn a_broken_upload_goes_on_from_where_the_registry_is() {
    let blob = large();
    let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), Fault::CutUpload(400_000)).on(
        Kind::UploadPut,
        When::Nth(2),
        Fault::CutUpload(300_000),
    );
    let registry = TestRegistry::start(plan).await;
    assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
    let opened = blob.opened();
    assert_eq!(opened.len(), 3, "{opened:?}");
    let counts = registry.counts();
    assert_eq!((counts.upload_post, counts.upload_status), (1, 2), "{opened:?}");
    assert!(opened[1] >= 300_000 && opened[2] > opened[1], "{opened:?}");
}

#[tokio::test]
async fn a_lost_upload_begins_anew() {
    for blob in [small(), large()] {
        let plan = FaultPlan::none().on(
            Kind::UploadPut,
            When::Nth(1),
            Fault::status(404).body(r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
        );
        let registry = TestRegistry::start(plan).await;
        assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
        assert_eq!(registry.counts().upload_post, 2);
        assert!(holds(&registry, &blob));
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_second_upload() {
    for blob in [small(), large()] {
        let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), Fault::LoseAnswer);
        let registry = TestRegistry::start(plan).await;
        assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
        assert_eq!(blob.opened(), [0]);
        assert_eq!(registry.counts().upload_post, 1);
        assert!(holds(&registry, &blob));
    }
}

#[tokio::test]
async fn a_small_blob_gets_through_however_often_a_part_of_it_was_left_behind() {
    // A registry that keeps what came of a broken request takes the next one for what follows.
    let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), Fault::CutUpload(100));
    let plan = plan.on(Kind::UploadPut, When::Nth(3), Fault::CutUpload(100));
    let plan = plan.on(Kind::UploadPut, When::Nth(5), Fault::CutUpload(100));
    let registry = TestRegistry::start(plan).await;
    assert_eq!(put(&*open(&registry), &small(), &absent()).await, Put::Written);
    assert!(holds(&registry, &small()));
    let counts = registry.counts();
    assert_eq!((counts.upload_put, counts.upload_post), (7, 4), "{counts:?}");
    assert_eq!(counts.upload_cancel, 3, "nothing is left open");
}

#[tokio::test]
async fn a_stalled_upload_is_broken_off() {
    // Larger than what sockets take in by themselves.
    let blob = Watched::new(Bytes::from(vec![3; 24_000_000]));
    let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), Fault::StallUpload(100_000));
    let registry = TestRegistry::start(plan).await;
    assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
}

#[tokio::test]
async fn too_large_in_one_piece_goes_in_chunks() {
    for blob in [Watched::new(bytes(5, 200_000)), large()] {
        let registry = TestRegistry::start(FaultPlan::none().monolithic_limit(150_000)).await;
        let store = open(&registry);
        assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
        assert!(holds(&registry, &blob));
        registry.reset_counts();
        let other = Watched::new(bytes(21, blob.descriptor().size as usize));
        put(&*store, &other, &absent()).await;
        assert!(holds(&registry, &other));
        assert_eq!(registry.counts().total(), 3, "what was refused is not tried again");
    }
}

#[tokio::test]
async fn chunks_shrink_until_they_pass() {
    let blob = large();
    let registry = TestRegistry::start(FaultPlan::none().body_limit(200_000)).await;
    let settings = Settings { chunk_size: 1 << 20, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
    let registry = TestRegistry::start(FaultPlan::none().body_limit(10)).await;
    let error = open(&registry).put(&blob, &absent()).await.unwrap_err();
    assert!(error.to_string().contains("413"), "{error}");
    assert_eq!(registry.counts().upload_cancel, 1);
}

#[tokio::test]
async fn a_broken_chunk_goes_on() {
    let blob = large();
    let plan = FaultPlan::none()
        .monolithic_limit(100)
        .on(Kind::UploadPatch, When::Nth(2), Fault::CutUpload(100_000))
        .on(Kind::UploadPatch, When::Nth(4), Fault::status(503));
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 300_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    assert_eq!(put(&*store, &blob, &absent()).await, Put::Written);
    assert!(holds(&registry, &blob));
}

#[tokio::test]
async fn a_smallest_chunk_is_respected() {
    let blob = large();
    let length =
        |exchange: &airlift_tests::Exchange| exchange.header("content-length").map(str::to_owned);
    // The upload named by the first answer is unknown to the registry, which is found out by the
    // first chunk; how large that is, is what the answer asked for.
    let place = "/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000";
    let answer =
        Fault::status(202).header("Location", place).header("OCI-Chunk-Min-Length", "700000");
    let plan = FaultPlan::none().monolithic_limit(100).on(Kind::UploadPost, When::Nth(2), answer);
    let registry = TestRegistry::start(plan).await;
    let settings = Settings { chunk_size: 100_000, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    put(&*store, &blob, &absent()).await;
    registry.reset_counts();
    let other = Watched::new(bytes(33, LARGE));
    assert_eq!(put(&*store, &other, &absent()).await, Put::Written);
    assert!(holds(&registry, &other));
    let log = registry.log();
    let mut chunks = log.iter().filter(|exchange| exchange.kind == Kind::UploadPatch);
    assert_eq!(length(chunks.next().unwrap()).as_deref(), Some("700000"));
    assert_eq!(length(chunks.next().unwrap()).as_deref(), Some("100000"));
}

#[tokio::test]
async fn damaged_content_is_read_once_more() {
    for mut blob in [small(), large()] {
        blob.damaged = 1;
        let registry = TestRegistry::start(FaultPlan::none()).await;
        assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
        assert!(holds(&registry, &blob));
        blob.damaged = 9;
        let registry = TestRegistry::start(FaultPlan::none()).await;
        let error = open(&registry).put(&blob, &absent()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
        assert_eq!(error.place(), "damaged source", "the side that failed is named");
        assert!(!holds(&registry, &blob));
        let counts = registry.counts();
        assert_eq!(counts.upload_post, counts.upload_cancel, "no upload is left open");
    }
}

#[tokio::test]
async fn content_that_can_be_read_once_says_so() {
    let mut blob = large();
    blob.once = true;
    let plan = FaultPlan::none().on(Kind::UploadPut, When::Nth(1), Fault::CutUpload(400_000));
    let registry = TestRegistry::start(plan).await;
    let error = open(&registry).put(&blob, &absent()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Spent(_)), "{error}");
    assert_eq!(error.place(), "tape");
    // What is small is kept until it has arrived.
    let mut blob = small();
    blob.once = true;
    let plan = FaultPlan::none().on(Kind::UploadPut, When::First(2), Fault::status(502));
    let registry = TestRegistry::start(plan).await;
    assert_eq!(put(&*open(&registry), &blob, &absent()).await, Put::Written);
}

#[tokio::test]
async fn a_refusal_is_final_and_in_the_registrys_words() {
    let refusal =
        Fault::status(403).body(r#"{"errors":[{"code":"DENIED","message":"quota exceeded"}]}"#);
    for kind in [Kind::UploadPost, Kind::UploadPut] {
        let plan = FaultPlan::none().on(kind, When::Always, refusal.clone());
        let registry = TestRegistry::start(plan).await;
        let error = open(&registry).put(&large(), &absent()).await.unwrap_err();
        assert!(error.is_denied() && error.to_string().contains("quota exceeded"), "{error}");
        assert_eq!(registry.faults(), 1, "asked once");
    }
}

/// So many large blobs as they are read from one repository, and another to put them into, by a client
/// with one connection for each direction.
async fn with_one_connection(
    registry: &TestRegistry,
    count: u32,
) -> (Vec<Remote>, Arc<RegistryStore>) {
    let client = client_with(Settings { max_connections_per_host: 1, ..quick() });
    let contents = held(registry, &client.repository(registry.name("a")), count).await;
    (contents, client.repository(registry.name("b")))
}

#[tokio::test]
async fn copied_within_a_registry_with_one_connection() {
    let registry = TestRegistry::start(FaultPlan::none().refusing_mounts()).await;
    let (contents, to) = with_one_connection(&registry, 6).await;
    let hints = absent();
    let puts = contents.iter().map(|content| to.put(content, &hints));
    for done in futures_util::future::join_all(puts).await {
        assert_eq!(done.unwrap(), Put::Written);
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_opened_at_once_lets_others_end() {
    // Where there is one connection for each direction, one has a blob open and the other the right
    // to send: neither may wait for what the other has.
    let plan = FaultPlan::none().refusing_mounts();
    let plan = plan.on(Kind::UploadPost, When::Nth(2), Fault::status(503));
    let registry = TestRegistry::start(plan).await;
    let (contents, to) = with_one_connection(&registry, 4).await;
    let hints = absent();
    // Uploads are known to work from then on, so that content is opened meanwhile.
    put(&*to, &small(), &hints).await;
    let puts = contents.iter().map(|content| to.put(content, &hints));
    let puts = futures_util::future::join_all(puts);
    let done = tokio::time::timeout(Duration::from_secs(20), puts).await;
    let done = done.expect("each waits for the other");
    assert!(done.into_iter().all(|put| put.unwrap() == Put::Written));
    assert_eq!(registry.faults(), 1);
}
