//! Diff, inspect, unarchive and batches through the binary, with registries on loopback.

use std::process::Stdio;

use airlift_oci::types::Version;
use airlift_tests::image::{self, Flavour};
use airlift_tests::model::Model;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with two gathered artifacts, `gather:1` of two images and `gather:2` of one more.
async fn gathered(place: &Place) -> TestRegistry {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let host = registry.host();
    let platforms = ["linux/amd64", "linux/arm64"];
    for (name, graph) in [
        ("team/app", image::multi(Flavour::Oci, 1, &platforms)),
        ("team/tool", image::simple(2)),
        ("team/more", image::simple(3)),
    ] {
        graph.push(registry.store(name).as_ref(), Some("1")).await;
        let signature = image::signature(graph.root());
        signature.push(registry.store(name).as_ref(), None).await;
    }
    let two = format!("{host}/team/app:1\n{host}/team/tool:1\n");
    place.file("1.list", &two);
    place.file("2.list", format!("{two}{host}/team/more:1\n"));
    for number in [1, 2] {
        place.airlift(&format!("gather {number}.list {host}/gather:{number} -r")).with(0);
    }
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_replaces_files_whole_and_says_when_nothing_is_new() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    place.file("new.csv", "x".repeat(4000));
    place.airlift(&format!("mirror diff {host}/gather:2 {host}/gather:1 -o csv=new.csv")).with(0);
    let csv = place.read("new.csv");
    assert!(csv.starts_with("reference,digest,platform,size,new\n"), "{csv}");
    assert_eq!(csv.lines().count(), 2, "nothing of the old file is left: {csv}");
    let none = place.airlift(&format!("diff {host}/gather:1 {host}/gather:2 -o csv")).with(0);
    assert_eq!(none.out.lines().count(), 1);
    none.says("0 of 2 images are new");
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_shows_the_same_of_a_registry_a_file_a_layout_and_a_pipe() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    place.airlift(&format!("serialize {host}/gather:2 all.tar -r")).with(0);
    place.airlift("deserialize all.tar oci:landed:sync").with(0);
    let json = |out: &str| -> serde_json::Value { serde_json::from_str(out).expect("JSON") };
    let at_registry = json(&place.airlift(&format!("inspect {host}/gather:2 -r -o json")).out);
    assert_eq!(at_registry["totals"]["images"], 3);
    assert_eq!(at_registry["totals"]["referrers"], 3);
    for source in ["all.tar", "oci-archive:all.tar", "oci:landed:sync"] {
        let found = json(&place.airlift(&format!("inspect {source} -r -o json")).with(0).out);
        assert_eq!(found["images"], at_registry["images"], "{source}");
        assert_eq!(found["totals"]["missing"], 0, "{source}");
    }
    let archive = std::fs::File::open(place.path().join("all.tar")).expect("opens");
    let mut command = place.command();
    let piped =
        place.run(command.args(["inspect", "-", "-r", "-o", "json"]).stdin(archive)).with(0);
    assert_eq!(json(&piped.out)["images"], at_registry["images"]);

    let text = place.airlift("inspect all.tar -r").with(0).out;
    assert!(text.contains("team/app:1 index") && text.contains("refers to it: artifact"), "{text}");

    place.airlift(&format!("serialize {host}/gather:2 delta.tar {host}/gather:1")).with(0);
    let delta = place.airlift("inspect delta.tar").with(0).says("are left out: the far side").out;
    assert!(delta.contains(&format!("left out, expected in {host}/gather:1")), "{delta}");
    assert!(!delta.contains("MISSING"), "{delta}");
    let archive = std::fs::File::open(place.path().join("delta.tar")).expect("opens");
    let mut command = place.command();
    let piped = place.run(command.args(["inspect", "-"]).stdin(archive)).with(0);
    assert_eq!(
        piped.out.lines().skip(1).collect::<Vec<_>>(),
        delta.lines().skip(1).collect::<Vec<_>>()
    );
    let found = json(&place.airlift("inspect delta.tar -o json").with(0).out);
    assert_eq!(found["totals"]["missing"], 0);
    let left_out = found["totals"]["leftOut"].as_u64().expect("a number");

    // A blob that is in no list, and not there, is damage all the same.
    let layer = found["images"].as_array().and_then(|images| images.last()).expect("an image");
    assert!(layer["own"].as_u64() > Some(0), "{layer}");
    let all = json(&place.airlift("inspect all.tar -o json -b").with(0).out);
    let layer = all["root"]["manifests"][1]["blobs"][0]["digest"].as_str().expect("a digest");
    let tar = |words: &[&str]| {
        let mut tar = std::process::Command::new("tar");
        let status = tar.current_dir(place.path()).args(words).status().expect("tar runs");
        assert!(status.success());
    };
    std::fs::create_dir(place.path().join("apart")).expect("makes it");
    tar(&["-xf", "all.tar", "-C", "apart"]);
    let blob = format!("apart/blobs/{}", layer.replace(':', "/"));
    std::fs::remove_file(place.path().join(blob)).expect("was there");
    tar(&["-cf", "all.tar", "-C", "apart", "."]);
    let damaged = place.airlift("inspect all.tar").with(4).says("1 blobs").out;
    assert!(damaged.contains("MISSING"), "{damaged}");
    assert!(left_out > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unarchive_delivers_the_same_from_a_file_and_from_a_pipe() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    place.airlift(&format!("serialize {host}/gather:2 all.tar -r")).with(0);
    let pipe = |words: &[&str]| {
        let archive = std::fs::File::open(place.path().join("all.tar")).expect("opens");
        let mut command = place.command();
        command.args(["unarchive", "-"]).args(words).stdin(Stdio::from(archive));
        place.run(&mut command)
    };
    let plan = pipe(&[&format!("nest={host}/p"), "--check"]).with(0).out;
    assert_eq!(plan, place.airlift(&format!("unarchive all.tar nest={host}/p --check")).out);
    assert!(plan.contains("team/more:1"), "{plan}");
    assert!(registry.store(&nested(&host, "p", "team/more")).digests().is_empty());

    pipe(&[&format!("nest={host}/p"), "-r"]).with(0).says("unarchive: 3 done");
    place.airlift(&format!("unarchive all.tar nest={host}/f 2 -r")).with(0).says("3 done");
    for name in ["team/app", "team/tool", "team/more"] {
        let version = Version::Tag("1".parse().expect("a tag"));
        let origin = registry.store(name);
        let origin = Model::walk_with_referrers(origin.as_ref(), &version).await.expect("whole");
        for prefix in ["p", "f"] {
            let store = registry.store(&nested(&host, prefix, name));
            let copy = Model::walk_with_referrers(store.as_ref(), &version).await.expect("whole");
            assert!(copy == origin, "{name} is another one at {prefix}");
        }
    }
    pipe(&[&format!("nest={host}/p")]).with(0).says("unarchive: 3 unchanged");
    pipe(&[&format!("nest={host}/x"), "other"]).with(1).says("has not the tag other");
    pipe(&[&format!("nest={host}/x"), "-l", "team=none"]).with(2).says("no item is chosen");
    place.airlift(&format!("unarchive none.tar nest={host}/x")).with(2).says("none.tar");
}

fn nested(host: &str, prefix: &str, name: &str) -> String {
    format!("{prefix}/{}/{name}", host.replace(':', "_"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_on_where_it_stopped_at_both_ends() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    std::fs::create_dir(place.path().join("sync")).expect("makes it");
    place.file("1.csv", format!("name, artifact\n# the tools\ntools, {host}/gather:1\n"));
    place.file("2.csv", format!("name,artifact\ntools,{host}/gather:1\ntools,{host}/gather:2\n"));
    place.airlift("mirror batch-serialize 1.csv sync").with(0).says("1 done");
    place.airlift("mirror batch-serialize 1.csv sync").with(0).says("1 unchanged");
    place.airlift("mirror batch-serialize 2.csv sync").with(0).says("1 done");
    let record = place.read("sync/record-keeping.csv");
    let lines: Vec<&str> = record.lines().collect();
    assert_eq!(lines[0], "sync_name,artifact,digest");
    assert!(lines[1].starts_with(&format!("000001-tools.tar,{host}/gather:1,sha256:")));
    assert!(lines[2].starts_with(&format!("000002-tools.tar,{host}/gather:2,sha256:")));
    assert_eq!(lines.len(), 3);
    let size = |name: &str| {
        std::fs::metadata(place.path().join("sync").join(name)).expect("is there").len()
    };
    assert!(size("000002-tools.tar") < size("000001-tools.tar"), "the second is a delta");

    place.file("3.csv", format!("name,artifact\nops,{host}/team/tool:1\n"));
    place.airlift("mirror batch-serialize 3.csv sync --compression gzip").with(0).says("1 done");
    assert!(size("000003-ops.tar.gz") > 0);

    let line = format!("mirror batch-deserialize sync {host}/batch");
    place.airlift(&line).with(0).says("3 done");
    let syncs = place.read("sync/successful-syncs.csv");
    assert!(syncs.starts_with("filename,artifact,timestamp\n000001-tools.tar,"), "{syncs}");
    assert!(syncs.contains(&format!("000002-tools.tar,{host}/batch:tools,")), "{syncs}");
    assert!(syncs.lines().skip(1).all(|line| line.contains(" +0000 UTC m=+")), "{syncs}");
    let tools = Version::Tag("tools".parse().expect("a tag"));
    let arrived = Model::walk(registry.store("batch").as_ref(), &tools).await.expect("whole");
    let second = Version::Tag("2".parse().expect("a tag"));
    let sent = Model::walk(registry.store("gather").as_ref(), &second).await.expect("whole");
    assert!(arrived == sent, "the tag names the latest");
    place.airlift(&line).with(0).says("nothing to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_counts_the_bytes_that_deserialize_counts() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    std::fs::create_dir(place.path().join("sync")).expect("makes it");
    place.file("b.csv", format!("n,a\ntools,{host}/gather:1\n"));
    place.airlift("batch-serialize b.csv sync").with(0);
    let alone = format!("deserialize sync/000001-tools.tar {host}/alone:1 --report alone.json");
    let alone = place.airlift(&alone).with(0);
    let batch = format!("batch-deserialize sync {host}/batch --report batch.json");
    let batch = place.airlift(&batch).with(0);
    let report =
        |name| -> serde_json::Value { serde_json::from_str(&place.read(name)).expect("a report") };
    let (one, all) = (report("alone.json"), report("batch.json"));
    let manifests = one["manifestBytes"].as_u64().expect("a number");
    let sent = one["totals"]["bytes"].as_u64().expect("a number") + manifests;
    assert_eq!(all["totals"]["bytes"], sent, "{one} {all}");
    let shown = alone.err.lines().find_map(|line| line.strip_suffix(" sent"));
    let shown = shown.and_then(|line| line.rsplit("; ").next()).expect("a size");
    batch.says(&format!(" skipped, {shown}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_batch_left_is_gone_on_with_or_made_anew() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    place.file("b.csv", format!("name,artifact\ntools,{host}/gather:1\n"));
    place.airlift(&format!("serialize {host}/gather:1 whole.tar")).with(0);
    let whole = std::fs::read(place.path().join("whole.tar")).expect("is there");
    let mut other = whole.clone();
    other[0] ^= 0xff;
    for left in [&[][..], &whole[..whole.len() / 2], &other] {
        place.file("sync/000001-tools.tar.partial", left);
        place.airlift("batch-serialize b.csv sync").with(0).says("1 done");
        let sync = place.path().join("sync");
        let mut names: Vec<_> = std::fs::read_dir(&sync)
            .expect("reads")
            .map(|entry| entry.expect("one").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["000001-tools.tar", "record-keeping.csv"]);
        assert!(std::fs::read(sync.join("000001-tools.tar")).expect("is there") == whole);
        std::fs::remove_dir_all(sync).expect("is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_was_finished_and_not_recorded_is_not_written_twice() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    let host = registry.host();
    std::fs::create_dir(place.path().join("sync")).expect("makes it");
    for seed in [1, 2] {
        let from = format!("team/app{seed}");
        image::simple(seed).push(registry.store(&from).as_ref(), Some("1")).await;
        place.file("s.list", format!("{host}/{from}:1\n"));
        place.airlift(&format!("gather s.list {host}/gather:{seed}")).with(0);
        place.file(&format!("{seed}.csv"), format!("name,artifact\ntools,{host}/gather:{seed}\n"));
    }
    let names = || {
        let listed = std::fs::read_dir(place.path().join("sync")).expect("lists").flatten();
        let mut names: Vec<_> = listed.map(|file| file.file_name()).collect();
        names.sort();
        names
    };
    place.airlift("batch-serialize 1.csv sync").with(0);
    let (record, listed) = (place.read("sync/record-keeping.csv"), names());
    // As if it had been killed between the two.
    std::fs::remove_file(place.path().join("sync/record-keeping.csv")).expect("is there");
    place.airlift("batch-serialize 1.csv sync").with(0).says("1 done");
    assert_eq!((place.read("sync/record-keeping.csv"), names()), (record, listed.clone()));
    // Of something else, it is left alone.
    let first = std::fs::read(place.path().join("sync/000001-tools.tar")).expect("reads");
    std::fs::remove_file(place.path().join("sync/record-keeping.csv")).expect("is there");
    place.airlift("batch-serialize 2.csv sync").with(0).says("1 done");
    let after = std::fs::read(place.path().join("sync/000001-tools.tar")).expect("reads");
    assert!(first == after && names().len() == listed.len() + 1, "{:?}", names());
    assert!(place.read("sync/record-keeping.csv").contains("\n000002-tools.tar,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_of_a_batch_holds_back_only_its_own_name() {
    let place = Place::new();
    let registry = gathered(&place).await;
    let host = registry.host();
    std::fs::create_dir(place.path().join("sync")).expect("makes it");
    for list in [
        format!("n,a\ntools,{host}/gather:1\nops,{host}/team/tool:1\n"),
        format!("n,a\ntools,{host}/gather:2\n"),
    ] {
        place.file("b.csv", list);
        place.airlift("batch-serialize b.csv sync").with(0);
    }
    let path = place.path().join("sync/000001-tools.tar");
    let good = std::fs::read(&path).expect("reads");
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0xff;
    std::fs::write(&path, bad).expect("writes");
    let line = format!("batch-deserialize sync {host}/batch");
    place.airlift(&line).with(4).says("000001-tools.tar").says("1 done").says("2 failed");
    let syncs = place.read("sync/successful-syncs.csv");
    assert_eq!(syncs.lines().count(), 2, "what arrived is recorded: {syncs}");
    assert!(syncs.contains("000002-ops.tar"), "{syncs}");
    std::fs::write(&path, good).expect("writes");
    place.airlift(&line).with(0).says("2 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_could_not_read_back_is_refused_at_once() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("sync")).expect("makes it");
    for (list, says) in [
        ("n,a\nmy-tools,reg.example.com/g:1\n", "b.csv:2: invalid name \"my-tools\""),
        ("n,a\ntools\n", "b.csv:2: expected NAME,ARTIFACT"),
        ("tools,reg.example.com/g:1\n", "b.csv:1: the first line is a header"),
    ] {
        place.file("b.csv", list);
        place.airlift("batch-serialize b.csv sync").with(2).says(says);
    }
    let left = std::fs::read_dir(place.path().join("sync")).expect("reads").count();
    assert_eq!(left, 0, "nothing was made");
    place.file("b.csv", "n,a\ntools,reg.example.com/g:1\n");
    place.airlift("batch-serialize b.csv nowhere").with(2).says("nowhere is no directory");
    place.airlift("batch-deserialize sync reg.example.com/g:1").with(2).says("cannot be used");
    place.file("sync/tools.tar", "");
    let line = "batch-deserialize sync reg.example.com/g";
    place.airlift(line).with(2).says("unexpected file name \"tools.tar\"");
}
