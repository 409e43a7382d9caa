//! `clone`: platforms, labels, several registries, and what a failure stops.

use airlift_oci::store::Source;
use airlift_oci::types::Version;
use airlift_tests::image::{self, Flavour};
use airlift_tests::model::Model;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with three images, and the list of them with one more that is not there.
async fn low() -> (TestRegistry, Place) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let host = registry.host();
    for (seed, name) in (1..).zip(["a", "b", "d"]) {
        let platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
        let graph = image::multi(Flavour::Oci, seed, &platforms);
        graph.push(registry.store(name).as_ref(), Some("1")).await;
    }
    let place = Place::new();
    place.file("s.list", format!("{host}/a:1,k=v\n{host}/b:1\n{host}/d:1\n"));
    place.file("bad.list", format!("{host}/a:1\n{host}/gone:1\n{host}/b:1\n{host}/d:1\n"));
    (registry, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_platforms_are_one_index_at_the_destination() {
    let (registry, place) = low().await;
    let host = registry.host();
    let line = format!("clone s.list nest={host}/m -p linux/amd64 -p linux/arm64 -l k=v");
    place.airlift(&line).with(0).says("clone: 1 done");
    let store = registry.store(&format!("m/{}/a", host.replace(':', "_")));
    let version = Version::Tag("1".parse().expect("a tag"));
    let index = store.fetch(&version).await.expect("is there");
    let platforms: Vec<_> =
        index.manifests().filter_map(|child| Some(child.platform.as_ref()?.to_string())).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    Model::walk(store.as_ref(), &version).await.expect("whole");
    place.airlift(&line).with(0).says("clone: 1 unchanged");
    place.airlift(&line.replace("k=v", "k=w")).with(2).says("no source is chosen");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_registries_are_served_by_one_reading() {
    let (low, place) = low().await;
    let one = TestRegistry::start(FaultPlan::none()).await;
    let two = TestRegistry::start(FaultPlan::none()).await;
    let from = low.host();
    let line = |to: &TestRegistry| format!("{from}/,{}/m/\n", to.host());
    place.file("r.csv", line(&one) + &line(&two));
    low.reset_counts();
    place.airlift("clone s.list all-prefix=r.csv").with(0).says("3 done");
    let mut digests = std::collections::BTreeSet::new();
    for name in ["a", "b", "d"] {
        let version = Version::Tag("1".parse().expect("a tag"));
        let source = Model::walk(low.store(name).as_ref(), &version).await.expect("whole");
        for to in [&one, &two] {
            let store = to.store(&format!("m/{name}"));
            assert_eq!(Model::walk(store.as_ref(), &version).await.expect("whole"), source);
        }
        digests.extend(low.store(name).digests());
    }
    let seen = low.log();
    let mut reads: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.path.contains("/blobs/"))
        .map(|seen| seen.path.as_str())
        .collect();
    let all = reads.len();
    reads.sort_unstable();
    reads.dedup();
    assert_eq!(reads.len(), all, "each blob was read once for both");
    low.reset_counts();
    place.airlift("clone s.list all-prefix=r.csv").with(0).says("3 unchanged");
    assert_eq!(low.counts().blob_get, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_the_others_only_when_asked() {
    let (registry, place) = low().await;
    let host = registry.host();
    let line = |name: &str, more: &str| format!("clone bad.list nest={host}/{name}{more}");
    place.airlift(&line("m", "")).with(3).says("3 done, 1 failed").says("gone:1");
    place
        .airlift(&line("n", " --continue"))
        .with(3)
        .says("--continue changes nothing: a failure never stops the other images")
        .says("3 done, 1 failed");
    registry.reset_counts();
    place.airlift(&line("o", " --fail-fast --failed f.list")).with(1).says("clone: 1 failed");
    assert_eq!(registry.counts().manifest_put, 0, "no image was begun");
    assert_eq!(place.read("f.list"), format!("{host}/gone:1\n"));
    place.airlift(&line("p", " --fail-fast --continue")).with(2);
    let plan = place.airlift(&line("q", " --check")).with(1);
    assert!(plan.out.contains("/b:1") && plan.err.contains("gone:1"), "{plan:?}");
}
