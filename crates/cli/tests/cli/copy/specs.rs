//! `copy --specs`: every field and rule of the document.

use airlift_oci::store::Source;
use airlift_oci::types::{Digest, Manifest};
use airlift_tests::image::{self, Flavour, Layer};

use super::{Site, platforms};

const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"];

/// A site whose source has `library/alpine:latest` for three platforms and `a/single:1`.
async fn site() -> Site {
    let site = Site::new().await;
    let alpine = image::multi(Flavour::Oci, 1, &PLATFORMS);
    alpine.push(site.low.store("library/alpine").as_ref(), Some("latest")).await;
    image::simple(2).push(site.low.store("a/single").as_ref(), Some("1")).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_objects_and_arrays_with_dockers_short_names() {
    let site = site().await;
    let high = site.high.host();
    let specs = format!(
        r#"{{"src": "alpine", "dst": "{high}/alpine"}}
        [
          {{"src": "docker.io/a/single:1", "dst": "{high}/b/single:2"}},
          {{"src": "index.docker.io/library/alpine:latest", "dst": "{high}/alpine:latest"}}
        ] [] {{"src": "a/single:1", "dst": "{high}/c", "transform": {{}}}}"#
    );
    let ended = site.feed("copy --specs - --report r.json", &specs);
    ended.with(0).says("copy: 3 done");
    site.assert_same(("library/alpine", "latest"), ("alpine", "latest")).await;
    site.assert_same(("a/single", "1"), ("b/single", "2")).await;
    site.assert_same(("a/single", "1"), ("c", "latest")).await;
    let report: serde_json::Value = serde_json::from_str(&site.place.read("r.json")).expect("JSON");
    assert_eq!(report["items"].as_array().map(Vec::len), Some(3), "a repeated spec runs once");
    assert_eq!(report["items"][0]["destinations"][0], format!("{high}/alpine:latest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_platforms_as_the_document_says() {
    let site = site().await;
    let high = site.high.host();
    let spec = |src: &str, dst: &str, list: &str| {
        format!(
            r#"{{"src":"{src}","dst":"{high}/{dst}","transform":{{"limitPlatforms":[{list}]}}}}"#
        )
    };
    let text = [
        spec("alpine", "two", r#""linux/arm64", "linux/arm/v7""#),
        spec("alpine", "one", r#""linux/amd64", "linux/s390x""#),
        spec("alpine", "none", r#""linux/arm/v6", "windows/amd64""#),
        spec("a/single:1", "single", r#""linux/s390x""#),
        spec("alpine", "all", ""),
    ];
    site.place.file("specs.json", text.join("\n"));
    let ended = site.place.airlift("copy --specs specs.json --failed again.json");
    ended.with(3).says("wanted linux/arm/v6, windows/amd64, found linux/amd64");
    let two = site.arrived("two", "latest").await;
    assert_eq!(platforms(&two), ["linux/arm64/v8", "linux/arm/v7"]);
    let whole = site.arrived("all", "latest").await;
    let child = |manifest: &Manifest, number: usize| {
        manifest.manifests().nth(number).expect("a child").clone()
    };
    assert_eq!(child(&two, 0), child(&whole, 1));
    assert_eq!(site.arrived("one", "latest").await.digest(), &child(&whole, 0).digest);
    site.assert_same(("a/single", "1"), ("single", "latest")).await;
    site.assert_same(("library/alpine", "latest"), ("all", "latest")).await;
    assert!(!site.is_there("none", "latest").await);
    let again: serde_json::Value =
        serde_json::from_str(&site.place.read("again.json")).expect("one");
    assert_eq!(again["dst"], format!("{high}/none:latest"));
    assert_eq!(again["transform"]["limitPlatforms"][1], "windows/amd64");
    site.place.airlift("copy --specs again.json").with(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_is_told_at_once_and_nothing_is_sent() {
    let site = site().await;
    let high = site.high.host();
    let (x, y) = (Digest::of(b"x"), Digest::of(b"y"));
    let specs = format!(
        r#"{{"src":"alpine","dst":"{high}/a"}}
{{"src":"{high}/a:latest","dst":"{high}/b"}}
{{"src":"a/single:1","dst":"{high}/b"}}
{{"src":"a/single:1","dst":"{high}/c@{x}"}}
{{"src":"a/single@{y}","dst":"{high}/d@{x}"}}
{{"src":"a/single@{x}","dst":"{high}/e@{x}","transform":{{"limitPlatforms":["linux/amd64"]}}}}
{{"src":"alpine","dst":"{high}/f","platform":"linux/amd64"}}
{{"src":"alpine","dst":"{high}/g","transform":{{"platforms":[]}}}}
{{"dst":"{high}/h"}}
{{"src":"Alpine","dst":"{high}/i"}}
"#
    );
    site.place.file("specs.json", &specs);
    for line in ["copy --specs specs.json", "copy --specs specs.json --check"] {
        let mut ended =
            site.place.airlift(line).with(2).says("specs.json: 9 violations, nothing was done");
        let starts: Vec<usize> = specs.match_indices("{\"src\"").map(|(byte, _)| byte).collect();
        for (number, text) in [
            (1, "is a destination here and a source at spec 2"),
            (3, "b:latest is given from docker.io/a/single:1 here and differently from"),
            (4, "names a digest, so the source must name the same one; it is docker.io/a/single:1"),
            (5, "names a digest, so the source must name the same one; it is docker.io/a/single@"),
            (6, "names a digest, but transformations give the image another one"),
            (7, "unknown field `platform`, expected one of `src`, `dst`, `transform`"),
            (8, "unknown field `platforms`, expected `limitPlatforms`"),
        ] {
            ended =
                ended.says(&format!("spec {number} (byte {}): ", starts[number - 1])).says(text);
        }
        ended.says("spec 9 ").says("`src` is missing").says("spec 10 ").says("must be lower case");
    }
    assert_eq!(site.requests(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_in_an_object_names_the_byte_and_sends_nothing() {
    let site = site().await;
    let first = format!(r#"{{"src":"alpine","dst":"{}/a"}}"#, site.high.host());
    let cut = format!("{first}\n{}", &first[..20]);
    let ended = site.feed("copy --specs -", &cut).with(2);
    ended
        .says(&format!("standard input: spec 2 (byte {}): ", first.len() + 1))
        .says(&format!("the input ends in the middle of the spec at byte {}", cut.len()));
    assert_eq!(site.requests(), (0, 0));
    site.place.airlift("copy --specs missing.json").with(2).says("reading missing.json failed");
    for unused in ["-a amd64", "-o failed.txt", "--all-tags"] {
        site.feed(&format!("copy --specs - {unused}"), &first).with(2).says("cannot be used with");
    }
    site.feed("copy --list - --all-tags", "a b 1\n").with(2).says("cannot be used with");
    site.place.airlift("copy --to r.io/x -o failed.txt alpine").with(2).says("cannot be used with");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_the_destination_has_under_another_image_is_mounted() {
    let site = Site::new().await;
    let base = Layer::new(1, 40_000);
    let (low, high) = (site.low.host(), site.high.host());
    for (name, own) in [("one", 10), ("two", 20)] {
        let layers = [base.clone(), Layer::new(own, 1000)];
        let image = image::image(Flavour::Oci, "linux/amd64", &layers, own);
        image.push(site.low.store(name).as_ref(), Some("1")).await;
    }
    let spec = |name: &str| format!(r#"{{"src":"{low}/{name}:1","dst":"{high}/{name}:1"}}"#);
    site.feed("copy --specs -", &spec("one")).with(0);
    site.forget();
    // Another process: what is there is learned from the destination, since `one` is in place.
    let specs = format!("{}{}", spec("one"), spec("two"));
    site.feed("copy --specs -", &specs).with(0).says("1 done, 1 unchanged").says("1 mounted");
    assert_eq!(site.low.counts().blob_get, 2, "configuration and own layer, not the base");
    assert_eq!(site.high.counts().mount_ok, 1);
    site.assert_same(("two", "1"), ("two", "1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layouts_stand_at_either_end_and_referrers_come_along() {
    let site = site().await;
    let (low, high) = (site.low.host(), site.high.host());
    let store = site.low.store("a/single");
    let single = image::simple(2);
    image::signature(single.root()).push(store.as_ref(), None).await;
    let cosign = image::cosign_signature(single.root());
    let tag = image::cosign_tag(single.root().digest(), "sig");
    cosign.push(store.as_ref(), Some(&tag)).await;
    let out = format!(r#"{{"src":"{low}/a/single:1","dst":"oci:staging:x"}}"#);
    site.feed("copy -r --specs -", &out).with(0);
    let back = format!(r#"{{"src":"oci:staging:x","dst":"{high}/back:1"}}"#);
    site.feed("copy -r --specs -", &back).with(0);
    site.assert_same(("a/single", "1"), ("back", "1")).await;
    assert!(site.is_there("back", &tag).await, "cosign's tag");
    let store = site.high.store("back");
    let referrers = store.referrers(single.root().digest());
    assert_eq!(referrers.await.expect("a list").len(), 1, "the referrer by subject");
    let archive = format!(r#"{{"src":"{low}/a/single:1","dst":"oci-archive:x.tar"}}"#);
    site.feed("copy --specs -", &archive)
        .with(2)
        .says("archives are written by `airlift serialize`");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_plan_and_asks_nobody() {
    let site = site().await;
    let specs = r#"{"src":"alpine","dst":"r.io/a","transform":{"limitPlatforms":["linux/amd64"]}}{"src":"a/b","dst":"r.io/b"}"#;
    let ended = site.feed("copy --specs - --check", specs).with(0);
    assert_eq!(
        ended.out,
        "docker.io/library/alpine:latest -> r.io/a:latest [linux/amd64]\n\
         docker.io/a/b:latest -> r.io/b:latest\n"
    );
    assert_eq!(site.requests(), (0, 0));
}
