//! SIGINT and SIGTERM: the first ends a run cleanly, the second at once; a server just stops.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

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
    let child = place
        .command()
        .args(["gather", "s.list", "oci:out:1", "--report", "r.json"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    while registry.log().is_empty() {
        tokio::task::yield_now().await;
    }
    (registry, place, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_ends_cleanly_and_says_how_to_go_on() {
    for name in ["INT", "TERM"] {
        let (_registry, place, child) = hanging().await;
        signal(&child, name);
        let output = child.wait_with_output().expect("ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{err}");
        assert!(err.contains("error: interrupted\nhint: run the same command again"), "{err}");
        assert!(place.read("r.json").contains("\"exit\": 130"));
    }
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
