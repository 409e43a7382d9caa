//! The verbs through the binary, with registries on loopback.

use airlift_oci::store::Source;
use airlift_oci::types::Version;
use airlift_tests::image::{self, Flavour};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with two images; their references.
async fn low() -> (TestRegistry, [String; 2]) {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let mut references = Vec::new();
    for (name, tag, graph) in [
        ("team/app", "1", image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"])),
        ("team/tool", "2", image::simple(2)),
    ] {
        let store = registry.store(name);
        graph.push(store.as_ref(), Some(tag)).await;
        references.push(format!("{}/{name}:{tag}", registry.host()));
    }
    (registry, references.try_into().expect("two"))
}

#[tokio::test(flavor = "multi_thread")]
async fn gathered_images_are_scattered_and_a_second_run_moves_nothing() {
    let (registry, [app, tool]) = low().await;
    let place = Place::new();
    place.file("s.list", format!("{app},team=core\n{tool}\n"));
    let host = registry.host();
    let line = format!("gather s.list {host}/gather:1 --report r.json");
    let ended = place.airlift(&line).with(0);
    let reference = ended.out.trim();
    assert!(reference.starts_with(&format!("{host}/gather:1@sha256:")), "{reference}");
    let report: serde_json::Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
    assert_eq!(report["exit"], 0);
    assert_eq!(report["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["items"][0]["status"], "done");
    place.airlift(&line).with(0).says("gather: 2 unchanged; 0 moved");

    let scatter = format!("scatter {host}/gather:1 nest={host}/mirror");
    let plan = place.airlift(&format!("{scatter} --check")).with(0).out;
    assert!(plan.contains(&app) && plan.contains("routed"), "{plan}");
    assert!(
        !place
            .airlift(&format!("route {host}/gather:1 nest={host}/mirror -o csv"))
            .with(0)
            .out
            .is_empty()
    );
    place.airlift(&format!("mirror {scatter} -l team=core")).with(0).says("scatter: 1 done");
    place.airlift(&scatter).with(0).says("scatter: 1 done, 1 unchanged");
    place.airlift(&format!("{scatter} -l team=other")).with(2).says("no item is chosen");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_image_loses_no_other() {
    let (registry, [app, tool]) = low().await;
    let place = Place::new();
    let host = registry.host();
    place.file("s.list", format!("{app}\n{tool}\n{host}/team/none:1,k=v\n"));
    for command in [format!("gather s.list {host}/g:1"), format!("clone s.list nest={host}/c")] {
        let line = format!("{command} --failed failed.list --report r.json");
        place.airlift(&line).with(3).says("team/none:1").says("2 done, 1 failed");
        assert_eq!(place.read("failed.list"), format!("{host}/team/none:1,k=v\n"));
        assert!(place.read("r.json").contains("\"exit\": 3"));
    }
    place.file("s.list", place.read("failed.list"));
    place.airlift(&format!("gather s.list {host}/h:1")).with(1).says("1 failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_directory_stands_wherever_a_registry_may() {
    let (registry, [app, _]) = low().await;
    let place = Place::new();
    let host = registry.host();
    place.file("s.list", format!("{app}\n"));
    place.airlift("gather s.list oci:staging:1").with(0);
    place.airlift(&format!("scatter oci:staging:1 nest={host}/back")).with(0).says("1 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_as_json_is_json_and_quiet_is_silent() {
    let (registry, [app, _]) = low().await;
    let place = Place::new();
    place.file("s.list", format!("{app}\n"));
    let line = format!("gather s.list {}/g:1 --progress json --debug d.json", registry.host());
    let ended = place.airlift(&line).with(0);
    let events: Vec<serde_json::Value> = ended
        .err
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = events.last().expect("an event");
    assert_eq!((&last["event"], &last["finished"]), (&"ended".into(), &1.into()));
    assert!(place.read("d.json").lines().count() > events.len() / 2);
    let quiet = place.airlift(&format!("gather s.list {}/q:1 -q", registry.host())).with(0);
    assert_eq!(quiet.err, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_never_replaces_a_source_and_a_full_one_says_so() {
    let (registry, [app, tool]) = low().await;
    let place = Place::new();
    place.file("s.list", format!("{app}\n{tool}\n"));
    let store = registry.store("team/app");
    let version = Version::Tag("1".parse().expect("a tag"));
    let before = store.resolve(&version).await.expect("is there");
    place
        .airlift(&format!("gather s.list {app}"))
        .with(2)
        .says(&format!("is the source {app} too"));
    assert_eq!(store.resolve(&version).await.expect("is there"), before);
    place.airlift("gather s.list oci:out:1").with(0);
    let full = place.airlift("serialize oci:out:1 /dev/full").with(1);
    full.says("/dev/full is full").says("hint: make room there, or write to another place");
    place.file("l.list", "oci:out:1\n");
    place.airlift("gather l.list oci:./out:1").with(2).says("would replace it");
    place.airlift("gather l.list oci:out:2").with(0);
    place.file("h.list", "Low.example.com/a:1\n");
    place.airlift("gather h.list low.example.com/a:1").with(2).says("would replace it");

    let host = registry.host();
    place.airlift(&format!("gather s.list {host}/gather")).with(0);
    place.file("self.csv", format!("{app},{host}/gather:latest\n"));
    for check in ["", "--check"] {
        let line = format!("scatter {host}/gather all-prefix=self.csv {check}");
        place.airlift(&line).with(2).says("self.csv:1), is the gathered index itself");
    }
    place.airlift(&format!("scatter {host}/gather nest={host}/out --check")).with(0);
}
