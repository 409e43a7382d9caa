//! Surroundings that are odd: files without an end, readers that leave, a strict umask.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use airlift_tests::{FaultPlan, TestRegistry, image};

use crate::harness::Place;

#[test]
fn what_has_no_end_is_read_no_further_than_it_may_be() {
    let place = Place::new();
    place.file("s.list", "reg.example.com/a:1\n");
    for line in [
        "route /dev/zero nest=high.example.com/x",
        "route s.list first-prefix=/dev/zero",
        "route s.list go-template=/dev/zero",
        "--config /dev/zero config",
        "--auth-file /dev/zero gather s.list oci:out:1",
        "batch-serialize /dev/zero .",
    ] {
        place.airlift(line).with(2).says("it holds more than 256 MiB, which no such file does");
    }
    assert!(!place.path().join("out").exists());
}

#[test]
fn of_a_file_that_is_one_line_a_message_shows_the_ends() {
    let place = Place::new();
    place.file("s.list", format!("reg.example.com/a:1,team={}\n", "x".repeat(1 << 20)));
    let ended = place.airlift("route s.list nest=high.example.com/x").with(2);
    let ended = ended.says("s.list:1:21: invalid value \"xxx").says(" bytes …] ");
    assert!(ended.err.len() < 20_000, "{} bytes", ended.err.len());
}

#[test]
fn a_pipe_is_no_archive_in_which_anything_can_be_found() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path().join("fifo")).status().expect("runs");
    assert!(made.success());
    place.file("s.list", "oci-archive:fifo\noci-archive:/dev/zero\n");
    let ended = place.airlift("gather s.list oci:out:1").with(1);
    ended.says("fifo: it is a pipe").says("/dev/zero: it is a device without places");
}

/// A registry with an image, and an archive of it.
async fn archived() -> (TestRegistry, Place) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    image::simple(1).push(registry.store("team/tool").as_ref(), Some("1")).await;
    let place = Place::new();
    place.file("s.list", format!("{}/team/tool:1\n", registry.host()));
    place.airlift("archive s.list a.tar").with(0);
    (registry, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_changes_no_exit_code() {
    let (_registry, place) = archived().await;
    let mut bytes = std::fs::read(place.path().join("a.tar")).expect("reads");
    bytes.truncate(bytes.len() / 2);
    place.file("half.tar", bytes);
    for (line, code) in [("verify a.tar", 0), ("verify half.tar", 4), ("--help", 0)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = place.command();
        let status = command.args(line.split(' ')).stdout(writer).status().expect("runs");
        assert_eq!(status.code(), Some(code), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strict_umask_keeps_from_others_is_kept_from_them() {
    let (_registry, place) = archived().await;
    std::fs::create_dir(place.path().join("out")).expect("makes it");
    let script = r#"umask 077; "$0" gather s.list oci:out:1 --report out/r.json &&
        "$0" serialize oci:out:1 out/b.tar --checkpoint out/b.ledger"#;
    let mut command = place.started_by("sh", &["-c", script], &place.command());
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut seen = 0;
    each_file(&place.path().join("out"), &mut |path| {
        let mode = std::fs::metadata(path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        seen += 1;
    });
    assert!(seen > 6, "{seen} files");
}

fn each_file(directory: &Path, found: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).expect("lists").flatten() {
        let path = entry.path();
        if path.is_dir() { each_file(&path, found) } else { found(&path) }
    }
}
