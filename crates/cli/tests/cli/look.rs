//! Looking without moving: inspect, diff, route; and archives served where they lie.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use airlift_tests::image::{self, Flavour};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// Two gathered artifacts, the second with one image more, and archives of both.
async fn gathered() -> (TestRegistry, Place) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let multi = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    multi.push(registry.store("team/app").as_ref(), Some("1")).await;
    image::simple(2).push(registry.store("team/tool").as_ref(), Some("2")).await;
    let place = Place::new();
    let host = registry.host();
    place.file("one.list", format!("{host}/team/app:1,team=core\n"));
    place.file("two.list", format!("{host}/team/app:1,team=core\n{host}/team/tool:2\n"));
    for name in ["one", "two"] {
        place.airlift(&format!("gather {name}.list {host}/gather:{name}")).with(0);
        place.airlift(&format!("archive {name}.list {name}.tar {name}")).with(0);
    }
    (registry, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_is_gather_and_serialize_in_one() {
    let (registry, place) = gathered().await;
    let line = format!("serialize {}/gather:two staged.tar", registry.host());
    place.airlift(&line).with(0);
    let bytes = |name: &str| std::fs::read(place.path().join(name)).expect(name);
    assert_eq!(bytes("two.tar"), bytes("staged.tar"));
    place.file("bad.list", place.read("two.list") + &format!("{}/none:1\n", registry.host()));
    let ended = place.airlift("archive bad.list bad.tar two --failed f.list").with(3);
    assert!(ended.err.contains("2 done, 1 failed"), "{}", ended.err);
    assert_eq!(place.read("f.list"), format!("{}/none:1\n", registry.host()));
    assert_eq!(bytes("two.tar"), bytes("bad.tar"));
    place.airlift("archive f.list none.tar").with(1);
    assert!(!place.path().join("none.tar").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_tells_what_is_new_in_every_form() {
    let (registry, place) = gathered().await;
    let host = registry.host();
    let line = format!(
        "diff {host}/gather:two {host}/gather:one -o table,csv=d.csv,json=d.json -o markdown=d.md"
    );
    let ended = place.airlift(&line).with(0).says("diff: 1 of 2 images are new");
    assert!(ended.out.contains(&format!("{host}/team/tool:2")), "{}", ended.out);
    assert!(!ended.out.contains("team/app"), "{}", ended.out);
    let csv = place.read("d.csv");
    assert!(csv.starts_with("reference,digest,"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
    let json: serde_json::Value = serde_json::from_str(&place.read("d.json")).expect("JSON");
    assert_eq!(json[0]["reference"], format!("{host}/team/tool:2"));
    assert!(place.read("d.md").starts_with("| REFERENCE |"));
    place.airlift(&format!("diff {host}/gather:two -o tables")).with(2).says("is none of table");
    place.airlift(&format!("diff {host}/team/app:1")).with(1).says("is no gathered index");
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_draws_a_tree_of_registries_and_archives() {
    let (registry, place) = gathered().await;
    let host = registry.host();
    for from in [format!("{host}/gather:two"), "two.tar".to_owned()] {
        let tree = place.airlift(&format!("inspect {from}")).with(0).out;
        assert!(tree.contains(&format!("{host}/team/app:1 index team=core")), "{tree}");
        assert!(tree.contains("linux/arm64") && tree.contains("2 images, 5 manifests"), "{tree}");
        assert!(!tree.contains("layer "), "{tree}");
    }
    let blobs = place.airlift("inspect two.tar --blobs").with(0).out;
    assert!(blobs.contains("layer sha256:") && blobs.contains("config sha256:"), "{blobs}");
    let json = place.airlift("inspect two.tar -o json").with(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["totals"]["images"], 2);
    place.airlift("inspect no.tar").with(2).says("no.tar is no file, and no location");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_served_where_it_lies() {
    let (registry, place) = gathered().await;
    for (rules, repository) in [
        (None, format!("{}/team/app", registry.host().replace(':', "_"))),
        (Some("first-prefix=rules.csv".to_owned()), "mine/app".to_owned()),
    ] {
        place.file("rules.csv", format!("{}/team/,localhost/mine/\n", registry.host()));
        let mut command = place.command();
        command.args(["serve", "oci-archive:two.tar", "--listen", "127.0.0.1:0"]);
        command.args(rules.iter().flat_map(|rules| ["--route", rules]));
        let mut server =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let mut line = String::new();
        let output = server.stdout.take().expect("is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let host = line.trim().strip_prefix("listening on http://").expect("an address").to_owned();
        place.file("served.list", format!("{host}/{repository}:1\n"));
        let out = format!("gather served.list oci:out-{}:1", rules.is_some());
        let ended = place.airlift(&out);
        server.kill().expect("is killed");
        server.wait().expect("ends");
        ended.with(0).says("1 done");
    }
    place.airlift("serve oci-archive:none.tar").with(2).says("none.tar");
}
