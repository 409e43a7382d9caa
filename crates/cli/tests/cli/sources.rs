//! Lists of sources: what cannot be opened, and what need not be read.

use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with two images, and a list of these and of layouts and archives that cannot be read.
async fn mixed() -> (TestRegistry, Place, String) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let host = registry.host();
    for (name, seed) in [("a", 1), ("b", 2)] {
        image::simple(seed).push(registry.store(name).as_ref(), Some("1")).await;
    }
    let place = Place::new();
    place.file("good.list", format!("{host}/a:1\n{host}/b:1,k=v\n"));
    place.file("broken.tar", "this is no archive");
    place.file("empty/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    place.file("empty/index.json", "{\"schemaVersion\": 2, \"manifests\": []}");
    let bad = "oci-archive:broken.tar\noci-archive:none.tar,k=v\noci:empty:1\noci:nowhere:1\n";
    place.file("mixed.list", place.read("good.list") + bad);
    (registry, place, bad.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_opened_loses_no_other() {
    let (registry, place, bad) = mixed().await;
    let host = registry.host();
    for (line, good) in [
        ("gather SOURCES oci:out:1", "2 done, 4 failed"),
        ("clone SOURCES nest=HOST/mirror", "2 done, 4 failed"),
        ("archive SOURCES out.tar 1", "2 done, 4 failed"),
    ] {
        let line = line.replace("HOST", &host);
        let mixed = line.replace("SOURCES", "mixed.list --failed f.list --report r.json");
        let ended = place.airlift(&mixed).with(3).says(good);
        for name in
            ["oci-archive:broken.tar", "oci-archive:none.tar", "oci:empty:1", "oci:nowhere:1"]
        {
            assert!(ended.err.contains(&format!("error: {name}: ")), "{name} in\n{}", ended.err);
        }
        assert_eq!(ended.err.matches("hint: check the name\n").count(), 1, "{}", ended.err);
        assert_eq!(place.read("f.list"), bad);
        assert!(place.read("r.json").contains("\"trouble\": \"missing\""));
        let again = line.replace("SOURCES", "f.list").replace("out.tar", "none.tar");
        place.airlift(&again).with(1).says("4 failed");
    }
    // The same bytes as without the bad ones.
    place.airlift("archive good.list good.tar 1").with(0);
    let bytes = |name: &str| std::fs::read(place.path().join(name)).expect(name);
    assert_eq!(bytes("good.tar"), bytes("out.tar"));
    place.airlift("gather good.list oci:good:1").with(0);
    assert_eq!(place.read("good/index.json"), place.read("out/index.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn route_reads_what_the_rules_look_at_and_no_more() {
    let (registry, place, _) = mixed().await;
    let host = registry.host();
    place.file("r.csv", format!("{host}/a,reg.example.com/a\n"));
    let digest = image::simple(1).root().digest().to_string();
    place.file("d.csv", format!("{digest},reg.example.com/by-digest/\n"));
    place.file("d.tmpl", "reg.example.com/{{ printf \"%s\" .Digest | replace \":\" \"/\" }}");
    registry.reset_counts();
    let nest = place.airlift("route good.list nest=reg.example.com -o json").with(0).out;
    let rows: serde_json::Value = serde_json::from_str(&nest).expect("JSON");
    let below = host.replace(':', "_");
    assert_eq!(rows[0]["destination"], format!("reg.example.com/{below}/a:1"));
    assert_eq!(rows[0]["digest"], serde_json::Value::Null, "nobody knows it");
    let table = place.airlift("route good.list longest-prefix=r.csv -l k=v").with(0).out;
    assert!(table.contains("unmatched") && !table.contains("/a:1"), "{table}");
    place.file("bad.csv", format!("{host}/a,reg.example.com/A\n"));
    let table = place.airlift("route good.list all-prefix=bad.csv").with(2).out;
    assert!(table.contains("invalid") && table.contains("bad.csv:1"), "{table}");
    assert_eq!(registry.counts().total(), 0, "nothing was asked");

    let table = place.airlift("route good.list digests=d.csv").with(0).out;
    assert!(table.contains("reg.example.com/by-digest/a:1"), "{table}");
    assert_eq!(registry.counts().manifest_get, 2);
    place.airlift("route good.list go-template=d.tmpl").with(0);

    // Two sources for one destination: no conflict where they are one image.
    image::simple(1).push(registry.store("a").as_ref(), Some("2")).await;
    place.file("same.list", format!("{host}/a:1\n{host}/a:2\n"));
    place.file(
        "same.csv",
        format!("{host}/a:1,reg.example.com/x:1\n{host}/a:2,reg.example.com/x:1\n"),
    );
    place.airlift("route same.list all-prefix=same.csv").with(0);
    image::simple(7).push(registry.store("a").as_ref(), Some("2")).await;
    let clash = place.airlift("route same.list all-prefix=same.csv").with(2).out;
    assert!(clash.contains("conflict"), "{clash}");
}
