//! Patience with hosts: waits as asked, for the whole host, and an end to it.

use super::*;
use futures_util::StreamExt;
use std::time::{Instant, SystemTime};

fn busy(status: u16, wait: &str) -> Fault {
    Fault::status(status).header("Retry-After", wait)
}

#[tokio::test]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date() {
    let case = async |status, dated, least| {
        // A date has whole seconds: two ahead are at least one.
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
        let wait = if dated { &*date } else { "1" };
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), busy(status, wait));
        let registry = with_blob(plan, &small()).await;
        let start = Instant::now();
        read(&*open(&registry), &small()).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(least), "{status} {wait}");
        assert_eq!(registry.counts().blob_get, 2);
    };
    tokio::join!(case(429, false, 1000), case(503, false, 1000), case(429, true, 800));
}

#[tokio::test]
async fn the_whole_host_waits_and_the_wait_is_told() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), busy(429, "1"));
    let registry = with_blob(plan, &small()).await;
    let heard = Arc::new(Heard::default());
    let client = Client::new(quick(), heard.clone()).unwrap();
    let (a, b) = (client.repository(registry.name("a")), client.repository(registry.name("b")));
    let start = Instant::now();
    let first = small();
    let other = async {
        while registry.counts().limited == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The answer is on its way; whatever comes after it has to wait.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = b.tags().await;
        start.elapsed()
    };
    let (read, waited) = tokio::join!(read(&*a, &first), other);
    read.unwrap();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    let told = heard.0.lock().unwrap();
    let waits: Vec<_> = told.iter().filter(|event| event.contains("Waiting")).collect();
    assert_eq!(waits.len(), 1, "{told:?}");
    assert!(waits[0].contains(&registry.host()) && waits[0].contains("429"), "{told:?}");
}

#[tokio::test]
async fn a_wait_beyond_the_limit_is_an_error_at_once() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, busy(429, "7200"));
    let registry = with_blob(plan, &small()).await;
    let error = read(&*open(&registry), &small()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("429") && text.contains("7200") && text.contains("3600"), "{text}");
}

#[tokio::test]
async fn without_retry_after_tries_are_bounded() {
    for (status, tries) in [(429, 7), (500, 5), (502, 5), (503, 5)] {
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::status(status));
        let registry = with_blob(plan, &small()).await;
        let error = read(&*open(&registry), &small()).await.unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(registry.counts().blob_get, tries, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_succeed_is_asked_once() {
    for status in [400, 403, 404, 410, 501] {
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::status(status));
        let registry = with_blob(plan, &small()).await;
        read(&*open(&registry), &small()).await.unwrap_err();
        assert_eq!(registry.counts().blob_get, 1, "{status}");
    }
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    let plan = FaultPlan::none().on_any(When::First(3), Fault::Break);
    let registry = with_blob(plan, &small()).await;
    read(&*open(&registry), &small()).await.unwrap();
    let plan = FaultPlan::none().on_any(When::Nth(1), Fault::Hang);
    let registry = with_blob(plan, &small()).await;
    let settings = Settings { answer_timeout: Duration::from_millis(200), ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    read(&*store, &small()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_limits_requests_is_served_out() {
    let registry = TestRegistry::start(FaultPlan::none().limited(40)).await;
    let store = open(&registry);
    let blobs: Vec<_> = (0..40).map(|seed| Watched::new(bytes(seed * 2 + 1, 2000))).collect();
    let hints = absent();
    let puts = blobs.iter().map(|blob| store.put(blob, &hints));
    for done in futures_util::future::join_all(puts).await {
        done.unwrap();
    }
    assert!(blobs.iter().all(|blob| holds(&registry, blob)));
    let counts = registry.counts();
    assert!(counts.limited < 40, "{counts:?}");
}

#[tokio::test]
async fn connections_are_bounded() {
    let registry = with_blob(FaultPlan::none().delayed(Duration::from_millis(30)), &small()).await;
    let settings = Settings { max_connections_per_host: 4, ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    let blob = small();
    let start = Instant::now();
    let reads = (0..24).map(|_| read(&*store, &blob));
    futures_util::future::join_all(reads).await;
    assert!(start.elapsed() >= Duration::from_millis(30 * 24 / 4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn small_requests_do_not_wait_behind_large_bodies() {
    let blob = large();
    // Each body takes half a minute at this rate; eight of them fill the limit at the start.
    let registry = with_blob(FaultPlan::none().rate(50_000), &blob).await;
    let store = open(&registry);
    let (opened, mut waiting) = (
        futures_util::future::join_all((0..5).map(|_| store.open(blob.descriptor(), 0))).await,
        Vec::new(),
    );
    for _ in 0..8 {
        let store = store.clone();
        let descriptor = blob.descriptor().clone();
        waiting.push(Box::pin(async move { store.open(&descriptor, 0).await }));
    }
    for wait in &mut waiting {
        let _ = futures_util::poll!(wait.as_mut());
    }
    let head = tokio::time::timeout(Duration::from_secs(5), store.has(small().descriptor())).await;
    assert!(!head.unwrap().unwrap());
    drop(opened);
}

#[tokio::test]
async fn what_the_operator_will_not_wait_for_is_an_error() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, busy(429, "9"));
    let registry = with_blob(plan, &small()).await;
    let settings = Settings { retry_after_limit: Duration::from_secs(5), ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    let text = read(&*store, &small()).await.unwrap_err().to_string();
    assert!(text.contains("9 s") && text.contains("5 s"), "{text}");
    assert_eq!(registry.counts().blob_get, 1);
}

#[tokio::test]
async fn a_rate_bounds_what_is_received_and_what_is_sent() {
    let (blob, rate) = (large(), 3_000_000);
    let (source, target) =
        tokio::join!(with_blob(FaultPlan::none(), &blob), TestRegistry::start(FaultPlan::none()));
    let client = client_with(Settings { rate: Some(rate), ..quick() });
    let least = Duration::from_secs_f64(LARGE as f64 / rate as f64 * 0.9);
    let start = Instant::now();
    let store = client.repository(source.name("a"));
    assert_eq!(read(&*store, &blob).await.unwrap().len(), LARGE);
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
    let start = Instant::now();
    let store = client.repository(target.name("a"));
    store.put(&blob, &absent()).await.unwrap();
    assert!(start.elapsed() >= least && holds(&target, &blob), "{:?}", start.elapsed());
    // Nothing that was held back was taken for a stall.
    assert_eq!((source.counts().total(), target.counts().total()), (1, 2));
}

#[tokio::test]
async fn outside_its_hours_a_run_waits_says_so_and_goes_on() {
    let registry = with_blob(FaultPlan::none(), &small()).await;
    let start = Instant::now();
    let hour = Duration::from_secs(3600);
    // By this clock the hours begin in a second.
    let eight = Duration::from_secs(20 * 3600);
    let clock = move || eight + start.elapsed();
    let begin = eight + Duration::from_secs(1);
    let hours = airlift_oci::registry::Hours::new(begin, 6 * hour, Arc::new(clock));
    let heard = Arc::new(Heard::default());
    let settings = Settings { hours: Some(hours), ..quick() };
    let client = Client::new(settings, heard.clone()).unwrap();
    let store = client.repository(registry.name("a"));
    let first = small();
    let (one, two) = tokio::join!(read(&*store, &first), read(&*store, &first));
    one.and(two).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(950), "{:?}", start.elapsed());
    let told = heard.0.lock().unwrap();
    let waits: Vec<_> = told.iter().filter(|event| event.contains("Waiting")).collect();
    assert_eq!(waits.len(), 1, "{told:?}");
    assert!(waits[0].contains("20:00-06:00"), "{told:?}");
}

#[tokio::test]
async fn a_download_pauses_when_the_hours_end() {
    let blob = large();
    let registry = with_blob(FaultPlan::none().rate(1_000_000), &blob).await;
    let start = Instant::now();
    let hour = Duration::from_secs(3600);
    // By this clock the hours end after half a second, for one second.
    let clock = move || match start.elapsed().as_millis() {
        0..500 => 5 * hour,
        _ => 20 * hour + start.elapsed(),
    };
    let begin = 20 * hour + Duration::from_millis(1500);
    let hours = airlift_oci::registry::Hours::new(begin, 6 * hour, Arc::new(clock));
    let settings = Settings { hours: Some(hours), ..quick() };
    let store = client_with(settings).repository(registry.name("a"));
    let mut stream = store.open(blob.descriptor(), 0).await.unwrap();
    let (mut all, mut early, mut late) = (Vec::new(), 0, 0);
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk.unwrap());
        match start.elapsed().as_millis() {
            0..520 => early += 1,
            // What was on its way when the hours ended is held back.
            520..1490 => panic!("bytes came outside the hours, after {:?}", start.elapsed()),
            _ => late += 1,
        }
    }
    assert_eq!(all, bytes(7, LARGE));
    assert!(early > 0 && late > 0, "{early} and {late}");
}

#[tokio::test]
async fn requests_are_counted_by_host_and_kind() {
    let registry = with_blob(FaultPlan::none().auth(Auth::bearer("u", "p")), &small()).await;
    let mut settings = quick();
    let credential = airlift_oci::registry::Credential::Basic {
        username: "u".to_owned(),
        password: airlift_oci::registry::Secret::new("p"),
    };
    settings.credentials.fixed.insert(registry.host(), credential);
    let client = client_with(settings);
    let store = client.repository(registry.name("a"));
    read(&*store, &small()).await.unwrap();
    put(&*store, &large(), &absent()).await;
    let counts = &client.counts()[&registry.host()];
    let counts: Vec<_> = counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [("blob-get", 2), ("upload-start", 1), ("upload-finish", 1), ("token", 2)];
    assert_eq!(counts, expected);
}
