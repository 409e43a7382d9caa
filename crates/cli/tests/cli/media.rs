//! Damaged media and bad input for them, through the binary: what arrives, what is said, how it ends.

use airlift_oci::store::Source;
use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// `all.tar` with two gathered images, of which one has a layer with a flipped bit in `bad.tar`;
/// the digest of that layer.
async fn damaged(place: &Place, registry: &TestRegistry) -> String {
    let host = registry.host();
    for (name, graph) in [("team/tool", image::simple(2)), ("team/more", image::simple(3))] {
        graph.push(registry.store(name).as_ref(), Some("1")).await;
    }
    place.file("list", format!("{host}/team/tool:1,team=web\n{host}/team/more:1,team=db\n"));
    place.airlift(&format!("gather list {host}/gather:1")).with(0);
    place.airlift(&format!("serialize {host}/gather:1 all.tar")).with(0);
    let found = place.airlift("inspect all.tar -o json -b").with(0).out;
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    let manifests = found["root"]["manifests"].as_array().expect("a list");
    let more =
        manifests.iter().find(|one| one.to_string().contains("team/more")).expect("is there");
    let digest = more["blobs"][0]["digest"].as_str().expect("a digest").to_owned();
    let name = format!("blobs/{}", digest.replace(':', "/"));
    let mut bytes = std::fs::read(place.path().join("all.tar")).expect("reads");
    let header = bytes.windows(name.len()).rposition(|part| part == name.as_bytes());
    bytes[header.expect("an entry") + 512] ^= 1;
    place.file("bad.tar", bytes);
    digest
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_of_a_damaged_archive_is_delivered() {
    let place = Place::new();
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let host = registry.host();
    let digest = damaged(&place, &registry).await;

    let needs = format!("needed by {host}/team/more:1");
    assert!(place.airlift("verify bad.tar").with(4).out.contains(&needs));
    place.airlift(&format!("deserialize bad.tar {host}/high:1")).with(4).says("is damaged");
    assert!(registry.store("high").tags().await.expect("asks").is_empty());

    let line = format!(
        "deserialize bad.tar {host}/high:1 --keep-going --failed again --report report.json"
    );
    let ended = place.airlift(&line).with(4).says("was not tagged: 1 images are whole, 1 could");
    let ended = ended.says(&format!("lost: {host}/team/more:1: {digest} is damaged (bad.tar: the"));
    assert!(ended.out.starts_with(&format!("{host}/high:1-partial@sha256:")), "{}", ended.out);
    assert_eq!(place.read("again"), format!("{host}/team/more:1,team=db\n"));
    let report: serde_json::Value = serde_json::from_str(&place.read("report.json")).expect("JSON");
    assert_eq!((&report["exit"], &report["partial"]["tag"]), (&4.into(), &"1-partial".into()));
    let items = report["items"].as_array().expect("a list");
    let failed = items.iter().filter(|item| item["status"] == "failed");
    assert_eq!((items.len(), failed.count()), (2, 1));

    let scattered =
        place.airlift(&format!("scatter {host}/high:1-partial nest={host}/out")).with(0);
    scattered.says("scatter: 1 done");
    // Another copy brings what is lacking, and with it the tag.
    place.airlift(&format!("deserialize bad.tar all.tar {host}/high:1 --keep-going")).with(0);
    place.airlift(&format!("scatter {host}/high:1 nest={host}/out")).with(0);

    let unarchived = format!("unarchive bad.tar nest={host}/direct --keep-going");
    place.airlift(&unarchived).with(4).says("unarchive: 1 done, 1 failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_nothing_left_behind() {
    let place = Place::new();
    let registry = TestRegistry::start(FaultPlan::default()).await;
    let host = registry.host();
    image::simple(2).push(registry.store("tool").as_ref(), Some("1")).await;
    let image = format!("{host}/tool:1");
    place.file("there.tar", "precious");
    place.file("text", "no ledger\n\n");
    place.file("empty", "");
    let _socket = std::os::unix::net::UnixListener::bind(place.path().join("socket"));
    place.file("random", [0xb7; 5000]);
    place.file("other.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0");
    std::fs::create_dir(place.path().join("folder")).expect("is made");
    place.file("one.list", format!("{image}\n"));
    let before = || {
        let names = std::fs::read_dir(place.path()).expect("lists");
        let mut names: Vec<_> = names.map(|entry| entry.expect("one").file_name()).collect();
        names.sort();
        names
    };
    let files = before();
    for (line, code, words) in [
        (format!("serialize {image} /dev/nst77"), 2, "/dev/nst77"),
        (format!("serialize {image} there.tar"), 2, "exists already"),
        (format!("serialize {image} new.tar -b 1000"), 2, "a block of 1 kB is no multiple of 512"),
        (
            format!("serialize {image} new.tar -b 1Mi -m 1Mi"),
            2,
            "a buffer of 1 MiB holds less than two blocks of 1 MiB",
        ),
        (
            format!("serialize {image} new.tar -m 10241"),
            2,
            "a buffer of 10241 bytes holds less than two blocks of 960 KiB",
        ),
        (
            format!("serialize {image} new.tar --checkpoint no/l"),
            2,
            "ledger no/l cannot be written: No such file",
        ),
        (format!("serialize {image} new.tar --checkpoint ."), 2, "ledger . cannot be written"),
        (
            format!("serialize {image} new.tar --checkpoint socket"),
            2,
            "ledger socket cannot be written: it is a device",
        ),
        (
            format!("serialize {image} new.tar --existing-from-checkpoint text:9"),
            2,
            "this is no ledger",
        ),
        (
            format!(
                "serialize {image} new.tar --resume-from-checkpoint text --resume-from-offset 9"
            ),
            2,
            "this is no ledger",
        ),
        (format!("serialize {host}/tool:none new.tar"), 1, "was not found"),
        (format!("deserialize none.tar {host}/high:1"), 2, "none.tar cannot be opened"),
        (format!("deserialize there.tar {host}/high:1"), 4, "ends too early"),
        (format!("scatter {image} nest={host}/x"), 1, "no gathered index"),
        ("verify none.tar".to_owned(), 2, "none.tar cannot be opened"),
        ("mbuffer there.tar".to_owned(), 2, "exists already"),
        ("mbuffer new.tar -b 7".to_owned(), 2, "no multiple of 512"),
        ("mbuffer folder".to_owned(), 2, "is a directory"),
        ("mbuffer no/new".to_owned(), 2, "there is no directory"),
        (format!("serialize {image} folder --force"), 2, "is a directory"),
        (format!("serialize {image} new/"), 2, "is a directory"),
        (format!("serialize {image} no/new.tar"), 2, "there is no directory no;"),
        ("archive one.list no/new.tar".to_owned(), 2, "there is no directory no;"),
        ("archive one.list there.tar".to_owned(), 2, "exists already"),
        ("serialize oci:none:1 new.tar".to_owned(), 2, "none is not there; check the name"),
        ("serialize oci:folder:1 new.tar".to_owned(), 2, "is no OCI image layout"),
        ("serialize oci:there.tar:1 new.tar".to_owned(), 2, "oci-archive:there.tar"),
        ("deserialize folder oci:new:1".to_owned(), 2, "hint: name the archive's file"),
        ("deserialize empty none.tar oci:new:1".to_owned(), 2, "none.tar cannot be opened"),
        ("deserialize empty oci:new:1".to_owned(), 4, "ends too early, at byte 0"),
        ("deserialize empty oci:new:1 --keep-going".to_owned(), 4, "ends too early, at byte 0"),
        ("deserialize - oci:new:1".to_owned(), 4, "ends too early, at byte 0"),
        ("deserialize random oci:new:1".to_owned(), 4, "hint: check the name: an archive is what"),
        ("inspect empty".to_owned(), 4, "it is empty"),
        ("inspect text".to_owned(), 4, "ends too early, at byte 11"),
        ("inspect random".to_owned(), 4, "at byte 0: no tar header is found here"),
        ("inspect other.gz".to_owned(), 4, "ends too early"),
        ("unarchive empty nest=a.io".to_owned(), 4, "it is empty"),
        ("unarchive random nest=a.io".to_owned(), 4, "no tar header is found here"),
        ("unarchive other.gz nest=a.io".to_owned(), 4, "ends too early"),
        ("serialize oci-archive:other.gz new.tar".to_owned(), 4, "it is compressed with gzip"),
    ] {
        place.airlift(&line).with(code).says(words);
        assert_eq!(before(), files, "{line}");
    }
    assert_eq!(place.read("there.tar"), "precious");

    place.airlift(&format!("serialize {image} whole.tar")).with(0);
    let whole = std::fs::read(place.path().join("whole.tar")).expect("reads");
    let end = whole.iter().rposition(|byte| *byte != 0).expect("holds something");
    place.file("cut.tar", &whole[..end]);
    place.airlift("inspect whole.tar").with(0);
    place.airlift("inspect cut.tar").with(4).says("1 blobs").says("named and not there");
}
