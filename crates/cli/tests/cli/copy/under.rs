//! `copy --to`: images under a prefix.

use airlift_oci::store::Source;
use airlift_oci::types::Version;
use airlift_tests::image::{self, Flavour};

use super::{Site, platforms};

const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm/v5", "windows/amd64"];

async fn site() -> Site {
    let site = Site::new().await;
    let hello = image::multi(Flavour::Docker, 1, &PLATFORMS);
    hello.push(site.low.store("library/hello-world").as_ref(), Some("latest")).await;
    image::simple(2).push(site.low.store("area51/jenkins").as_ref(), Some("latest")).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_command_lines() {
    let site = site().await;
    let copy = |rest: &str| site.place.airlift(&format!("copy --to docker.example.com{rest}"));
    copy(" hello-world").with(0).says("1 done");
    let index = site.arrived("library/hello-world", "latest").await;
    assert_eq!(platforms(&index), ["linux/amd64", "linux/arm/v5"], "Linux, all of it");
    copy(" area51/jenkins").with(0);
    site.assert_same(("area51/jenkins", "latest"), ("area51/jenkins", "latest")).await;
    copy("/mirror hello-world area51/jenkins").with(0).says("2 done");
    assert!(site.is_there("mirror/library/hello-world", "latest").await);
    site.assert_same(("area51/jenkins", "latest"), ("mirror/area51/jenkins", "latest")).await;
    copy("/all hello-world --os all").with(0);
    site.assert_same(("library/hello-world", "latest"), ("all/library/hello-world", "latest"))
        .await;
    copy("/win hello-world area51/jenkins --os windows")
        .with(3)
        .says("wanted windows/any, found linux/amd64");
    site.place.airlift("copy -d docker.example.com/alias area51/jenkins").with(0);
    assert!(site.is_there("alias/area51/jenkins", "latest").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_digests_are_kept() {
    let site = site().await;
    let hello = image::multi(Flavour::Docker, 1, &PLATFORMS);
    let digest = hello.root().digest();
    let line = format!("copy --to docker.example.com/m hello-world@{digest}");
    site.place.airlift(&line).with(0);
    let store = site.high.store("m/library/hello-world");
    let version = Version::Digest(digest.clone());
    let found = store.resolve(&version);
    assert_eq!(&found.await.expect("by its digest").digest, digest);
    site.place.airlift(&line).with(0).says("1 unchanged");
    site.place
        .airlift(&format!("{line} --os linux"))
        .with(2)
        .says("transformations give the image another one");
    let tagged = format!("copy --to docker.example.com/t hello-world:v1@{digest}");
    site.place.airlift(&tagged).with(0);
    assert_eq!(site.arrived("t/library/hello-world", "v1").await.digest(), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tags_by_patterns() {
    let site = site().await;
    for (seed, tag) in (10..).zip(["3.19", "3.20", "3.20-rc1", "edge"]) {
        image::simple(seed).push(site.low.store("library/alpine").as_ref(), Some(tag)).await;
    }
    let line = "copy --to docker.example.com/m --all-tags --include 3.* --include edge --exclude *-rc? alpine";
    let plan = site.place.airlift(&format!("{line} --check")).with(0).out;
    assert_eq!(plan.lines().count(), 3, "{plan}");
    site.place.airlift(line).with(0).says("copy: 3 done");
    assert!(site.is_there("m/library/alpine", "3.20").await);
    assert!(!site.is_there("m/library/alpine", "3.20-rc1").await);
    site.place
        .airlift("copy --to docker.example.com/n --all-tags alpine no/such --failed f")
        .with(3)
        .says("listing its tags failed");
    assert_eq!(site.place.read("f"), "docker.io/no/such\n");
    site.place
        .airlift("copy --to docker.example.com --all-tags alpine:3.19")
        .with(2)
        .says("names one image");
    site.place.airlift("copy --to docker.example.com --all-tags --include [x alpine").with(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_placed_is_told_before_anything_is_asked() {
    let site = site().await;
    site.place.airlift("copy hello-world").with(2).says("add --to REGISTRY[/PREFIX]");
    site.place
        .airlift("copy --to mirror hello-world")
        .with(2)
        .says("\"mirror\" is no REGISTRY[/PREFIX]");
    let two = "copy --to docker.example.com quay.io/a/b:1 ghcr.io/a/b:1 Bad";
    site.place.airlift(two).with(2).says("2 violations").says("argument 2: ").says("argument 3: ");
    assert_eq!(site.requests(), (0, 0));
}
