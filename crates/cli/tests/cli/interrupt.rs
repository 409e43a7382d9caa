//! SIGINT, SIGTERM and SIGHUP: the first ends a run cleanly, the second at once; a server just stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use airlift_oci::store::Source;
use airlift_oci::types::Version;
use airlift_tests::image;
use airlift_tests::model::Model;
use airlift_tests::{Fault, When};
use airlift_tests::{FaultPlan, Kind, TestRegistry};

use crate::harness::Place;

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
    assert!(status.success());
}

/// A run that hangs in its first request, which was seen.
async fn hanging() -> (TestRegistry, Place, Child) {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::Hang);
    let registry = TestRegistry::start(plan).await;
    let place = Place::new();
    place.file("s.list", format!("{}/a:1\n", registry.host()));
    let mut binary = place.command();
    binary.args(["gather", "s.list", "oci:out:1", "--report", "r.json"]);
    // Also where the tests were started to outlive their terminal.
    let mut command = place.started_by("env", &["--default-signal=HUP"], &binary);
    let child = command.stderr(Stdio::piped()).spawn().expect("starts");
    while registry.log().is_empty() {
        tokio::task::yield_now().await;
    }
    (registry, place, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_ends_cleanly_and_says_how_to_go_on() {
    for name in ["INT", "TERM", "HUP"] {
        let (_registry, place, child) = hanging().await;
        signal(&child, name);
        let output = child.wait_with_output().expect("ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{err}");
        assert!(err.contains("error: interrupted\nhint: run the same command again"), "{err}");
        assert!(place.read("r.json").contains("\"exit\": 130"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_started_to_outlive_its_terminal_ignores_a_hangup() {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::Hang);
    let registry = TestRegistry::start(plan).await;
    let place = Place::new();
    place.file("s.list", format!("{}/a:1\n", registry.host()));
    let mut binary = place.command();
    binary.args(["gather", "s.list", "oci:out:1"]);
    let ignoring = r#"trap "" HUP; exec "$0" "$@""#;
    let mut command = place.started_by("sh", &["-c", ignoring], &binary);
    command.stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    while registry.log().is_empty() {
        tokio::task::yield_now().await;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("runs");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("is told");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("is a mask");
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert_eq!(ignored & 1, 1, "a hangup is still ignored when everything is under way");
}

#[test]
fn what_waits_for_the_other_end_of_a_fifo_ends_at_the_first_signal() {
    for (line, hint) in [
        ("deserialize fifo oci:new:1", "run the same command again"),
        ("verify fifo", "nothing was changed"),
    ] {
        ends_while_it_opens(line, hint);
    }
}

fn ends_while_it_opens(line: &str, hint: &str) {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path().join("fifo")).status().expect("runs");
    assert!(made.success());
    let mut command = place.command();
    command.args(line.split(' ')).stderr(Stdio::piped());
    let child = command.spawn().expect("starts");
    let threads = format!("/proc/{}/task", child.id());
    let waits = || {
        let threads = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        threads
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
            .any(|name| name.trim() == "opening")
    };
    while !waits() {
        std::thread::yield_now();
    }
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(!err.contains("interrupt again"), "{err}");
    assert!(err.contains(&format!("error: interrupted\nhint: {hint}")), "{err}");
    assert!(!place.path().join("new").exists(), "nothing was read, so nothing is made");
}

#[test]
fn what_waits_for_a_silent_input_ends_at_the_first_signal() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let mut command = place.command();
        command.args(["mbuffer", "out"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut input = child.stdin.take().expect("is piped");
        input.write_all(&vec![7; 1 << 20]).expect("takes it");
        let partial = place.path().join("out.partial");
        while std::fs::metadata(&partial).map_or(0, |meta| meta.len()) == 0 {
            std::thread::yield_now();
        }
        signal(&child, name);
        let output = child.wait_with_output().expect("ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{err}");
        assert!(!err.contains("interrupt again"), "{err}");
        assert!(err.contains("hint: run it again with --force"), "{err}");
        assert!(!place.path().join("out").exists(), "what is not whole is not there");
        drop(input);
        let refused = place.airlift("mbuffer out").with(2).says("out.partial exists already");
        assert!(!refused.err.contains("--resume"), "{}", refused.err);
        place.airlift("mbuffer out --force").with(0);
        assert_eq!(place.read("out"), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_archive_is_gone_on_with() {
    let plan = FaultPlan::none().on(Kind::BlobGet, When::Nth(3), Fault::Hang);
    let registry = TestRegistry::start(plan).await;
    image::simple(1).push(registry.store("team/tool").as_ref(), Some("1")).await;
    let place = Place::new();
    let line =
        format!("serialize {}/team/tool:1 a.tar -b 512 --checkpoint a.ledger", registry.host());
    let mut command = place.command();
    let child = command.args(line.split(' ')).stderr(Stdio::piped()).spawn().expect("starts");
    while registry.log().iter().filter(|seen| seen.kind == Kind::BlobGet).count() < 3 {
        tokio::task::yield_now().await;
    }
    signal(&child, "INT");
    let output = child.wait_with_output().expect("ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("hint: run the same command again with --resume"), "{err}");
    assert!(!place.path().join("a.tar").exists());
    place.airlift(&format!("{line} --resume")).with(0);
    let whole = line.replace("a.tar", "b.tar").replace("a.ledger", "b.ledger");
    place.airlift(&whole).with(0);
    let bytes = |name: &str| std::fs::read(place.path().join(name)).expect(name);
    assert_eq!(bytes("a.tar"), bytes("b.tar"));
    assert_eq!(bytes("a.ledger"), bytes("b.ledger"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_at_once() {
    let (_registry, place, reference) = large().await;
    let fifo = place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let mut child = place
        .command()
        .args(["serialize", &reference, "fifo"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A reader that takes one byte and no more: the pipe fills, and the device's write hangs.
    let mut reader = std::fs::File::open(&fifo).expect("opens once somebody writes");
    reader.read_exact(&mut [0]).expect("a byte");
    signal(&child, "INT");
    let mut errors = BufReader::new(child.stderr.take().expect("is piped")).lines();
    let said = errors.find(|line| line.as_ref().is_ok_and(|line| line.contains("interrupt again")));
    assert!(said.is_some(), "it says that it waits");
    signal(&child, "INT");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
}

/// So many blobs of twelve images of three that at least one image is whole, whatever their order.
const ENOUGH: u64 = 25;

/// Images that come to a stop: the destination takes no more than so many blobs.
async fn stopping(blobs: u64) -> (TestRegistry, TestRegistry, Place) {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let plan = FaultPlan::none().on(Kind::UploadPut, When::After(blobs), Fault::Hang);
    let high = TestRegistry::start(plan).await;
    let place = Place::new();
    let mut list = String::new();
    for number in 0..12 {
        let image = image::simple(number);
        image.push(low.store(&format!("i{number}")).as_ref(), Some("1")).await;
        list.extend([low.host(), format!("/i{number}:1\n")]);
    }
    place.file("s.list", list);
    place.airlift(&format!("gather s.list {}/gather:1", low.host())).with(0);
    (low, high, place)
}

/// Starts a line, and sends it signals once an image has arrived and another cannot.
async fn stopped(line: &str, place: &Place, high: &TestRegistry, signals: &[&str]) -> String {
    let mut command = place.command();
    let child = command.args(line.split(' ')).stderr(Stdio::piped()).spawn().expect("starts");
    let hangs =
        |seen: &airlift_tests::Exchange| seen.kind == Kind::UploadPut && seen.status.is_none();
    let arrived =
        |seen: &airlift_tests::Exchange| seen.kind == Kind::ManifestPut && seen.status.is_some();
    while !(high.log().iter().any(hangs) && high.log().iter().any(arrived)) {
        tokio::task::yield_now().await;
    }
    for name in signals {
        signal(&child, name);
    }
    let output = child.wait_with_output().expect("ends");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{line}: {err}");
    err
}

/// The repositories of `high` that have the tag `1`, each of which is whole.
async fn whole(high: &TestRegistry, below: &str) -> usize {
    let mut count = 0;
    for number in 0..12 {
        let store = high.store(&format!("{below}i{number}"));
        let version = Version::Tag("1".parse().expect("a tag"));
        if store.resolve(&version).await.is_ok() {
            Model::walk(store.as_ref(), &version).await.expect("whole");
            count += 1;
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupt_leaves_is_whole_and_gone_on_with() {
    for signals in [&["INT"][..], &["TERM"], &["INT", "INT"]] {
        let (low, high, place) = stopping(ENOUGH).await;
        let (from, to) = (low.host(), high.host());
        let below = format!("m/{}/", from.replace(':', "_"));
        let scatter = format!("scatter {from}/gather:1 nest={to}/m");
        let err = stopped(&scatter, &place, &high, signals).await;
        assert!(signals.len() > 1 || err.contains("hint: run the same command again"), "{err}");
        let before = whole(&high, &below).await;
        assert!((1..12).contains(&before), "{before} of 12");

        // A destination that is well again; a second run moves only what is missing.
        let well = TestRegistry::over(high.storage().clone(), FaultPlan::none()).await;
        let scatter = scatter.replace(&to, &well.host());
        place.airlift(&scatter).with(0).says(&format!("{before} unchanged"));
        assert_eq!(whole(&well, &below).await, 12);

        let (low, high, place) = stopping(ENOUGH).await;
        let gather = format!("gather s.list {}/g:1", high.host());
        stopped(&gather, &place, &high, signals).await;
        assert!(
            high.store("g").tags().await.expect("tags").is_empty(),
            "no tag before its content"
        );
        let well = TestRegistry::over(high.storage().clone(), FaultPlan::none()).await;
        low.reset_counts();
        let again = gather.replace(&high.host(), &well.host());
        let said = place.airlift(&again).with(0).err;
        let unchanged = said.split(", ").find_map(|part| part.split_once(" unchanged"));
        let unchanged: u64 = unchanged.and_then(|(n, _)| n.parse().ok()).expect(&said);
        assert!(low.counts().blob_get <= (12 - unchanged) * 3, "whole images are not moved again");
        Model::walk(well.store("g").as_ref(), &Version::Tag("1".parse().expect("a tag")))
            .await
            .expect("whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_an_interrupted_run_has_what_had_ended() {
    for verb in ["scatter LOW/gather:1 nest=HIGH/m", "clone s.list nest=HIGH/m", "copy --to HIGH/m"]
    {
        let (low, high, place) = stopping(ENOUGH).await;
        let line = verb.replace("LOW", &low.host()).replace("HIGH", &high.host());
        let mut command = place.command();
        command.args(line.split(' ')).args(["--report", "r.json", "--progress", "json"]);
        if verb.starts_with("copy") {
            command.args((0..12).map(|number| format!("{}/i{number}:1", low.host())));
        }
        let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
        let mut errors = BufReader::new(child.stderr.take().expect("is piped")).lines();
        let finished = |line: std::io::Result<String>| {
            let told: Option<serde_json::Value> = serde_json::from_str(&line.ok()?).ok();
            told?["finished"].as_u64().filter(|finished| *finished > 0)
        };
        assert!(errors.by_ref().find_map(finished).is_some(), "{line}: an image arrives");
        signal(&child, "INT");
        // Until it has no more to say.
        errors.for_each(drop);
        assert_eq!(child.wait().expect("ends").code(), Some(130), "{line}");
        let report: serde_json::Value = serde_json::from_str(&place.read("r.json")).expect("JSON");
        let items = report["items"].as_array().expect("what had ended");
        assert!(!items.is_empty() && items.iter().all(|item| item["status"] == "done"), "{report}");
        assert!(items[0]["moved"].as_u64() > Some(0) && items.len() < 12, "{report}");
    }
}

/// An artifact that is larger than a pipe and the buffer before it.
async fn large() -> (TestRegistry, Place, String) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let layers = [image::Layer::new(1, 3_000_000)];
    let graph = image::image(image::Flavour::Oci, "linux/amd64", &layers, 1);
    graph.push(registry.store("team/big").as_ref(), Some("1")).await;
    let reference = format!("{}/team/big:1", registry.host());
    (registry, Place::new(), reference)
}

#[test]
fn a_server_says_where_it_listens_and_stops_when_told() {
    let place = Place::new();
    let mut child = place
        .command()
        .args(["serve", "oci:registry", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut output = BufReader::new(child.stdout.take().expect("is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    output.read_to_string(&mut line).expect("no more");
    assert_eq!(line.lines().count(), 1);
}
