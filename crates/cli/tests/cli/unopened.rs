//! Files that are named and cannot be opened, or hold nothing: one exit code for every verb.

use airlift_tests::{FaultPlan, TestRegistry, image};

use crate::harness::Place;

/// Every verb that reads a file or directory, `{}` being its name. Of some, the name of a layout or
/// archive is what is wrong, of others that of a list or ledger.
const VERBS: [&str; 33] = [
    "verify {}",
    "inspect {}",
    "inspect oci-archive:{}",
    "inspect docker-archive:{}",
    "inspect oci:{}:1",
    "deserialize {} oci:out:1",
    "deserialize {} oci:out:1 --keep-going",
    "deserialize {} oci:out:1 --dry-run",
    "deserialize good.tar oci:out:1 --existing oci-archive:{}",
    "unarchive {} nest=a.io",
    "unarchive {} nest=a.io --keep-going",
    "serialize oci-archive:{} out.tar",
    "serialize oci:{}:1 out.tar",
    "serialize oci:low:1 out.tar --existing-from-checkpoint {}:100",
    "serialize oci:low:1 out.tar oci-archive:{}",
    "serialize oci:low:1 out.tar --resume-from-checkpoint {} --resume-from-offset 1",
    "archive {} out.tar",
    "archive one.list out.tar --existing oci-archive:{}",
    "gather {} oci:out:1",
    "clone {} nest=a.io",
    "clone one.list longest-prefix={}",
    "scatter oci-archive:{} nest=a.io",
    "scatter oci:{}:1 nest=a.io",
    "scatter oci:low:1 longest-prefix={}",
    "route oci:{}:1 nest=a.io",
    "route oci-archive:{} nest=a.io",
    "diff oci-archive:{}",
    "diff oci:low:1 oci-archive:{}",
    "copy --list {} --to reg.example.com",
    "batch-serialize {} .",
    "serve oci-archive:{} --listen 127.0.0.1:0",
    "serve docker-archive:{} --listen 127.0.0.1:0",
    "serve oci-archive:good.tar --route longest-prefix={} --listen 127.0.0.1:0",
];

/// A gathered image in a layout, and as an archive.
async fn place() -> Place {
    let place = Place::new();
    let registry = TestRegistry::start(FaultPlan::default()).await;
    image::simple(2).push(registry.store("tool").as_ref(), Some("1")).await;
    place.file("one.list", format!("{}/tool:1\n", registry.host()));
    place.airlift("gather one.list oci:low:1").with(0);
    place.airlift("serialize oci:low:1 good.tar").with(0);
    place.file("one.list", "oci:low:1\n");
    place.file("file", "");
    std::fs::create_dir(place.path().join("folder")).expect("is made");
    place
}

fn names(place: &Place) -> Vec<std::ffi::OsString> {
    let names = std::fs::read_dir(place.path()).expect("lists");
    let mut names: Vec<_> = names.map(|entry| entry.expect("one").file_name()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_is_a_directory_is_bad_input_to_every_verb() {
    let place = place().await;
    let files = names(&place);
    for verb in VERBS {
        for wrong in ["none", "none/x", "file/x", "folder"] {
            let line = verb.replace("{}", wrong);
            let ended = place.airlift(&line);
            assert_eq!(ended.code, 2, "{line}: {}", ended.err);
            assert!(ended.err.contains(wrong), "{line}: {}", ended.err);
            assert_eq!(names(&place), files, "{line} leaves nothing behind");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_nothing_is_told_as_such() {
    let place = place().await;
    place.file("short", "oci-layout");
    for verb in [
        "inspect {}",
        "unarchive {} nest=a.io",
        "unarchive {} nest=a.io --keep-going",
        "serve oci-archive:{} --listen 127.0.0.1:0",
        "deserialize {} oci:out:1",
        "serialize oci-archive:{} out.tar",
        "scatter oci-archive:{} nest=a.io",
    ] {
        let empty = place.airlift(&verb.replace("{}", "file")).with(4);
        let told = empty.says("hint: it holds nothing: was the run that wrote it interrupted");
        assert!(!told.err.contains("damage"), "{verb}: {}", told.err);
        let short = place.airlift(&verb.replace("{}", "short")).with(4);
        let told = short.says("hint: check the name: an archive is what `airlift serialize`");
        assert!(!told.err.contains("damage"), "{verb}: {}", told.err);
    }
    place.airlift("deserialize file oci:out:1 --keep-going").with(4).says("it holds nothing");
}
