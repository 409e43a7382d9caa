//! Archives served where they lie: compressed, in parts, by other programs, beside a directory.

use std::path::{Path, PathBuf};

use airlift_tests::image::{self, Flavour, Graph, cosign_signature, cosign_tag, sbom};
use airlift_tests::{FaultPlan, TestRegistry};

use super::Served;
use crate::harness::Place;

/// Gathers what is served at `names` elsewhere: every byte is checked on the way.
fn pull(place: &Place, served: &Served, names: &[String], done: &str) {
    let list: Vec<String> = names.iter().map(|name| format!("{}/{name}", served.host)).collect();
    place.file("pull.list", list.join("\n"));
    let out = place.path().join("pulled");
    // Anew each time: what is there would not be read again.
    let _ = std::fs::remove_dir_all(out);
    place.airlift("gather pull.list oci:pulled:1 -r").with(0).says(done);
}

/// Two gathered states: the second has the first's image and a new one that shares a layer.
async fn two_states() -> (TestRegistry, Place, [Graph; 2], String) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    let shared = image::Layer::new(7, 300_000);
    let graph = |seed| {
        let layers = [shared.clone(), image::Layer::new(seed, 100_000)];
        image::image(Flavour::Oci, "linux/amd64", &layers, seed)
    };
    let (first, second) = (graph(1), graph(2));
    first.push(registry.store("team/app").as_ref(), Some("1")).await;
    sbom(first.root()).push(registry.store("team/app").as_ref(), None).await;
    let tag = cosign_tag(first.root().digest(), "sig");
    cosign_signature(first.root()).push(registry.store("team/app").as_ref(), Some(&tag)).await;
    second.push(registry.store("team/app").as_ref(), Some("2")).await;
    let host = registry.host();
    place.file("one.list", format!("{host}/team/app:1\n"));
    place.file("two.list", format!("{host}/team/app:1\n{host}/team/app:2\n"));
    place.airlift(&format!("gather one.list {host}/sync:1 -r")).with(0);
    place.airlift(&format!("gather two.list {host}/sync:2 -r")).with(0);
    let prefix = host.replace(':', "_");
    (registry, place, [first, second], prefix)
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_archives_and_a_delta_with_its_base_are_served_in_place() {
    let (registry, place, graphs, prefix) = two_states().await;
    let host = registry.host();
    place.airlift(&format!("serialize {host}/sync:1 base.tar.zst -r --compression zstd")).with(0);
    let delta = format!("serialize {host}/sync:2 delta.tar.gz {host}/sync:1 -r --compression gzip");
    place.airlift(&delta).with(0);

    let served = Served::start(&place, "oci-archive:base.tar.zst");
    pull(&place, &served, &[format!("{prefix}/team/app:1"), "base:1".to_owned()], "2 done");
    drop(served);

    let both = "oci-archive:base.tar.zst oci-archive:delta.tar.gz";
    let served = Served::start(&place, both);
    let names = [format!("{prefix}/team/app:1"), format!("{prefix}/team/app:2")];
    pull(&place, &served, &names, "2 done");
    // Signatures and SBOMs come along, by the API and by cosign's tag.
    let pulled = place.airlift("inspect oci:pulled:1 -r -o json").with(0);
    let (signature, list) = (cosign_signature(graphs[0].root()), sbom(graphs[0].root()));
    for graph in graphs.iter().chain([&signature, &list]) {
        assert!(pulled.out.contains(graph.root().digest().as_str()), "{}", pulled.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_alone_says_what_it_lacks() {
    let (registry, place, ..) = two_states().await;
    let host = registry.host();
    place.airlift(&format!("serialize {host}/sync:2 delta.tar {host}/sync:1")).with(0);
    let mut command = place.command();
    command.args(["serve", "oci-archive:delta.tar", "--listen", "256.0.0.1:0"]);
    place.run(&mut command).with(2);
    // A port that is taken: it has said everything by then.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("has one").to_string();
    let said = place.airlift(&format!("serve oci-archive:delta.tar --listen {address}")).with(1);
    said.says("blobs that are expected in").says(&format!("{host}/sync:1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_beside_a_medium_outlive_it() {
    let (registry, place, graphs, prefix) = two_states().await;
    let host = registry.host();
    place.airlift(&format!("serialize {host}/sync:1 base.tar")).with(0);
    let served = Served::start(&place, "oci:local oci-archive:base.tar");
    // The client finds the shared layer in place, under the name that only the medium has.
    place.file("up.list", format!("{host}/team/app:2\n"));
    let rules = format!("{host}/team/app,{}/{prefix}/team/app\n", served.host);
    place.file("up.csv", rules);
    place.airlift("clone up.list first-prefix=up.csv").with(0);
    let names = [format!("{prefix}/team/app:1"), format!("{prefix}/team/app:2")];
    pull(&place, &served, &names, "2 done");
    drop(served);
    // The medium is gone: what was pushed is whole all the same.
    let served = Served::start(&place, "oci:local");
    pull(&place, &served, &names[1..], "1 done");
    let found = place.airlift(&format!("inspect {}/{} -o json", served.host, names[1])).with(0);
    assert!(found.out.contains(graphs[1].root().digest().as_str()), "{}", found.out);
}

/// Archives that ace-dt wrote, beside this checkout or where the environment says.
#[expect(clippy::print_stdout, reason = "what was skipped must be seen")]
fn archives_of_ace_dt() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("AIRLIFT_FIXTURES").map_or(beside, PathBuf::from);
    let archives = fixtures.join("ace-dt/archives");
    if !archives.is_dir() {
        println!("skipped: no archives of ace-dt in {}", fixtures.display());
        return None;
    }
    Some(archives)
}

/// Everything that a server has, as references of its.
fn everything(served: &Served) -> Vec<String> {
    let get = |path: &str| -> serde_json::Value {
        let url = format!("{}://{}{path}", served.scheme, served.host);
        let client = reqwest::blocking::Client::new();
        client.get(url).send().expect("an answer").json().expect("JSON")
    };
    let texts = |list: &serde_json::Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|text| text.as_str().expect("text").to_owned()).collect()
    };
    let mut names = Vec::new();
    for repository in texts(&get("/v2/_catalog")["repositories"]) {
        for tag in texts(&get(&format!("/v2/{repository}/tags/list"))["tags"]) {
            names.push(format!("{repository}:{tag}"));
        }
    }
    names
}

#[test]
fn archives_of_ace_dt_are_served_whole() {
    let Some(archives) = archives_of_ace_dt() else { return };
    let place = Place::new();
    for (files, number) in [
        (&["01-plain/archive.tar"][..], 9),
        (&["02-odd-content/archive.tar"], 10),
        (&["03-recursive/archive.tar"], 3),
        (&["03-recursive/archive-not-recursive.tar"], 3),
        (&["04-index-fallback/archive.tar"], 5),
        (&["05-platform-one/archive.tar"], 7),
        (&["06-platforms-several/archive.tar"], 4),
        (&["07-annotations-labels/archive.tar"], 4),
        (&["10-delta/base.tar"], 3),
        (&["10-delta/base.tar", "10-delta/delta-existing-image.tar"], 6),
        (&["10-delta/base.tar", "10-delta/delta-existing-checkpoint.tar"], 6),
        (
            &[
                "10-delta/base.tar",
                "10-delta/delta-existing-image.tar",
                "10-delta/delta-two-existing.tar",
            ],
            7,
        ),
        (&["11-resume/complete.tar"], 3),
        (&["11-resume/continued.tar"], 3),
        (&["11-resume/part1.tar", "11-resume/part2.tar"], 4),
        (&["12-manifest-json/archive.tar"], 8),
        (&["13-block-size/archive.tar"], 3),
        (&["14-archive-command/archive.tar"], 4),
        (&["14-archive-command/archive-recursive.tar"], 4),
        (&["15-batch/sync/000001-tools.tar"], 2),
        (&["15-batch/sync/000001-tools.tar", "15-batch/sync/000002-tools.tar"], 4),
        (&["15-batch/sync/000003-ops.tar"], 3),
        (&["16-appended/archive.tar"], 4),
        (&["17-named-registries/archive.tar"], 4),
        (&["18-sha512/archive.tar"], 2),
        (&["19-not-gathered/index.tar"], 1),
        (&["19-not-gathered/manifest.tar"], 1),
    ] {
        let words: Vec<String> = files
            .iter()
            .map(|file| format!("oci-archive:{}", archives.join(file).display()))
            .collect();
        let served = Served::start(&place, &words.join(" "));
        let names = everything(&served);
        assert_eq!(names.len(), number, "{files:?}: {names:#?}");
        pull(&place, &served, &names, " done");
    }
    let single = ["08-zstd/archive.tar.zst", "09-gzip/archive.tar.gz"];
    for file in single.into_iter().chain(["14-archive-command/archive-flags.tar.gz"]) {
        let words = format!("serve oci-archive:{}", archives.join(file).display());
        place.airlift(&words).with(1).says("compressed as one piece");
    }
}
