//! Downloads that break, stall, lie.

use super::mirrors::mirrored;
use super::*;
use airlift_oci::store::Remote;
use futures_util::StreamExt;

#[tokio::test]
async fn a_broken_download_goes_on_from_where_it_broke() {
    let blob = large();
    let plan = FaultPlan::none()
        .on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(500_000))
        .on(Kind::BlobGet, When::Nth(2), Fault::CutDownload(400_000))
        .on(Kind::BlobGet, When::Nth(3), Fault::status(502));
    let registry = with_blob(plan, &blob).await;
    assert_eq!(read(&*open(&registry), &blob).await.unwrap(), bytes(7, LARGE));
    let ranges: Vec<_> =
        registry.log().iter().map(|get| get.header("range").unwrap_or("").to_owned()).collect();
    assert_eq!(ranges, ["", "bytes=500000-", "bytes=900000-", "bytes=900000-"]);
}

#[tokio::test]
async fn many_breaks_are_no_failure_while_there_is_progress() {
    let blob = large();
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::CutDownload(100_000));
    let registry = with_blob(plan, &blob).await;
    assert_eq!(read(&*open(&registry), &blob).await.unwrap().len(), LARGE);
}

#[tokio::test]
async fn without_progress_tries_end() {
    let blob = large();
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(1000)).on(
        Kind::BlobGet,
        When::Always,
        Fault::CutDownload(0),
    );
    let registry = with_blob(plan, &blob).await;
    let error = read(&*open(&registry), &blob).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Network(_)), "{}", chain(&error));
    assert_eq!(error.place(), registry.name("a").to_string());
    assert_eq!(registry.counts().blob_get, 1 + 4);
}

#[tokio::test]
async fn where_ranges_are_ignored_the_known_part_is_dropped() {
    let blob = large();
    let plan = FaultPlan::none().ignoring_range().on(
        Kind::BlobGet,
        When::Nth(1),
        Fault::CutDownload(700_001),
    );
    let registry = with_blob(plan, &blob).await;
    let store = open(&registry);
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(7, LARGE));
    let rest = store.open(blob.descriptor(), 1_000_000).await.unwrap().read_all().await.unwrap();
    assert_eq!(rest, bytes(7, LARGE).slice(1_000_000..));
}

#[tokio::test]
async fn a_stalled_download_is_broken_off_and_resumed() {
    let blob = large();
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), Fault::StallDownload(300_000));
    let registry = with_blob(plan, &blob).await;
    assert_eq!(read(&*open(&registry), &blob).await.unwrap(), bytes(7, LARGE));
    assert_eq!(registry.log()[1].header("range"), Some("bytes=300000-"));
}

#[tokio::test]
async fn where_a_part_is_not_the_one_asked_for_the_whole_is_read() {
    let blob = large();
    let lie = Fault::status(206).header("Content-Range", "bytes 600000-1499999/1500000").body("x");
    for fault in [lie, Fault::status(206), Fault::status(416), Fault::status(400)] {
        let plan = FaultPlan::none()
            .on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(500_000))
            .on(Kind::BlobGet, When::Nth(2), fault);
        let registry = with_blob(plan, &blob).await;
        assert_eq!(read(&*open(&registry), &blob).await.unwrap(), bytes(7, LARGE));
        assert_eq!(registry.log()[2].header("range"), None);
    }
}

#[tokio::test]
async fn a_part_of_a_blob_of_another_size_is_refused() {
    let blob = large();
    let size = Fault::status(206).header("Content-Range", "bytes 500000-1499998/1499999").body("x");
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(500_000)).on(
        Kind::BlobGet,
        When::Nth(2),
        size,
    );
    let registry = with_blob(plan, &blob).await;
    let error = read(&*open(&registry), &blob).await.unwrap_err();
    assert!(error.to_string().contains("1499999"), "{error}");
}

#[tokio::test]
async fn damage_to_a_large_blob_is_found_and_to_a_small_one_mended() {
    let (large, small) = (large(), small());
    let flip = || FaultPlan::none().on(Kind::BlobGet, When::Nth(1), Fault::FlipDownload(77));
    let registry = with_blob(flip(), &large).await;
    let error = read(&*open(&registry), &large).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
    let registry = with_blob(flip(), &small).await;
    assert_eq!(read(&*open(&registry), &small).await.unwrap(), bytes(9, 1000));
    let always = FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::FlipDownload(77));
    let registry = with_blob(always, &small).await;
    let error = read(&*open(&registry), &small).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
    assert_eq!(registry.counts().blob_get, 2, "bad twice is bad");
}

#[tokio::test]
async fn what_is_not_there_costs_one_request() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    for blob in [large(), small()] {
        let error = read(&*open(&registry), &blob).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
    assert_eq!(registry.counts().total(), 2);
}

#[tokio::test]
async fn redirects_are_followed_without_credentials() {
    let blob = large();
    let plan = FaultPlan::none().redirecting_blobs().auth(Auth::basic("u", "p"));
    let registry = with_blob(plan, &blob).await;
    let store = auth::as_user(&registry, "u", "p");
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(7, LARGE));
    assert!(registry.log().iter().any(airlift_tests::Exchange::is_authorized));
    let elsewhere = registry.log_elsewhere();
    assert!(!elsewhere.is_empty() && !elsewhere[0].is_authorized());
    assert_eq!(elsewhere[0].header("referer"), None);
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let registry = TestRegistry::start(FaultPlan::none().on(
        Kind::BlobGet,
        When::Always,
        Fault::status(307).header("Location", "?again"),
    ))
    .await;
    let error = read(&*open(&registry), &large()).await.unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
}

#[tokio::test]
async fn another_endpoint_helps_out() {
    let blob = large();
    let broken =
        TestRegistry::start(FaultPlan::none().on_any(When::Always, Fault::status(500))).await;
    let empty = TestRegistry::start(FaultPlan::none()).await;
    let good = with_blob(FaultPlan::none(), &blob).await;
    let endpoints = [&broken, &empty, &good].map(|registry| airlift_oci::registry::Endpoint {
        url: registry.url(),
        ..Default::default()
    });
    let host = HostSettings { endpoints: endpoints.into(), ..HostSettings::default() };
    let mut settings = quick();
    settings.hosts.insert("registry.example.com".to_owned(), host);
    let name = Name::new("registry.example.com", "a").unwrap();
    let store = client_with(settings).repository(name);
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(7, LARGE));
    let error = read(&*store, &small()).await.unwrap_err();
    assert!(error.to_string().contains("500"), "what failed may have had it: {error}");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_out_for_a_while() {
    let blob = small();
    let broken =
        TestRegistry::start(FaultPlan::none().on_any(When::Always, Fault::status(500))).await;
    let good = with_blob(FaultPlan::none(), &blob).await;
    let store = mirrored(&[&broken, &good]);
    for _ in 0..20 {
        read(&*store, &blob).await.unwrap();
        store.tags().await.unwrap();
    }
    // A try and one more; then it is not asked again.
    assert_eq!(broken.counts().total(), 2);
}

#[tokio::test]
async fn an_endpoint_that_breaks_off_gives_way_to_another() {
    let blob = large();
    let plan = FaultPlan::none()
        .on(Kind::BlobGet, When::Nth(1), Fault::CutDownload(500_000))
        .on_any(When::Always, Fault::Break);
    let (broken, good) = tokio::join!(with_blob(plan, &blob), with_blob(FaultPlan::none(), &blob));
    let store = mirrored(&[&broken, &good]);
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(7, LARGE));
    let log = good.log();
    assert_eq!(log.len(), 1);
    assert!(matches!(log[0].header("range"), None | Some("bytes=500000-")), "{log:?}");
}

#[tokio::test]
async fn a_damaged_blob_is_fetched_from_another_endpoint() {
    let flip = || FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::FlipDownload(77));
    for blob in [small(), large()] {
        let (bad, good) =
            tokio::join!(with_blob(flip(), &blob), with_blob(FaultPlan::none(), &blob));
        let target = TestRegistry::start(FaultPlan::none()).await;
        let content = Remote::new(mirrored(&[&bad, &good]), blob.descriptor().clone());
        let store = open(&target);
        store.put(&content, &absent()).await.unwrap();
        assert!(holds(&target, &blob));
        assert_eq!((bad.counts().blob_get, good.counts().blob_get), (1, 1));
    }
}

#[tokio::test]
async fn endpoints_share_the_load_by_their_speed() {
    // So slow that how busy the machine is matters little beside it.
    let blobs: Vec<_> = (0..24).map(|seed| Watched::new(bytes(seed * 2 + 1, 3 << 19))).collect();
    let (slow, fast) = tokio::join!(
        TestRegistry::start(FaultPlan::none().rate(1_500_000)),
        TestRegistry::start(FaultPlan::none().rate(7_500_000))
    );
    for registry in [&slow, &fast] {
        for blob in &blobs {
            registry.store("a").put(&blob.inner, &Hints::default()).await.unwrap();
        }
    }
    let store = mirrored(&[&slow, &fast]);
    let reads = blobs.iter().map(|blob| read(&*store, blob));
    let read: Vec<_> = futures_util::stream::iter(reads).buffer_unordered(4).collect().await;
    assert!(read.iter().all(Result::is_ok));
    let (slow, fast) = (slow.counts().blob_get, fast.counts().blob_get);
    assert!(slow >= 1 && 2 * fast > 3 * slow, "{slow} and {fast}");
}

#[tokio::test]
async fn names_are_rewritten_for_reads() {
    let blob = small();
    let registry = TestRegistry::start(FaultPlan::none()).await;
    registry.store("mirror/lib/x").put(&blob.inner, &Hints::default()).await.unwrap();
    let rewrite = ("^library/(.*)$".parse().unwrap(), "mirror/lib/$1".to_owned());
    let host = HostSettings { rewrite_pull: vec![rewrite], ..HostSettings::default() };
    let mut settings = quick();
    settings.hosts.insert(registry.host(), host);
    let store = client_with(settings).repository(registry.name("library/x"));
    assert_eq!(read(&*store, &blob).await.unwrap(), bytes(9, 1000));
    put(&*store, &blob, &absent()).await;
    assert_eq!(registry.log().last().unwrap().repository().as_deref(), Some("library/x"));
}
