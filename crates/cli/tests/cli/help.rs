//! Help, completion, pages and the configuration shown.

use crate::harness::Place;

#[test]
fn help_is_on_standard_output_and_no_error() {
    let place = Place::new();
    for line in ["--help", "-h", "help", "gather --help", "mirror gather --help", "--version"] {
        let ended = place.airlift(line).with(0);
        assert!(!ended.out.is_empty() && ended.err.is_empty(), "{line}");
    }
    let usage = |line: &str| place.airlift(line).with(0).out;
    assert!(usage("gather -h").contains("Usage: airlift gather"));
    assert!(usage("mirror gather -h").contains("Usage: airlift mirror gather"));
    assert!(usage("scatter --help").contains("130  interrupted"));
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let place = Place::new();
    place.airlift("gather").with(2).says("Usage: airlift gather");
    place.airlift("gathr").with(2).says("gather");
    place.airlift("gather a a.io/b:1 -p linux").with(2).says("expected os/architecture");
    place.airlift("config --concurrent-http 0").with(2).says("concurrent-http");
    place.airlift("config -v=loud").with(2).says("`loud` is no level");
    let ended = place.airlift("").with(2);
    assert!(ended.err.contains("Usage: airlift") && ended.out.is_empty());
}

#[test]
fn every_shell_gets_its_completion() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = place.airlift(&format!("completion {shell}")).with(0).out;
        assert!(script.contains("gather") && script.contains("airlift"), "{shell}");
    }
}

#[test]
fn every_command_has_its_page() {
    let place = Place::new();
    place.airlift("man --dir pages").with(0);
    let page = place.read("pages/airlift-gather.1");
    assert!(page.starts_with(".ie") || page.contains(".TH airlift-gather"), "{page}");
    assert!(place.airlift("man config").with(0).out.contains("sample"));
    // A page names none that is not there.
    assert!(!place.airlift("man").with(0).out.contains("mirror(1)"));
    place.airlift("man nothing").with(2).says("there is no command `airlift-nothing`");
}

#[test]
fn the_configuration_is_shown_with_its_origins_and_without_secrets() {
    let place = Place::new();
    let none = place.airlift("config").with(0).out;
    assert!(none.contains("no configuration file was found"), "{none}");
    place.file(
        "airlift.yaml",
        "concurrentHTTP: 3\nregistryConfig:\n  a.io:\n    endpoints: [http://b:1]\n",
    );
    place.file(
        "home/.docker/config.json",
        r#"{"auths": {"a.io": {"auth": "c2VjcmV0OnNlY3JldA=="}}}"#,
    );
    let file = place.airlift("config").with(0).out;
    assert!(file.contains("concurrentHTTP: 3  # airlift.yaml"), "{file}");
    assert!(file.contains("http://b:1") && file.contains(".docker/config.json"), "{file}");
    assert!(!file.contains("c2Vj"), "{file}");
    let env = place.run(place.command().arg("config").env("ACE_DT_CONCURRENT_HTTP", "4")).with(0);
    assert!(env.out.contains("concurrentHTTP: 4  # ACE_DT_CONCURRENT_HTTP"), "{}", env.out);
    let flag = place.airlift("config --concurrent-http 5").with(0).out;
    assert!(flag.contains("concurrentHTTP: 5  # --concurrent-http"), "{flag}");
}

#[test]
fn the_sample_is_a_configuration() {
    let place = Place::new();
    let sample = place.airlift("config --sample").with(0).out;
    place.file("airlift.yaml", sample);
    assert!(place.airlift("config").with(0).out.contains("read from airlift.yaml"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let place = Place::new();
    let mut child = place
        .command()
        .args(["completion", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
