//! What a run leaves for those who want to know where its time went.

use airlift_oci::store::{Content, Hints, InMemory, Sink};
use airlift_oci::types::{Descriptor, Digest, Manifest, media};
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
    let objects = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let logs = objects(&ended.err);
    assert_eq!(logs.last().expect("a summary")["level"], "INFO");
    let absent = format!("copy {}/none:1 --to {}/x --log-format json", low.host(), near.host());
    let failed = objects(&place.airlift(&absent).with(1).err);
    assert!(failed.iter().any(|line| line["level"] == "ERROR"), "{failed:?}");
    let usage = objects(&place.airlift("gather none.list oci:x:1 --log-format json").with(2).err);
    assert!(usage.iter().any(|line| line["level"] == "ERROR"), "{usage:?}");
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
    let lines = hints.lines().skip(1).map(|line| line.split(' ').collect::<Vec<_>>());
    for words in lines.clone() {
        let digit = |byte: u8| byte.is_ascii_hexdigit();
        assert!(words[0].len() == 32 && words[0].bytes().all(digit), "{hints}");
        assert_eq!(words[2], "second", "{hints}");
    }
    assert!(lines.count() > 2, "{hints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_that_are_of_no_use_are_no_trouble() {
    let (low, near) = tokio::join!(busy(), TestRegistry::start(FaultPlan::none()));
    let place = Place::new();
    place.file("s.list", format!("{}/team/tool:2", low.host()));
    let gather = |to: &str| {
        let line = format!("gather s.list {}/{to}:1 --cache-path hints", near.host());
        place.airlift(&line).with(0).says("gather: 1 done");
    };
    gather("first");
    let name = format!("hints/blobs/{}", near.host().replace(':', "_"));
    let good = place.read(&name);
    let other = good.replacen("hints 2", "hints 1", 1);
    let wrong = good.replace(" first\n", " third\n");
    for (to, text) in [("second", other), ("third", wrong), ("fourth", "\0\u{7f}".repeat(99))] {
        place.file(&name, text);
        gather(to);
        assert!(place.read(&name).contains(&format!(" {to}\n")), "they are kept again");
    }
    // Neither read nor written: a directory stands there, then a file where the directory was.
    let path = place.path().join(&name);
    std::fs::remove_file(&path).expect("is there");
    std::fs::create_dir(&path).expect("makes it");
    gather("fifth");
    std::fs::remove_dir_all(place.path().join("hints")).expect("is there");
    place.file("hints", "no directory");
    gather("sixth");
}

/// Puts an image at `v1` with a layer that may only be had from elsewhere; its digest.
async fn with_a_foreign_layer(registry: &TestRegistry) -> Digest {
    let store = registry.store("team/windows");
    let mut layers = Vec::new();
    for (media_type, text) in [(media::OCI_CONFIG, "{}"), ("own", "a layer")] {
        let content = InMemory::new(media_type, text.into());
        store.put(&content, &Hints::default()).await.expect("puts it");
        layers.push(content.descriptor().clone());
    }
    let mut foreign = Descriptor::of("application/vnd.oci.foreign.layer", b"not here");
    foreign.urls.push("https://vendor.example.com/base".to_owned());
    let config = layers.remove(0);
    layers.push(foreign.clone());
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config, "layers": layers,
    });
    let manifest = Manifest::parse(media::OCI_MANIFEST, manifest.to_string().into());
    let tag = "v1".parse().expect("a tag");
    let put = store.put_manifest(&manifest.expect("a manifest"), Some(&tag)).await;
    put.expect("puts it");
    foreign.digest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_what_an_archive_holds_and_what_it_leaves_out() {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let (old, new) = (image::simple(2), image::simple(3));
    old.push(low.store("team/old").as_ref(), Some("1")).await;
    new.push(low.store("team/new").as_ref(), Some("1")).await;
    let foreign = with_a_foreign_layer(&low).await;
    let (place, host) = (Place::new(), low.host());
    place.file("old.list", format!("{host}/team/old:1\n"));
    let all = ["old:1", "new:1", "windows:v1"].map(|rest| format!("{host}/team/{rest}"));
    place.file("all.list", all.join("\n"));
    place.airlift(&format!("gather old.list {host}/gather:1")).with(0);
    place.airlift(&format!("gather all.list {host}/gather:2")).with(0);
    let line = format!("serialize {host}/gather:2 delta.tar {host}/gather:1 --report r.json");
    place.airlift(&line).with(0);
    let report: Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
    assert_eq!((report["command"].as_str(), report["exit"].as_u64()), (Some("serialize"), Some(0)));
    assert_eq!(report["image"], format!("{host}/gather:2"));
    let length = std::fs::metadata(place.path().join("delta.tar")).expect("is there").len();
    assert_eq!(report["bytes"].as_u64(), Some(length));
    let items = report["items"].as_array().expect("a list");
    let mut names: Vec<_> = items.iter().filter_map(|item| item["item"].as_str()).collect();
    names.sort_unstable();
    let mut wanted = all.clone();
    wanted.sort();
    assert_eq!(names, wanted);
    let left_out = report["leftOut"].as_array().expect("a list");
    let (gone, known): (Vec<_>, Vec<_>) = left_out.iter().partition(|blob| blob["foreign"] == true);
    assert_eq!(gone.iter().map(|blob| &blob["digest"]).collect::<Vec<_>>(), [foreign.as_str()]);
    assert_eq!(gone[0]["expected"], "https://vendor.example.com/base");
    assert!(!known.is_empty(), "{report}");
    assert!(known.iter().all(|blob| blob["expected"] == format!("{host}/gather:1")), "{report}");
    assert_eq!(report["buffer"]["stalls"], 0);
    assert!(report["requests"][&host]["blob-get"].as_u64() > Some(0), "{report}");

    // What is there stays there, and the report says so.
    let ended = place.airlift(&line.replace("r.json", "again.json"));
    let report: Value = serde_json::from_str(&place.read("again.json")).expect("JSON");
    let code = report["exit"].as_u64().expect("a code");
    ended.with(i32::try_from(code).expect("small"));
    assert!(code != 0 && report["error"].as_str().is_some_and(|text| text.contains("delta.tar")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_read_counts_as_failed() {
    let low = TestRegistry::start(FaultPlan::none()).await;
    image::simple(2).push(low.store("team/tool").as_ref(), Some("2")).await;
    let place = Place::new();
    place.file("s.list", format!("{0}/team/tool:2\n{0}/team/none:1\n", low.host()));
    let ended = place.airlift("gather s.list oci:out:1 --progress json").with(3);
    let lines = ended.err.lines().rev();
    let mut objects = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = objects.find(|line| line["event"] == "ended").expect("the end is told");
    let counts = ["items", "finished", "failed"].map(|key| last[key].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(1)], "{last}");
}
