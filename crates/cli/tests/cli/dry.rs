//! Dry runs: they move nothing, and write the files that were asked for all the same.

use airlift_tests::{FaultPlan, TestRegistry, image};
use serde_json::Value;

use crate::harness::Place;

/// The items of a report by their names, each with its status and where it would go.
fn items(place: &Place) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
    assert_eq!(report["totals"]["moved"], 0, "{report}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = report["items"].as_array().expect("items").iter();
    let items: Vec<_> = items
        .map(|item| (text(&item["item"]), text(&item["status"]), text(&item["destinations"][0])))
        .collect();
    std::fs::remove_file(place.path().join("r.json")).expect("was written");
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dry_run_writes_its_report() {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let (place, host) = (Place::new(), registry.host());
    for (seed, name) in [(1, "a"), (2, "b")] {
        image::simple(seed).push(registry.store(name).as_ref(), Some("1")).await;
    }
    place.file("s.list", format!("{host}/a:1\n{host}/b:1\n"));
    place.file("gone.list", format!("{host}/a:1\n{host}/gone:1,k=v\n"));
    place.file("r.csv", format!("{host}/a,high.example.com/a\n"));
    place.file("spec.json", format!(r#"{{"src":"{host}/a:1","dst":"high.example.com/x:1"}}"#));
    place.airlift(&format!("gather s.list {host}/g:1")).with(0);
    place.airlift(&format!("serialize {host}/g:1 a.tar")).with(0);
    let routed = [
        (format!("{host}/a:1"), "planned".to_owned(), "high.example.com/a:1".to_owned()),
        (format!("{host}/b:1"), "unmatched".to_owned(), String::new()),
    ];
    for line in [
        format!("scatter {host}/g:1 all-prefix=r.csv"),
        "clone s.list all-prefix=r.csv".to_owned(),
        "unarchive a.tar all-prefix=r.csv".to_owned(),
        // In one pass.
        "unarchive a.tar all-prefix=r.csv --strict".to_owned(),
    ] {
        let shown = place.airlift(&format!("{line} --check --report r.json")).with(0).out;
        assert!(shown.contains("high.example.com/a:1"), "{line}: {shown}");
        assert_eq!(items(&place), routed, "{line}");
    }

    let line = "clone gone.list nest=high.example.com --check --report r.json --failed f.list";
    place.airlift(line).with(1).says("gone:1: ");
    let told: Vec<String> = items(&place).into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(told, ["planned", "failed"]);
    assert_eq!(place.read("f.list"), format!("{host}/gone:1,k=v\n"));

    place.airlift("copy --specs spec.json --check --report r.json").with(0);
    assert_eq!(items(&place)[0].2, "high.example.com/x:1");
    let all = format!("copy --to high.example.com {host}/a --all-tags --check --report r.json");
    place.airlift(&all).with(0);
    assert_eq!(items(&place)[0].1, "planned");

    let line = format!("deserialize a.tar {host}/high:1 --dry-run");
    place.airlift(&format!("{line} --report r.json")).with(0);
    let report: Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
    assert_eq!(report["good"], true, "{report}");
    place.airlift(&format!("{line} --failed f.list")).with(2);
}
