//! A host at which nobody ever answers: why is said while the run waits, and it does not wait long.

use std::net::TcpListener;

use serde_json::Value;

use crate::harness::Place;

/// An address of this machine at which nothing listens.
fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("has one").to_string()
}

#[test]
fn the_reason_is_told_while_it_waits_and_at_the_end() {
    let (place, host) = (Place::new(), nobody());
    place.file("s.list", format!("{host}/a:1\n"));
    let ended = place.airlift("gather s.list oci:out:1 -v --progress json --report r.json").with(1);
    let lines = ended.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let waits: Vec<Value> = lines.filter(|line| line["event"] == "waiting").collect();
    assert_eq!(waits.iter().map(|wait| wait["tries"].as_u64()).max(), Some(Some(5)), "{waits:?}");
    assert!(waits.iter().all(|wait| wait["host"] == *host), "{waits:?}");
    let lines = ended.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let shown: Vec<String> = lines
        .filter(|line| line["event"] == "progress" && line["waiting"][0] == *host)
        .map(|line| line["waitingWhy"][0].to_string())
        .collect();
    let told = |why: &String| why.starts_with("\"connection refused (try ");
    assert!(!shown.is_empty() && shown.iter().all(told), "{}", ended.err);
    let ended = ended.says("is the address right, port included, and does the registry run?");
    ended.says("onnection refused");
}

#[test]
fn a_log_tells_it_too() {
    let (place, host) = (Place::new(), nobody());
    place.file("s.list", format!("{host}/a:1\n"));
    let ended = place.airlift("gather s.list oci:out:1 -v --no-term").with(1);
    let ended = ended.says(&format!("{host}: waiting 1 s: {host}/a: the connection failed"));
    ended.says("trying again (try 1)");
}

#[test]
fn a_proxy_that_is_gone_is_not_taken_for_the_registry() {
    let (place, proxy) = (Place::new(), nobody());
    for (variable, host) in [("HTTPS_PROXY", "a.example"), ("ALL_PROXY", "b.example:5000")] {
        let mut command = place.command();
        command.env(variable, format!("http://me:hidden@{proxy}"));
        place.file("s.list", format!("{host}/x:1\n"));
        command.args(["gather", "s.list", "oci:out:1"]);
        let ended = place.run(&mut command).with(1);
        let ended = ended.says(&format!("the proxy http://{proxy}")).says("NO_PROXY");
        assert!(!ended.err.contains("hidden"), "{}", ended.err);
        assert!(!ended.err.contains("nothing listens there"), "{}", ended.err);
    }
    let mut command = place.command();
    command.env("https_proxy", format!("http://me:hidden@{proxy}")).args(["config"]);
    let ended = place.run(&mut command).with(0);
    assert!(
        ended.out.contains(&format!("# proxy: https_proxy=http://***@{proxy}\n")),
        "{}",
        ended.out
    );
}
