//! The files of `examples/copy`, as they stand.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlift_tests::image::{self, Flavour};

use super::{Site, platforms};
use crate::harness::Ended;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/copy")
}

/// A site whose source has what the examples name.
async fn site() -> Site {
    let site = Site::new().await;
    let tool = site.low.url();
    let config = format!(
        "{}    quay.io:\n      endpoints: [\"{tool}\"]\n    registry.example.com:\n      endpoints: [\"{}\"]\n",
        site.place.read("airlift.yaml"),
        site.high.url()
    );
    site.place.file("airlift.yaml", config);
    for (seed, name, tag) in [
        (1, "library/alpine", "3.20"),
        (2, "library/alpine", "3.21"),
        (3, "area51/jenkins", "lts"),
        (4, "team/tool", "1"),
    ] {
        let image =
            image::multi(Flavour::Oci, seed, &["linux/amd64", "linux/arm64", "linux/s390x"]);
        image.push(site.low.store(name).as_ref(), Some(tag)).await;
    }
    site
}

impl Site {
    /// Runs a shell line with `airlift` on the path.
    fn shell(&self, line: &str) -> Ended {
        let bin = Path::new(env!("CARGO_BIN_EXE_airlift")).parent().expect("a directory");
        let path = std::env::var("PATH").unwrap_or_default();
        let ours = self.place.command();
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.place.path()).env_clear();
        for (name, value) in ours.get_envs() {
            command.envs(value.map(|value| (name, value)));
        }
        command.env("PATH", format!("{}:{path}", bin.display())).env("EXAMPLES", examples());
        command.env("AIRLIFT_CONFIG", self.place.path().join("airlift.yaml"));
        self.place.run(command.env("MIRROR", "registry.example.com/mirror"))
    }

    async fn assert_mirrored(&self) {
        for (name, tag) in
            [("library/alpine", "3.20"), ("library/alpine", "3.21"), ("team/tool", "1")]
        {
            let name = name.trim_start_matches("library/");
            assert!(self.is_there(&format!("mirror/{name}"), tag).await, "{name}:{tag}");
        }
        let jenkins = self.arrived("mirror/ci/jenkins", "lts").await;
        assert_eq!(platforms(&jenkins), ["linux/amd64", "linux/arm64"]);
        assert_eq!(self.arrived("mirror/team/tool", "1").await.manifests().count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn specs_made_by_jq() {
    let site = site().await;
    let line = "jq --arg to registry.example.com/mirror -f \"$EXAMPLES/specs.jq\" \"$EXAMPLES/images.json\" | airlift copy --specs -";
    site.shell(line).with(0).says("copy: 4 done");
    site.assert_mirrored().await;
    site.place.file(
        "tags.json",
        r#"{"Repository":"docker.io/library/alpine","Tags":["3.20","3.21","3.21-rc1"]}"#,
    );
    let line = "jq --arg to registry.example.com/tags -f \"$EXAMPLES/tags.jq\" tags.json | airlift copy --specs -";
    site.shell(line).with(0).says("copy: 2 done");
    site.assert_same(("library/alpine", "3.21"), ("tags/library/alpine", "3.21")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list() {
    let site = site().await;
    site.shell("airlift copy --list \"$EXAMPLES/images.txt\" -d registry.example.com -j 4")
        .with(0)
        .says("copy: 3 done");
    let alpine = site.arrived("library/alpine", "3.21").await;
    assert_eq!(platforms(&alpine), ["linux/amd64", "linux/arm64"]);
    assert!(!site.place.path().join("mirror-failed.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduled_job() {
    let site = site().await;
    site.shell("\"$EXAMPLES/nightly.sh\" left").with(0);
    site.assert_mirrored().await;
    assert!(!site.place.path().join("left/failed.json").exists());
    site.low.store("area51/jenkins").remove_tag(&"lts".parse().expect("a tag"));
    site.shell("\"$EXAMPLES/nightly.sh\" left").with(1);
    let failed = site.place.read("left/failed.json");
    assert!(failed.contains("area51/jenkins:lts") && failed.lines().count() == 1, "{failed}");
}
