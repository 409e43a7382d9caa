//! Registries at several endpoints: one that fails, in whatever way, costs no image while another
//! is whole, and those that are whole share the load.

use std::time::Instant;

use super::*;
use airlift_oci::registry::Endpoint;
use futures_util::StreamExt;
use futures_util::future::join_all;

/// Longer than anything here takes that does not wait for an endpoint that is out.
const LONG: Duration = Duration::from_secs(20);

/// A client for a registry that is reached at each of these.
pub(super) fn mirrored(endpoints: &[&TestRegistry]) -> Arc<RegistryStore> {
    mirrored_with(endpoints, quick())
}

fn mirrored_with(endpoints: &[&TestRegistry], mut settings: Settings) -> Arc<RegistryStore> {
    let endpoint =
        |registry: &&TestRegistry| Endpoint { url: registry.url(), ..Endpoint::default() };
    let endpoints = endpoints.iter().map(endpoint).collect();
    let host = HostSettings { endpoints, ..HostSettings::default() };
    settings.hosts.insert("registry.example.com".to_owned(), host);
    client_with(settings).repository(Name::new("registry.example.com", "a").unwrap())
}

fn blobs(count: u32, size: usize) -> Vec<Watched> {
    (0..count).map(|seed| Watched::new(bytes(seed * 2 + 1, size))).collect()
}

/// A registry whose repository `a` has these blobs, and an image `v1`.
async fn with_all(plan: FaultPlan, blobs: &[Watched]) -> TestRegistry {
    let registry = TestRegistry::start(plan).await;
    let store = registry.store("a");
    image::simple(1).push(&*store, Some("v1")).await;
    for blob in blobs {
        store.put(&blob.inner, &Hints::default()).await.unwrap();
    }
    registry
}

/// Reads all at once, and expects them to be right within the time.
async fn read_all(store: &RegistryStore, blobs: &[Watched], within: Duration) {
    let reads = join_all(blobs.iter().map(|blob| read(store, blob)));
    let read = tokio::time::timeout(within, reads).await.unwrap();
    for (blob, read) in blobs.iter().zip(read) {
        assert_eq!(Digest::of(&read.unwrap()), blob.descriptor().digest);
    }
}

fn busy(wait: &str) -> Fault {
    Fault::status(429).header("Retry-After", wait)
}

#[tokio::test]
async fn one_that_breaks_every_body_costs_no_blob_and_is_left_out() {
    let faults =
        [Fault::CutDownload(100), Fault::CutDownload(500_000), Fault::StallDownload(300_000)];
    for fault in faults {
        let blobs = blobs(8, LARGE);
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, fault.clone());
        let (bad, good) = tokio::join!(with_all(plan, &blobs), with_all(FaultPlan::none(), &blobs));
        let store = mirrored(&[&bad, &good]);
        read_all(&store, &blobs, LONG).await;
        let asked = bad.counts().blob_get;
        assert!((1..=8).contains(&asked), "{fault:?}: {asked}");
        if fault == Fault::CutDownload(500_000) {
            let log = good.log();
            let on = |from: &str| log.iter().any(|get| get.header("range") == Some(from));
            assert!(on("bytes=500000-"), "what came is kept: {log:?}");
        }
        for _ in 0..3 {
            read_all(&store, &blobs, LONG).await;
            store.tags().await.unwrap();
        }
        assert_eq!(bad.counts().total(), asked, "{fault:?}: it is left out");
    }
}

#[tokio::test]
async fn where_all_break_what_comes_is_put_together() {
    let blobs = blobs(3, LARGE);
    let cut = |at| FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::CutDownload(at));
    let (a, b) = tokio::join!(with_all(cut(0), &blobs), with_all(cut(400_000), &blobs));
    read_all(&mirrored(&[&a, &b]), &blobs, LONG).await;
    // Another that has it not at all is no help, and no hindrance.
    let empty = TestRegistry::start(FaultPlan::none()).await;
    read_all(&mirrored(&[&b, &empty]), &blobs, LONG).await;
}

#[tokio::test]
async fn one_that_asks_for_patience_halts_nobody() {
    let blobs = blobs(40, 1000);
    let plan = FaultPlan::none()
        .on_any(When::Always, Fault::Delay(Duration::from_millis(50)))
        .on_any(When::Always, busy("600"));
    let (bad, good) = tokio::join!(with_all(plan, &blobs), with_all(FaultPlan::none(), &blobs));
    let settings = Settings { max_connections_per_host: 2, ..quick() };
    let store = mirrored_with(&[&bad, &good], settings);
    read_all(&store, &blobs, LONG).await;
    let tags = join_all((0..40).map(|_| store.tags()));
    assert!(tokio::time::timeout(LONG, tags).await.unwrap().iter().all(Result::is_ok));
    assert!(bad.counts().total() <= 4, "{:?}", bad.counts());
}

#[tokio::test]
async fn where_no_other_has_it_the_shortest_pause_is_waited_out() {
    let blob = [small()];
    let soon = FaultPlan::none().on_any(When::First(1), busy("4"));
    let late = FaultPlan::none().on_any(When::Always, busy("600"));
    let (late, soon) = tokio::join!(with_all(late, &blob), with_all(soon, &blob));
    let empty = TestRegistry::start(FaultPlan::none()).await;
    let started = Instant::now();
    read_all(&mirrored(&[&late, &soon, &empty]), &blob, LONG).await;
    assert!(started.elapsed() >= Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_that_never_answers_is_passed_over() {
    let blobs = blobs(40, 1000);
    let silent = FaultPlan::none().on_any(When::Always, Fault::Hang);
    let no_token =
        FaultPlan::none().auth(Auth::bearer("u", "p")).on(Kind::Token, When::Always, Fault::Hang);
    for plan in [silent, no_token] {
        let (bad, good) = tokio::join!(with_all(plan, &blobs), with_all(FaultPlan::none(), &blobs));
        let settings = Settings {
            max_connections_per_host: 2,
            answer_timeout: Duration::from_secs(1),
            ..quick()
        };
        let store = mirrored_with(&[&bad, &good], settings);
        let tags = join_all((0..40).map(|_| store.tags()));
        let tags = tokio::time::timeout(LONG, tags);
        let (tags, ()) = tokio::join!(tags, read_all(&store, &blobs, LONG));
        assert!(tags.unwrap().iter().all(Result::is_ok));
        let asked = bad.heard();
        assert!(asked <= 8, "{asked}");
        store.tags().await.unwrap();
        assert_eq!(bad.heard(), asked, "it is left out");
    }
}

/// How many of the blobs each of them gave, read by so many at once.
async fn shares(endpoints: &[&TestRegistry], blobs: &[Watched], at_once: usize) -> Vec<u64> {
    let store = mirrored(endpoints);
    let reads = blobs.iter().map(|blob| read(&*store, blob));
    let read: Vec<_> = futures_util::stream::iter(reads).buffer_unordered(at_once).collect().await;
    assert!(read.iter().all(Result::is_ok));
    endpoints.iter().map(|registry| registry.counts().blob_get).collect()
}

#[tokio::test]
async fn those_that_are_alike_share_the_load_whatever_the_size() {
    for size in [1000, 600_000] {
        let blobs = blobs(36, size);
        let start = || with_all(FaultPlan::none().delayed(Duration::from_millis(50)), &blobs);
        let (a, b, c) = tokio::join!(start(), start(), start());
        let shares = shares(&[&a, &b, &c], &blobs, 12).await;
        assert!(shares.iter().all(|share| *share >= 6), "{size}: {shares:?}");
    }
}

#[tokio::test]
async fn one_whose_answers_take_long_is_asked_for_little() {
    let blobs = blobs(40, 1000);
    let late = FaultPlan::none().delayed(Duration::from_millis(300));
    let (late, prompt) = tokio::join!(with_all(late, &blobs), with_all(FaultPlan::none(), &blobs));
    let shares = shares(&[&late, &prompt], &blobs, 4).await;
    assert!(shares[0] >= 1 && shares[0] <= 10, "{shares:?}");
}

#[tokio::test]
async fn one_that_refuses_what_another_answers_is_left_out() {
    let loops = Fault::status(307).header("Location", "/v2/x");
    let page = Fault::status(200).header("Content-Type", "text/html").body("<html>log in");
    let wants = Fault::status(401).header("WWW-Authenticate", "Basic realm=\"x\"");
    for (fault, most) in [(wants, 2), (Fault::status(403), 2), (loops, 11), (page, 2)] {
        let blobs = blobs(10, 1000);
        let plan = FaultPlan::none().on_any(When::Always, fault.clone());
        let (bad, good) = tokio::join!(with_all(plan, &blobs), with_all(FaultPlan::none(), &blobs));
        let store = mirrored(&[&bad, &good]);
        for blob in &blobs {
            store.fetch(&by_tag("v1")).await.unwrap();
            read(&*store, blob).await.unwrap();
        }
        assert!((1..=most).contains(&bad.heard()), "{fault:?}: {}", bad.heard());
    }
}

#[tokio::test]
async fn one_that_merely_lacks_a_blob_is_asked_for_the_next() {
    let blobs = blobs(5, 1000);
    let (lacks, good) =
        tokio::join!(with_all(FaultPlan::none(), &[]), with_all(FaultPlan::none(), &blobs));
    let store = mirrored(&[&lacks, &good]);
    for blob in &blobs {
        store.fetch(&by_tag("v1")).await.unwrap();
        read(&*store, blob).await.unwrap();
    }
    assert_eq!(lacks.counts().manifest_get, 5);
}
