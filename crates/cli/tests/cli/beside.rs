//! What a run writes beside what it moves, reports and lists of failures, costs nobody anything:
//! no input, no archive, no file of the system, no outcome.

use std::fs::File;

use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with one image, and a list that names it.
async fn one(place: &Place) -> (TestRegistry, String) {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    image::simple(1).push(registry.store("a").as_ref(), Some("1")).await;
    let host = registry.host().clone();
    place.file("s.list", format!("{host}/a:1\n"));
    (registry, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_written_for_two_purposes_or_over_an_input() {
    let place = Place::new();
    let (_registry, host) = one(&place).await;
    let list = place.read("s.list");
    for line in [
        "serialize HOST/a:1 o.tar --report o.tar",
        "serialize HOST/a:1 o.tar --checkpoint ./o.tar",
        "archive s.list o.tar --force --debug o.tar",
        "gather s.list HOST/g:1 --report s.list",
        "gather s.list HOST/g:1 --report r --failed r",
        "mirror gather s.list HOST/g:1 --trace s.list",
    ] {
        place.airlift(&line.replace("HOST", &host)).with(2).says(" is both ").says("hint: ");
    }
    assert_eq!(place.read("s.list"), list);
    assert_eq!(std::fs::read_dir(place.path()).expect("lists").count(), 1, "nothing was made");
    // A list that is run again until nothing is left of it.
    place.airlift(&format!("gather s.list {host}/g:1 --failed s.list")).with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_hides_no_outcome() {
    let place = Place::new();
    let (_registry, host) = one(&place).await;
    let ended = place.airlift(&format!("gather s.list {host}/g:1 --report /dev/full")).with(3);
    let ended = ended.says("writing /dev/full failed").says("gather: 1 done");
    assert!(ended.out.starts_with(&format!("{host}/g:1@sha256:")), "{}", ended.out);
    let archive = format!("serialize {host}/g:1 o.tar --report /dev/full");
    place.airlift(&archive).with(3).says("serialize: ");
    place.airlift("verify o.tar --report /dev/full").with(3);
    place.airlift("verify o.tar --report no/r.json").with(2).says("there is no directory no");
    place.airlift(&format!("diff {host}/g:1 -o json=no/d.json")).with(2);
    for option in ["--debug", "--trace"] {
        let line = format!("gather s.list {host}/g:1 {option} /dev/full");
        place.airlift(&line).with(0).says(&format!("the file of {option} is not complete"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_output_by_name_is_written_to_and_never_replaced() {
    let place = Place::new();
    let (_registry, host) = one(&place).await;
    let into = |name: &str| File::create(place.path().join(name)).expect("creates");
    for (name, report) in [("1.txt", "/dev/stdout"), ("2.txt", "-"), ("3.txt", "/dev/fd/1")] {
        let line = format!("gather s.list {host}/g:1 --report {report}");
        let mut command = place.command();
        let status = command.args(line.split(' ')).stdout(into(name)).status().expect("runs");
        assert!(status.success());
        let text = place.read(name);
        let (reference, report) = text.split_once('\n').expect("two parts");
        assert!(reference.starts_with(&host), "{text}");
        let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
        assert_eq!(report["command"], "gather");
    }
    for dest in ["-", "/dev/stdout"] {
        let mut command = place.command();
        let line = format!("serialize {host}/g:1 {dest} --force");
        let status = command.args(line.split(' ')).stdout(into("o.tar")).status().expect("runs");
        assert!(status.success());
        place.airlift("verify o.tar").with(0);
    }
    assert!(std::path::Path::new("/dev/stdout").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_sends_anywhere_is_named() {
    let place = Place::new();
    let (_registry, host) = one(&place).await;
    place.airlift(&format!("gather s.list {host}/g:1")).with(0);
    place.file("none.csv", "quay.io/,reg.example.com/\n");
    let ended = place.airlift(&format!("scatter {host}/g:1 first-prefix=none.csv")).with(1);
    ended.says(&format!("unmatched: {host}/a:1: no rule sends it anywhere"));
    let csv = place.airlift(&format!("route {host}/g:1 nest=reg.example.com -o csv")).with(0).out;
    assert!(csv.contains(&image::simple(1).root().digest().to_string()), "{csv}");
    // What was not read is not said to be known.
    let csv = place.airlift("route s.list nest=reg.example.com -o csv").with(0).out;
    assert!(csv.ends_with(",\n") && !csv.contains("sha256"), "{csv}");
}
