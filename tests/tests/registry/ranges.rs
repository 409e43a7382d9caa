//! Large blobs by ranges over several connections, and parts of blobs.

use super::*;

/// Enough to be worth several connections.
const HUGE: usize = 33 << 20;

fn huge() -> Watched {
    Watched::new(bytes(5, HUGE))
}

/// First and last byte of every range that was asked for, in order of the bytes.
fn asked(registry: &TestRegistry) -> Vec<(u64, u64)> {
    let range = |exchange: &airlift_tests::Exchange| {
        let (first, last) = exchange.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().unwrap_or(HUGE as u64 - 1)))
    };
    let mut ranges: Vec<_> = registry.log().iter().filter_map(range).collect();
    ranges.sort_unstable();
    ranges
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_blob_comes_over_several_connections_and_no_byte_twice() {
    let blob = huge();
    let registry = with_blob(FaultPlan::none().rate(10_000_000), &blob).await;
    assert!(read(&*open(&registry), &blob).await.unwrap() == bytes(5, HUGE));
    let ranges = asked(&registry);
    assert!(ranges.len() > 2 && registry.log().len() == ranges.len(), "{ranges:?}");
    let mut next = 0;
    for (first, last) in &ranges {
        assert_eq!(*first, next, "{ranges:?}");
        next = last + 1;
    }
    assert_eq!(next, HUGE as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_sent_while_it_comes_and_each_part_goes_on_from_where_it_broke() {
    let blob = huge();
    let plan = FaultPlan::none()
        .rate(10_000_000)
        .on(Kind::BlobGet, When::Every(2), Fault::CutDownload(1_500_000))
        .on(Kind::BlobGet, When::Nth(3), Fault::status(503));
    let registry = with_blob(plan, &blob).await;
    let target = TestRegistry::start(FaultPlan::none()).await;
    let source = open(&registry);
    let content = airlift_oci::store::Remote::new(source, blob.descriptor().clone());
    open(&target).put(&content, &absent()).await.unwrap();
    assert!(holds(&target, &blob));
    assert_eq!(target.counts().upload_post, 1, "the upload was never begun anew");
    assert!(registry.faults() >= 3);
}

#[tokio::test]
async fn a_host_that_ignores_ranges_is_read_by_one_connection() {
    let blob = huge();
    let registry = with_blob(FaultPlan::none().ignoring_range().rate(60_000_000), &blob).await;
    let store = open(&registry);
    assert!(read(&*store, &blob).await.unwrap() == bytes(5, HUGE));
    assert!(read(&*store, &blob).await.unwrap() == bytes(5, HUGE));
    let log = registry.log();
    assert_eq!(log.len(), 2);
    assert_eq!(log[1].header("range"), None, "what was learned is remembered");
}

#[tokio::test]
async fn a_host_that_refuses_ranges_is_asked_for_the_whole() {
    for status in [400, 416, 501] {
        let blob = huge();
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), Fault::status(status));
        let registry = with_blob(plan, &blob).await;
        assert!(read(&*open(&registry), &blob).await.unwrap() == bytes(5, HUGE));
        assert_eq!(registry.counts().blob_get, 2, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_any_part_is_found() {
    let blob = huge();
    let plan = FaultPlan::none().rate(10_000_000).on(
        Kind::BlobGet,
        When::Nth(2),
        Fault::FlipDownload(100),
    );
    let registry = with_blob(plan, &blob).await;
    let error = read(&*open(&registry), &blob).await.map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Digest { .. }), "{error}");
}

#[tokio::test]
async fn a_part_is_asked_for_with_its_end() {
    let blob = large();
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(2), Fault::CutDownload(1000));
    let registry = with_blob(plan, &blob).await;
    let store = open(&registry);
    for _ in 0..2 {
        let part = store.open_range(blob.descriptor(), 300_000..900_000).await.unwrap();
        assert_eq!(part.read_all().await.unwrap(), bytes(7, LARGE).slice(300_000..900_000));
    }
    let expected = [(300_000, 899_999), (300_000, 899_999), (301_000, 899_999)];
    assert_eq!(asked(&registry), expected);
    let ignoring = with_blob(FaultPlan::none().ignoring_range(), &blob).await;
    let part = open(&ignoring).open_range(blob.descriptor(), 300_000..900_000).await.unwrap();
    assert_eq!(part.read_all().await.unwrap(), bytes(7, LARGE).slice(300_000..900_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_stands_still_is_broken_off_and_goes_on() {
    let blob = huge();
    let plan = FaultPlan::none()
        .rate(10_000_000)
        .on(Kind::BlobGet, When::Nth(1), Fault::StallDownload(900_000))
        .on(Kind::BlobGet, When::Nth(3), Fault::StallDownload(500_000))
        .on(Kind::BlobGet, When::Nth(4), Fault::StallDownload(0));
    let registry = with_blob(plan, &blob).await;
    assert!(read(&*open(&registry), &blob).await.unwrap() == bytes(5, HUGE));
    assert_eq!(registry.faults(), 3);
}

#[tokio::test]
async fn a_part_that_is_not_the_one_asked_for_is_not_taken_for_it() {
    for range in ["bytes 5-33554431/34603008", "bytes 9-3/34603008", "items 0-8388607/34603008", ""]
    {
        let blob = huge();
        let lie = Fault::status(206).header("Content-Range", range).body("x");
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(1), lie);
        let registry = with_blob(plan, &blob).await;
        assert!(read(&*open(&registry), &blob).await.unwrap() == bytes(5, HUGE), "{range}");
        assert_eq!(registry.counts().blob_get, 2, "the second asks for the whole");
    }
    // A part that says it belongs to a blob of another size is none of this one.
    let lie = Fault::status(206).header("Content-Range", "bytes 0-8388607/99").body("x");
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, lie);
    let registry = with_blob(plan, &huge()).await;
    read(&*open(&registry), &huge()).await.map(drop).unwrap_err();
}

#[tokio::test]
async fn a_small_blob_goes_on_where_it_broke_when_it_breaks_again() {
    let blob = Watched::new(bytes(9, 200_000));
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Always, Fault::CutDownload(50_000));
    let registry = with_blob(plan, &blob).await;
    let got = read(&*open(&registry), &blob).await.unwrap();
    assert_eq!(got, bytes(9, 200_000));
    // Twice from its start, then in four parts or five.
    assert!((6..=7).contains(&registry.counts().blob_get), "{:?}", registry.counts());
}

#[tokio::test]
async fn a_host_that_gives_less_of_a_range_than_is_asked_for_is_not_waited_for() {
    const MOST: usize = 100_000;
    let all = bytes(7, LARGE);
    let content = all.clone();
    let host = airlift_tests::Raw::start(move |request| {
        let head = request.to_ascii_lowercase();
        let range = head.split("range: bytes=").nth(1).unwrap();
        let start: usize = range.split('-').next().unwrap().parse().unwrap();
        let end = (start + MOST).min(content.len());
        let head = format!(
            "HTTP/1.1 206 Part\r\nContent-Range: bytes {start}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            end - 1,
            content.len(),
            end - start
        );
        airlift_tests::Raw::bytes(&[head.as_bytes(), &content[start..end]].concat())
    })
    .await;
    let heard = Arc::new(Heard::default());
    let store = Client::new(quick(), heard.clone()).unwrap().repository(host.name("a"));
    let blob = store.open(large().descriptor(), 1).await.unwrap();
    assert_eq!(blob.read_all().await.unwrap(), all[1..]);
    assert_eq!(host.requests().len(), (LARGE - 1).div_ceil(MOST));
    let told = heard.0.lock().unwrap();
    assert!(!told.iter().any(|event| event.contains("Waiting")), "{told:?}");
}
