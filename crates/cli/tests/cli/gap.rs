//! The whole way across the gap: gather, serialize, deserialize, scatter.

use std::process::Stdio;

use airlift_oci::store::Source;
use airlift_oci::types::{Reference, Version};
use airlift_tests::image::{self, Flavour, cosign_signature, cosign_tag, sbom, signature};
use airlift_tests::model::Model;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// What a registry holds under a reference, referrers included.
async fn model(registry: &TestRegistry, reference: &str) -> Model {
    let reference: Reference = reference.parse().expect("a reference");
    let store = registry.store(reference.name.repository());
    Model::walk_with_referrers(store.as_ref(), &reference.version()).await.expect("reads it")
}

/// The low side: an image with signatures of both kinds and a signed SBOM, and two others.
async fn low() -> (TestRegistry, Vec<String>) {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let app = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    let store = low.store("team/app");
    app.push(store.as_ref(), Some("1")).await;
    let bill = sbom(app.root());
    bill.push(store.as_ref(), None).await;
    signature(bill.root()).push(store.as_ref(), None).await;
    let tag = cosign_tag(app.root().digest(), "sig");
    cosign_signature(app.root()).push(store.as_ref(), Some(&tag)).await;
    image::nested(5).push(low.store("team/nest").as_ref(), Some("2")).await;
    let docker = image::multi(Flavour::Docker, 9, &["linux/amd64", "linux/arm/v7"]);
    docker.push(low.store("other/tool").as_ref(), Some("3")).await;
    let sources = ["team/app:1", "team/nest:2", "other/tool:3"];
    let sources = sources.iter().map(|rest| format!("{}/{rest}", low.host())).collect();
    (low, sources)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_as_it_was() {
    let (low, sources) = low().await;
    // The far registry knows no referrers API: what refers must be found by its tag.
    let high = TestRegistry::start(FaultPlan::none().without_referrers()).await;
    let place = Place::new();
    place.file("s.list", sources.join("\n"));
    let (from, to) = (low.host(), high.host());
    place.airlift(&format!("gather s.list {from}/gather:1 -r")).with(0);
    place.airlift(&format!("serialize {from}/gather:1 a.tar -r")).with(0).says("serialize: ");
    place.airlift(&format!("deserialize a.tar {to}/landed:1")).with(0).says("deserialize: ");
    place.airlift(&format!("scatter {to}/landed:1 nest={to}/m -r")).with(0).says("3 done");
    for source in &sources {
        let arrived = format!("{to}/m/{}", source.replacen(':', "_", 1));
        let (wanted, found) = (model(&low, source).await, model(&high, &arrived).await);
        assert_eq!(wanted.manifests, found.manifests, "{source}");
        assert_eq!(wanted.blobs, found.blobs, "{source}");
    }
    let app: Reference = sources[0].parse().expect("a reference");
    let root = low.store("team/app").resolve(&app.version()).await.expect("is there").digest;
    let tag = cosign_tag(&root, "sig").parse().expect("a tag");
    let moved = high.store(&format!("m/{}/team/app", from.replace(':', "_")));
    moved.resolve(&Version::Tag(tag)).await.expect("the signature under its tag");
    let referrers = moved.referrers(&root).await.expect("lists them");
    assert_eq!(referrers, low.store("team/app").referrers(&root).await.expect("lists them"));
    assert_eq!(referrers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_the_same_every_time_and_pass_through_pipes() {
    let (low, sources) = low().await;
    let place = Place::new();
    place.file("s.list", sources.join("\n"));
    place.airlift("gather s.list oci:low:1").with(0);
    place.airlift("serialize oci:low:1 a.tar").with(0);
    place.airlift("serialize oci:low:1 b.tar").with(0);
    let bytes = |name: &str| std::fs::read(place.path().join(name)).expect(name);
    assert_eq!(bytes("a.tar"), bytes("b.tar"));
    place.airlift("serialize oci:low:1 a.tar").with(2).says("a.tar exists already");
    drop(low);

    let mut write = place.command();
    write.args(["serialize", "oci:low:1", "-"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut writer = write.spawn().expect("starts");
    let mut read = place.command();
    read.args(["deserialize", "-", "oci:high:1"]).stdin(writer.stdout.take().expect("is piped"));
    let read = place.run(&mut read).with(0);
    assert!(writer.wait().expect("ends").success());
    assert!(read.out.starts_with("oci:high:1@sha256:"));
    place.airlift("serialize oci:high:1 c.tar").with(0);
    assert_eq!(bytes("a.tar"), bytes("c.tar"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_medium_is_found_and_nothing_is_tagged() {
    let (_low, sources) = low().await;
    let place = Place::new();
    place.file("s.list", sources.join("\n"));
    place.airlift("gather s.list oci:low:1").with(0);
    place.airlift("serialize oci:low:1 a.tar -b 10k").with(2).says("no multiple of 512");
    place.airlift("serialize oci:low:1 a.tar -b 10Ki").with(0);
    let mut bytes = std::fs::read(place.path().join("a.tar")).expect("is there");
    let place_of_damage = bytes.len() * 3 / 4;
    bytes[place_of_damage] ^= 1;
    place.file("bad.tar", &bytes);
    place
        .airlift("deserialize bad.tar oci:high:1")
        .with(4)
        .says("bad.tar")
        .says("nothing was tagged");
    place.file("short.tar", &bytes[..bytes.len() / 2]);
    place.airlift("deserialize short.tar oci:high:1").with(4).says("short.tar");
    place.file("text.tar", "this is no archive");
    place.airlift("deserialize text.tar oci:high:1").with(4).says("text.tar");
    place.airlift("deserialize none.tar oci:high:1").with(2).says("none.tar cannot be opened");
    place.airlift("scatter oci:high:1 nest=a.io").with(1).says("was not found");
}

#[test]
fn mbuffer_changes_no_byte() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let input = std::fs::File::open(place.file("in", &bytes)).expect("opens");
    let mut command = place.command();
    command.args(["mbuffer", "out", "-b", "64Ki", "-m", "4Mi"]).stdin(input);
    place.run(&mut command).with(0).says("mbuffer: 12.0 MB written");
    assert_eq!(std::fs::read(place.path().join("out")).expect("reads"), bytes);
    place.airlift("mbuffer out -m 1").with(2).says("less than two blocks");
    place.airlift("mbuffer out").with(2).says("out exists already");
}
