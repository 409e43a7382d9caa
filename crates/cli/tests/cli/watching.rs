//! What a run leaves for those who want to know where its time went.

use airlift_tests::image;
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};
use serde_json::Value;

use crate::harness::Place;

/// A registry with an image that asks for patience once.
async fn busy() -> TestRegistry {
    let fault = Fault::status(429).header("Retry-After", "1");
    let registry =
        TestRegistry::start(FaultPlan::none().on(Kind::BlobGet, When::Nth(1), fault)).await;
    image::simple(2).push(registry.store("team/tool").as_ref(), Some("2")).await;
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_and_a_report_say_where_the_time_went() {
    let (low, near) = tokio::join!(busy(), TestRegistry::start(FaultPlan::none()));
    let place = Place::new();
    let (source, host) = (format!("{}/team/tool:2", low.host()), near.host());
    place.file("s.list", &source);
    let line = format!("gather s.list {host}/gather:1 --report r.json --trace t.json");
    place.airlift(&line).with(0);

    let events: Vec<Value> = serde_json::from_str(&place.read("t.json")).expect("JSON");
    let of = |row: &str| events.iter().filter(|event| event["cat"] == row).collect::<Vec<_>>();
    let (images, blobs) = (of("images"), of("blobs"));
    assert_eq!((images.len(), images[0]["name"].as_str()), (1, Some(&*source)));
    assert!(blobs.len() >= 2, "{events:?}");
    assert!(blobs.iter().all(|blob| blob["args"]["how"] == "moved"));
    assert!(blobs.iter().any(|blob| blob["args"]["waitedMs"].as_u64() >= Some(500)), "{blobs:?}");
    let gets = of(&format!("requests to {}", low.host()));
    assert!(gets.iter().any(|get| get["args"]["status"] == 429), "{gets:?}");
    assert_eq!(of(&format!("waits for {}", low.host()))[0]["name"], "asked");

    let report: Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
    let requests = &report["requests"][&low.host()];
    assert_eq!(requests["blob-get"].as_u64(), Some(low.counts().blob_get), "{report}");
    let puts = &report["requests"][&host]["manifest-put"];
    assert_eq!(puts.as_u64(), Some(near.counts().manifest_put), "{report}");
    let asked = &report["waits"]["asked"];
    assert_eq!((asked["count"].as_u64(), asked["seconds"].as_f64()), (Some(1), Some(1.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_have_a_span_for_each_image_and_blob() {
    let (low, near) = tokio::join!(busy(), TestRegistry::start(FaultPlan::none()));
    let place = Place::new();
    let source = format!("{}/team/tool:2", low.host());
    place.file("s.list", &source);
    let line = format!("gather s.list {}/gather:1 -vv --log-format json --no-term", near.host());
    let ended = place.airlift(&line).with(0);
    let logs: Vec<Value> =
        ended.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let blob = |log: &&Value| log["message"] == "blob";
    let blobs: Vec<_> = logs.iter().filter(blob).collect();
    assert!(blobs.len() >= 2, "{}", ended.err);
    for log in blobs {
        assert_eq!(log["spans"][0]["item"], Value::from(&*source), "{log}");
        assert_eq!(log["span"]["host"], Value::from(near.host()), "{log}");
        assert!(log["span"]["bytes"].is_u64() && log["requests"].is_u64(), "{log}");
        assert!(log["again"].is_u64() && log["waited_ms"].is_u64(), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_are_kept_below_the_cache_directory_and_only_when_wanted() {
    let (low, near) = tokio::join!(busy(), TestRegistry::start(FaultPlan::none()));
    let place = Place::new();
    place.file("s.list", format!("{}/team/tool:2", low.host()));
    let gather = format!("gather s.list {}/gather:1", near.host());
    let file = near.host().replace(':', "_");
    place.airlift(&format!("{gather} --no-cache")).with(0);
    assert!(!place.path().join("home/.cache").exists());
    let second = format!("gather s.list {}/second:1 --cache-path hints", near.host());
    place.airlift(&second).with(0);
    let hints = place.read(&format!("hints/blobs/{file}"));
    assert!(hints.contains(" second\n") && hints.contains("sha256:"), "{hints}");
}
