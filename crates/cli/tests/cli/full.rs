//! A disk without room: one clear message with names that the user gave, nothing half done under a
//! final name, and the same command again when there is room. The place without room is a limit of
//! the process on the size of a file, which no privilege lifts.

use airlift_tests::image::{self, Flavour, Layer};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::{Ended, Place};

/// Runs a line where no file may be larger than `blocks` of 512 bytes.
fn limited(place: &Place, blocks: u32, line: &str) -> Ended {
    let plain = place.command();
    let mut command = std::process::Command::new("sh");
    command.current_dir(place.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let script = format!("ulimit -f {blocks}; exec \"$0\" {line}");
    place.run(command.arg("-c").arg(script).arg(plain.get_program()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_is_told_once_by_the_names_that_were_given() {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let (place, host) = (Place::new(), registry.host());
    let graph = image::simple(1);
    graph.push(registry.store("a").as_ref(), Some("1")).await;
    place.file("s.list", format!("{host}/a:1\n"));
    place.airlift(&format!("gather s.list {host}/g:1")).with(0);
    place.airlift(&format!("serialize {host}/g:1 a.tar")).with(0);
    let whole = std::fs::read(place.path().join("a.tar")).expect("is there");
    let size = whole.len();

    for line in ["serialize HOST/g:1 b.tar", "archive s.list b.tar 1"] {
        let line = line.replace("HOST", &host);
        let ended = limited(&place, 2, &line).with(1).says("b.tar cannot be larger: of the ");
        let ended = ended.says(" bytes of the whole, 0 bytes are in it").says("hint: write to");
        assert_eq!(ended.err.lines().filter(|line| line.starts_with("error:")).count(), 1);
        assert!(!ended.err.contains("partial") && !ended.err.contains("resume"), "{}", ended.err);
        assert!(!place.path().join("b.tar").exists());
        place.airlift(&line).with(0);
        std::fs::remove_file(place.path().join("b.tar")).expect("is there");
    }
    let full = place.airlift(&format!("serialize {host}/g:1 /dev/full")).with(1);
    let told = format!("/dev/full is full: of the {size} bytes of the whole, 0 bytes are on it");
    let full = full.says(&told).says("hint: make room there, or write to another place");
    assert!(!full.err.contains("resume"), "{}", full.err);

    for line in ["gather s.list oci:lay:1", "deserialize a.tar oci:lay:1"] {
        let ended = limited(&place, 2, line).with(1).says("there is no room for ");
        let ended = ended.says("oci:lay").says("hint: make room there");
        assert!(!ended.err.contains("ingest") && !ended.err.contains(".tmp"), "{}", ended.err);
        place.airlift(line).with(0);
        place.airlift("serialize oci:lay:1 c.tar").with(0);
        assert!(std::fs::read(place.path().join("c.tar")).expect("is there") == whole, "{line}");
        std::fs::remove_file(place.path().join("c.tar")).expect("is there");
        std::fs::remove_dir_all(place.path().join("lay")).expect("is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_without_room_is_a_failure_by_the_name_that_was_given() {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let (place, host) = (Place::new(), registry.host());
    image::simple(1).push(registry.store("a").as_ref(), Some("1")).await;
    place.file("s.list", format!("{host}/a:1\n"));
    let line = format!("gather s.list {host}/g:1 --no-cache --report r.json");
    let ended = limited(&place, 0, &line).with(3).says("error: writing r.json failed: ");
    assert!(!ended.err.contains(".airlift-"), "{}", ended.err);
    assert!(!place.path().join("r.json").exists());
    assert_eq!(std::fs::read_dir(place.path()).expect("is there").count(), 1, "nothing is left");
    place.airlift(&line).with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_found_no_room_is_gone_on_with() {
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let (place, host) = (Place::new(), registry.host());
    // More than is written at once.
    let image = image::image(Flavour::Oci, "linux/amd64", &[Layer::new(1, 3 << 20)], 1);
    image.push(registry.store("a").as_ref(), Some("1")).await;
    let line = format!("serialize {host}/a:1 a.tar -b 512 --checkpoint a.ledger");
    let ended = limited(&place, 4096, &line).with(1).says("cannot be larger").says("say --resume");
    assert!(place.path().join("a.tar.partial").exists(), "{}", ended.err);
    place.airlift(&format!("{line} --resume")).with(0);
    place.airlift(&format!("serialize {host}/a:1 b.tar -b 512")).with(0);
    let read = |name: &str| std::fs::read(place.path().join(name)).expect("is there");
    assert!(read("a.tar") == read("b.tar"));
    place.airlift("verify a.tar").with(0);
}
