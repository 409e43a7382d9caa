//! The guide's workflow, as the page has it: every file written, every command run, in order.

use airlift_oci::store::Source;
use airlift_oci::types::{Tag, Version};
use airlift_tests::image::{Flavour, cosign_signature, cosign_tag, multi, sbom};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

const GUIDE: &str = include_str!("../../../../docs/guide.md");

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    info: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = GUIDE.lines().map(str::trim_start);
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block { info: info.to_owned(), text: text.join("\n") + "\n" });
    }
    blocks
}

struct Registries([TestRegistry; 3]);

impl Registries {
    async fn start() -> Self {
        let low = TestRegistry::start(FaultPlan::none()).await;
        for (seed, repository, tag) in [
            (1, "library/nginx", "1.27"),
            (2, "library/busybox", "1.36.1"),
            (3, "ceph/ceph", "v17.2"),
        ] {
            let image = multi(Flavour::Oci, seed, &["linux/amd64", "linux/arm64"]);
            let store = low.store(repository);
            image.push(store.as_ref(), Some(tag)).await;
            sbom(image.root()).push(store.as_ref(), None).await;
            let signature = cosign_tag(image.root().digest(), "sig");
            cosign_signature(image.root()).push(store.as_ref(), Some(&signature)).await;
        }
        let near = TestRegistry::start(FaultPlan::none()).await;
        let far = TestRegistry::start(FaultPlan::none()).await;
        Registries([low, near, far])
    }

    /// The page's addresses as those of these registries.
    fn rewrite(&self, text: &str) -> String {
        self.0.iter().enumerate().fold(text.to_owned(), |text, (number, registry)| {
            text.replace(&format!("localhost:500{number}"), &registry.host())
        })
    }

    /// Whether the high side has `repository:tag` as the low side has `source:tag`.
    async fn same(&self, source: &str, repository: &str, tag: &str) {
        let version = Version::Tag(tag.parse::<Tag>().expect("a tag"));
        let there = self.0[2].store(repository).fetch(&version).await.expect(repository);
        let here = self.0[0].store(source).fetch(&version).await.expect(source);
        assert_eq!(there.raw(), here.raw(), "{repository}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_workflow() {
    let registries = Registries::start().await;
    let place = Place::new();
    let mut commands = 0;
    for block in blocks() {
        let text = registries.rewrite(&block.text);
        if let Some(name) = block.info.strip_prefix("text ") {
            place.file(name, text);
        } else if block.info == "sh" {
            for line in text.lines() {
                let words = line.strip_prefix("airlift ").expect(line);
                let mut command = place.command();
                command.args(words.split_whitespace());
                tokio::task::block_in_place(|| place.run(&mut command)).with(0);
                commands += 1;
            }
        }
    }
    assert!(commands >= 14, "only {commands} commands were found");
    let low = registries.0[0].host().replace(':', "_");
    registries.same("ceph/ceph", &format!("mirror/{low}/ceph/ceph"), "v17.2").await;
    registries.same("library/nginx", "docker/nginx", "1.27").await;
    registries.same("library/nginx", "by-tag/library/nginx", "1.27").await;
    registries.same("library/busybox", &format!("direct/{low}/library/busybox"), "1.36.1").await;
    // `-l team=web` leaves the storage team's image alone.
    let other = registries.0[2].store("other/ceph/ceph").tags().await.expect("tags");
    assert!(other.is_empty());
    // `-r` brings signatures along: found by subject, and by cosign's tag.
    let signed = registries.0[2].store("by-tag/library/nginx");
    let nginx = signed.fetch(&Version::Tag("1.27".parse().expect("a tag"))).await.expect("nginx");
    assert_eq!(signed.referrers(nginx.digest()).await.expect("referrers").len(), 1);
    let cosign: Tag = cosign_tag(nginx.digest(), "sig").parse().expect("a tag");
    assert!(signed.fetch(&Version::Tag(cosign)).await.is_ok());
}
