//! The program under the names of others.

use std::os::unix::fs::symlink;

use airlift_tests::image::{self, Flavour};

use super::Site;
use crate::harness::Ended;

impl Site {
    /// Runs a line whose first word is the name of a link to the binary.
    fn under_name(&self, line: &str) -> Ended {
        let mut words = line.split_whitespace();
        let link = self.place.path().join(words.next().expect("a name"));
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_airlift"), &link).expect("a link");
        }
        let ours = self.place.command();
        let mut command = std::process::Command::new(link);
        command.current_dir(self.place.path()).env_clear().stdin(std::process::Stdio::null());
        for (name, value) in ours.get_envs() {
            command.envs(value.map(|value| (name, value)));
        }
        self.place.run(command.args(words))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_three_programs_go_on_working() {
    let site = Site::new().await;
    let hello = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    hello.push(site.low.store("library/hello-world").as_ref(), Some("latest")).await;
    image::simple(2).push(site.low.store("area51/jenkins").as_ref(), Some("latest")).await;
    site.under_name("docker-mirror -d docker.example.com/mirror hello-world area51/jenkins")
        .with(0);
    let hello = ("library/hello-world", "latest");
    site.assert_same(hello, ("mirror/library/hello-world", "latest")).await;
    site.assert_same(("area51/jenkins", "latest"), ("mirror/area51/jenkins", "latest")).await;
    let spec = r#"{"src":"hello-world","dst":"docker.example.com/specs"}"#;
    site.place.file("specs.json", spec);
    site.under_name("magic-mirror specs.json --verbose").with(0);
    site.assert_same(hello, ("specs", "latest")).await;
    site.place.file("list.txt", "hello-world private.io/library/hello-world latest\n");
    site.under_name("image-tools mirror -f ./list.txt -d custom.example.org -j 10 -debug").with(0);
    site.assert_same(hello, ("library/hello-world", "latest")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn their_mistakes_end_with_2() {
    let site = Site::new().await;
    site.under_name("docker-mirror hello-world").with(2).says("docker-mirror: -d is required");
    site.under_name("image-tools load").with(2).says("only mirror");
    site.under_name("magic-mirror missing.json").with(2).says("missing.json");
    let help = site.under_name("image-tools mirror -h").with(0).out;
    assert!(help.contains("airlift copy --list"), "{help}");
}
