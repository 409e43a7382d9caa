//! `--shard` and `--join`: parts of a list by several processes, together the whole.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use airlift_tests::image::{self, Flavour, Layer};
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

use crate::harness::Place;

const IMAGES: u64 = 12;
const SHARDS: u32 = 4;

/// A registry with images that share a layer, and the list of them.
async fn low(plan: FaultPlan) -> (TestRegistry, Place) {
    let registry = TestRegistry::start(plan).await;
    let place = Place::new();
    let mut list = String::new();
    for number in 0..IMAGES {
        let layers = [Layer::new(1000, 5000), Layer::new(number, 300)];
        let image = image::image(Flavour::Oci, "linux/amd64", &layers, number);
        let store = registry.store(&format!("i{number}"));
        image.push(store.as_ref(), Some("1")).await;
        image::sbom(image.root()).push(store.as_ref(), None).await;
        list.extend([registry.host(), format!("/i{number}:1,number=n{number}\n")]);
    }
    place.file("s.list", list);
    (registry, place)
}

fn start(place: &Place, line: &str) -> Child {
    let mut command = place.command();
    command.args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the binary starts")
}

/// The digest at the end of what gather prints.
fn digest(out: &str) -> &str {
    out.trim().rsplit_once('@').expect("a digest").1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_joined_parts_are_the_whole_byte_for_byte_also_after_a_kill() {
    let hang = FaultPlan::none().on_path(Kind::BlobGet, "/i5/", When::Nth(1), Fault::Hang);
    let (low, place) = low(hang).await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let part = |i: u32| {
        let host = high.host();
        format!("gather s.list {host}/parts:{i} --shard {i}/{SHARDS} -r -a ticket=1")
    };
    let mut running: Vec<(u32, Child)> =
        (0..SHARDS).map(|i| (i, start(&place, &part(i)))).collect();
    while running.len() > 1 {
        running.retain_mut(|(_, child)| match child.try_wait().expect("a child") {
            Some(status) => {
                assert!(status.success());
                false
            }
            None => true,
        });
        tokio::task::yield_now().await;
    }
    let (hanging, mut child) = running.pop().expect("one hangs");
    while !low.log().iter().any(|seen| seen.kind == Kind::BlobGet && seen.path.contains("/i5/")) {
        tokio::task::yield_now().await;
    }
    child.kill().expect("kills it");
    child.wait().expect("is dead");
    let parts: Vec<_> = (0..SHARDS).map(|i| format!("{}/parts:{i}\n", high.host())).collect();
    place.file("parts.list", parts.concat());
    let join = |to: &str| format!("gather parts.list {to} --join -r -a ticket=1");
    // The others are joined without it, and it is named.
    let lacking = format!("{}/parts:{hanging}", high.host());
    place.airlift(&join("oci:lacking:1")).with(3).says(&format!("error: {lacking}: "));
    place.airlift(&part(hanging)).with(0);

    let whole = place.airlift(&format!("gather s.list {}/whole:1 -r -a ticket=1", high.host()));
    let whole = digest(&whole.with(0).out).to_owned();
    high.reset_counts();
    let here = place.airlift(&join(&format!("{}/parts:all", high.host()))).with(0);
    assert_eq!(digest(&here.out), whole);
    here.says("12 unchanged; 0 moved");
    let counts = high.counts();
    assert_eq!((counts.blob_get, counts.upload_put, counts.manifest_put), (0, 0, 1));

    let beside = place.airlift(&join(&format!("{}/other:all", high.host()))).with(0);
    assert_eq!(digest(&beside.out), whole);
    assert_eq!((high.counts().blob_get, high.counts().upload_put), (0, 0), "mounts alone");
    assert!(high.counts().mount_ok > 0);
    let far = place.airlift(&join("oci:far:all")).with(0);
    assert_eq!(digest(&far.out), whole);
    let inspected = place.airlift("inspect oci:far:all -r -o json").with(0).out;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).expect("JSON");
    assert_eq!(
        (&inspected["totals"]["images"], &inspected["totals"]["referrers"]),
        (&12.into(), &12.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_disjoint_and_together_the_whole_in_every_verb() {
    let (registry, place) = low(FaultPlan::none()).await;
    let host = registry.host();
    let specs =
        (0..IMAGES).map(|n| format!("{{\"src\":\"{host}/i{n}:1\",\"dst\":\"{host}/copy:{n}\"}}"));
    place.file("specs.json", specs.collect::<String>());
    let lines = (0..IMAGES).map(|n| format!("{host}/i{n} {host}/line{n} 1\n"));
    place.file("lines.txt", lines.collect::<String>());
    let images: Vec<String> = (0..IMAGES).map(|n| format!("{host}/i{n}:1")).collect();
    for line in [
        format!("clone s.list nest={host}/clone --check"),
        "copy --specs specs.json --check".to_owned(),
        "copy --list lines.txt -a all --check".to_owned(),
        format!("copy --to {host}/under {} --check", images.join(" ")),
    ] {
        let rows = |line: &str| -> Vec<String> {
            let out = place.airlift(line).with(0).out;
            let rows = out.lines().filter(|line| line.contains(&host));
            // The columns of a table are as wide as its longest row.
            rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        let whole: BTreeSet<String> = rows(&line).into_iter().collect();
        let parts: Vec<String> =
            (0..5).flat_map(|i| rows(&format!("{line} --shard {i}/5"))).collect();
        assert_eq!(parts.len(), whole.len(), "{line}");
        assert_eq!(parts.into_iter().collect::<BTreeSet<_>>(), whole, "{line}");
    }
    place.airlift("gather s.list oci:x:1 --shard 4/4").with(2).says("of 4 the last is 3/4");
    place.airlift("gather s.list oci:x:1 --shard 1/4 --join").with(2);
    place.airlift("gather s.list oci:x:1 --join").with(2).says("has labels");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_nothing_is_done_none_the_less() {
    let (registry, place) = low(FaultPlan::none()).await;
    let one = format!("{}/i0:1\n", registry.host());
    place.file("one.list", &one);
    let mut holding = 0;
    for i in 0..3 {
        let ended = place.airlift(&format!("gather one.list oci:g:{i} --shard {i}/3")).with(0);
        assert!(ended.out.contains("@sha256:"), "{}", ended.out);
        holding += usize::from(ended.err.contains("1 done"));
        place.airlift(&format!("archive one.list a{i}.tar {i} --shard {i}/3")).with(0);
        place.airlift(&format!("verify a{i}.tar")).with(0);
        place.airlift(&format!("deserialize a{i}.tar oci:back:{i}")).with(0);
        place.airlift(&format!("clone one.list nest=localhost:1 --shard {i}/3 --check")).with(0);
        place
            .airlift(&format!("copy --to localhost:1 {} --shard {i}/3 --check", one.trim()))
            .with(0);
    }
    assert_eq!(holding, 1);
    place.file("parts.list", "oci:g:0\noci:g:1\noci:g:2\n");
    let joined = place.airlift("gather parts.list oci:g:all --join").with(0);
    let whole = place.airlift("gather one.list oci:whole:1").with(0);
    assert_eq!(digest(&joined.out), digest(&whole.out));
    // The archives of parts hold what the archive of the whole does.
    place.file("parts.list", "oci:back:0\noci:back:1\noci:back:2\n");
    let joined = place.airlift("gather parts.list oci:back:all --join").with(0);
    assert_eq!(digest(&joined.out), digest(&whole.out));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_parts_must_not_both_claim_is_refused_by_every_part() {
    let (registry, place) = low(FaultPlan::none()).await;
    let host = registry.host();
    let rules = (0..IMAGES).map(|n| format!("{host}/i{n}:1,{host}/same:1\n"));
    place.file("r.csv", rules.collect::<String>());
    place.file("r.tmpl", format!("{host}/same:1\n"));
    for rules in ["all-prefix=r.csv", "go-template=r.tmpl"] {
        for i in 0..SHARDS {
            let line = format!("clone s.list {rules} --shard {i}/{SHARDS}");
            place.airlift(&line).with(2).says(&format!("{host}/same:1"));
        }
    }
    assert!(registry.store("same").digests().is_empty(), "nothing was moved");
    // One source with two contents in two artifacts.
    place.airlift("gather s.list oci:one:1").with(0);
    let other = image::simple(99);
    other.push(registry.store("i3").as_ref(), Some("1")).await;
    place.airlift("gather s.list oci:two:1").with(0);
    place.file("two.list", "oci:one:1\noci:two:1\n");
    let ended = place.airlift("gather two.list oci:three:1 --join").with(1);
    ended.says(&format!("{host}/i3:1 is in oci:one:1 and in oci:two:1 with different content"));
}
