//! `copy --list`: lines, overrides by priority, jobs, the file of what failed.

use airlift_tests::image::{self, Flavour};
use airlift_tests::{Auth, FaultPlan};

use super::{Site, platforms};

/// The document's list, as it stands.
const SAMPLE: &str = "# <SOURCE> <DEST> <TAG>\nhello-world private.io/library/hello-world latest\n";

async fn hello(site: &Site) {
    let platforms = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7", "linux/s390x"];
    let hello = image::multi(Flavour::Docker, 7, &platforms);
    hello.push(site.low.store("library/hello-world").as_ref(), Some("latest")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_sample_with_its_default_architectures() {
    let site = Site::new().await;
    hello(&site).await;
    site.place.file("list.txt", SAMPLE);
    site.place.airlift("copy --list list.txt").with(0).says("copy: 1 done");
    let index = site.arrived("library/hello-world", "latest").await;
    assert_eq!(platforms(&index), ["linux/amd64", "linux/arm64/v8"]);
    site.place.airlift("copy --list ./list.txt").with(0).says("copy: 1 unchanged; 0 moved");
    site.place.airlift("copy -f list.txt -a arm,s390x").with(0);
    let index = site.arrived("library/hello-world", "latest").await;
    assert_eq!(platforms(&index), ["linux/arm/v7", "linux/s390x"]);
    let words = ["copy", "-f", "list.txt", "-a", "arm s390x"];
    let again = site.place.run(site.place.command().args(words));
    again.with(0).says("copy: 1 unchanged");
    site.place.airlift("copy -f list.txt -a all --os linux -j 20").with(0);
    site.assert_same(("library/hello-world", "latest"), ("library/hello-world", "latest")).await;
    site.place.airlift("copy -f list.txt -a riscv64").with(1).says("wanted any/riscv64");
    site.place.airlift("copy -f list.txt -j 21").with(2).says("1..=20");
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_are_overridden_by_priority() {
    let site = Site::new().await;
    hello(&site).await;
    let list = "// a comment\n\nhello-world private.io/library/hello-world latest\nhello-world hello latest\n";
    site.place.file("list.txt", list);
    let check = |line: &str, variable: Option<&str>| {
        let mut command = site.place.command();
        command.args(line.split(' ')).args(["--check"]);
        command.envs(variable.map(|value| ("DOCKER_REGISTRY", value)));
        let out = site.place.run(&mut command).with(0).out;
        let of = |line: &str| line.split(" [").next().expect("one").to_owned();
        out.lines().map(of).collect::<Vec<_>>()
    };
    let hub = "docker.io/library/hello-world:latest ->";
    assert_eq!(
        check("copy --list list.txt", None),
        [
            format!("{hub} private.io/library/hello-world:latest"),
            format!("{hub} docker.io/library/hello:latest")
        ]
    );
    assert_eq!(
        check("copy --list list.txt", Some("env.example.org")),
        [
            format!("{hub} env.example.org/library/hello-world:latest"),
            format!("{hub} env.example.org/hello:latest")
        ]
    );
    assert_eq!(
        check("copy --list list.txt -d custom.example.org", Some("env.example.org")),
        [
            format!("{hub} custom.example.org/library/hello-world:latest"),
            format!("{hub} custom.example.org/hello:latest")
        ]
    );
    assert_eq!(
        check("copy --list list.txt -s localhost:5000", None)[0],
        "localhost:5000/hello-world:latest -> private.io/library/hello-world:latest"
    );
    site.place.airlift("copy --list list.txt -d mirror").with(2).says("names no registry");
    site.place.airlift("copy --list list.txt -d custom.example.org -s docker.io").with(0);
    site.assert_hello().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_lines_are_written_ready_to_run_again() {
    let site = Site::new().await;
    hello(&site).await;
    let gone = "gone/away private.io/gone/away 1";
    site.place.file("list.txt", format!("{SAMPLE}\n{gone}\n"));
    let failed = || site.place.path().join("mirror-failed.txt").exists();
    site.place
        .airlift("copy --list list.txt -j 2 -v")
        .with(3)
        .says("image{number=2}")
        .says("1 done, 1 failed");
    assert_eq!(site.place.read("mirror-failed.txt"), format!("{gone}\n"));
    site.place.airlift("copy --list mirror-failed.txt").with(1);
    image::simple(3).push(site.low.store("gone/away").as_ref(), Some("1")).await;
    site.place.airlift("copy --list mirror-failed.txt").with(0);
    assert!(!failed(), "absent when nothing failed");
    site.place.file("list.txt", "no/such private.io/no/such 1\n");
    site.place.airlift("copy --list list.txt -o other.txt --failed third.txt").with(1);
    assert!(!failed());
    assert_eq!(site.place.read("other.txt"), "no/such private.io/no/such 1\n");
    assert_eq!(site.place.read("third.txt"), site.place.read("other.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_from_standard_input_without_a_list_and_bad_ones_stop_all() {
    let site = Site::new().await;
    hello(&site).await;
    site.feed("copy -d custom.example.org", SAMPLE).with(0).says("1 done");
    site.forget();
    let ended =
        site.feed("copy", "hello-world private.io/a latest\nhello-world\na b:1 c\n").with(2);
    ended
        .says("standard input: 2 violations")
        .says("line 2: expected `SOURCE DEST TAG`, found 1 field")
        .says("line 3: \"b:1\" has a tag or digest of its own");
    assert_eq!(site.requests(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_credentials_go_to_the_destination_alone() {
    let site =
        Site::with(FaultPlan::none(), FaultPlan::none().auth(Auth::basic("me", "secret"))).await;
    hello(&site).await;
    let high = site.high.host();
    let line = format!("hello-world {high}/library/hello-world latest\n");
    site.place.file("list.txt", &line);
    let run = |line: &str, password: Option<&str>| {
        let mut command = site.place.command();
        command.args(line.split(' '));
        for (name, value) in
            password.iter().flat_map(|p| [("DOCKER_USERNAME", "me"), ("DOCKER_PASSWORD", *p)])
        {
            command.env(name, value);
        }
        site.place.run(&mut command)
    };
    run("copy --list list.txt", None).with(1).says("access denied");
    let refused = run("copy --list list.txt", Some("wrong-secret")).with(1);
    let refused = refused.says("from DOCKER_USERNAME and DOCKER_PASSWORD do not suffice");
    assert!(!refused.err.contains("wrong-secret"), "{}", refused.err);
    let ended = run("copy --list list.txt -vvv", Some("secret")).with(0);
    assert!(!ended.err.contains("secret"), "{}", ended.err);
    run(&format!("copy --list list.txt -d {high}/other"), Some("secret")).with(0);
    assert!(site.low.log().iter().all(|exchange| !exchange.is_authorized()));
    site.place.file("two.txt", format!("{line}hello-world custom.example.org/x latest\n"));
    run("copy --list two.txt", Some("secret")).with(1).says("several destination registries");
}

impl Site {
    async fn assert_hello(&self) {
        for repository in ["library/hello-world", "hello"] {
            assert!(self.is_there(repository, "latest").await, "{repository}");
        }
    }
}
