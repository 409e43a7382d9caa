//! Archives of images of which some turn out to lack a blob while they are written.

use airlift_tests::image::{self, Flavour, Layer};
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

use crate::harness::Place;

/// Three images with a large layer each, of which the registry cannot deliver those named.
async fn low(bad: &[(usize, Fault)]) -> (TestRegistry, Vec<String>) {
    let images: Vec<_> = (0..3)
        .map(|seed| {
            let layers = [Layer::new(seed, 3_000_000), Layer::new(seed + 10, 2000)];
            image::image(Flavour::Oci, "linux/amd64", &layers, seed)
        })
        .collect();
    let mut plan = FaultPlan::none();
    for (number, fault) in bad {
        let largest = images[*number].blobs().iter().max_by_key(|piece| piece.descriptor().size);
        let digest = largest.expect("a layer").descriptor().digest.to_string();
        plan = plan.on_path(Kind::BlobGet, &digest, When::Always, fault.clone());
    }
    let registry = TestRegistry::start(plan).await;
    let mut sources = Vec::new();
    for (number, image) in images.iter().enumerate() {
        let name = format!("team/image{number}");
        image.push(registry.store(&name).as_ref(), Some("1")).await;
        sources.push(format!("{}/{name}:1", registry.host()));
    }
    (registry, sources)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_lacks_a_blob_or_has_it_damaged_loses_no_other() {
    // What comes damaged in the same way each time is damaged where it is kept.
    for fault in [Fault::status(404), Fault::FlipDownload(1_000)] {
        let (_low, sources) = low(&[(1, fault)]).await;
        let place = Place::new();
        place.file("all.list", sources.join("\n"));
        place.file("good.list", [&*sources[0], &*sources[2]].join("\n"));
        place.airlift("archive good.list good.tar 7 --checkpoint good.ledger").with(0);
        let bytes = |name| std::fs::read(place.path().join(name)).expect(name);
        let line = "archive all.list all.tar 7 --checkpoint all.ledger -m 2Mi --failed left.list";
        let ended = place.airlift(line).with(3).says("archive: 2 done, 1 failed").says(&sources[1]);
        ended.says("begun anew without it").says("error: ");
        assert!(bytes("all.tar") == bytes("good.tar"));
        assert_eq!(place.read("all.ledger"), place.read("good.ledger"));
        assert_eq!(place.read("left.list").trim(), sources[1]);
        assert!(!place.path().join("all.tar.partial").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_are_lacking_are_found_at_once() {
    let (low, sources) = low(&[(0, Fault::status(404)), (2, Fault::status(404))]).await;
    let place = Place::new();
    place.file("all.list", sources.join("\n"));
    let ended = place.airlift("archive all.list all.tar 7").with(3).says("1 done, 2 failed");
    ended.says(&sources[0]).says(&sources[2]);
    let begun = low.log().iter().filter(|exchange| exchange.path.ends_with("manifests/1")).count();
    assert_eq!(begun, 2 * sources.len(), "every manifest is read once for each archive");
    place.airlift("verify all.tar").with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_far_side_has_need_not_be_there() {
    let (full, before) = low(&[]).await;
    let (_low, sources) = low(&[(0, Fault::status(404)), (1, Fault::status(404))]).await;
    let place = Place::new();
    place.file("base.list", &*before[0]);
    place.file("all.list", sources.join("\n"));
    place.airlift("archive base.list base.tar 6 --checkpoint base.ledger").with(0);
    drop(full);
    let size = std::fs::metadata(place.path().join("base.tar")).expect("is there").len();
    let known = format!("--existing-from-checkpoint base.ledger:{size}");
    let ended = place.airlift(&format!("archive all.list all.tar 7 {known}")).with(3);
    ended.says("archive: 2 done, 1 failed").says(&sources[1]);
    place.airlift("deserialize base.tar oci:far:6").with(0);
    place.airlift("deserialize all.tar oci:far:7").with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_left_nothing_is_written() {
    let all = [0, 1, 2].map(|number| (number, Fault::status(404)));
    let (_low, sources) = low(&all).await;
    let place = Place::new();
    place.file("all.list", sources.join("\n"));
    // A ledger of an archive that is not there would keep the second run from beginning.
    for _ in 0..2 {
        place.airlift("archive all.list all.tar 7 --checkpoint l").with(1).says("3 failed");
        for left in ["all.tar.partial", "all.tar", "l"] {
            assert!(!place.path().join(left).exists(), "{left}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_into_a_pipe_is_not_begun_anew() {
    let (_low, sources) = low(&[(1, Fault::status(404))]).await;
    let place = Place::new();
    place.file("all.list", sources.join("\n"));
    let led = std::fs::File::create(place.path().join("led")).expect("a file");
    let mut command = place.command();
    let ended = place.run(command.args(["archive", "all.list", "-", "7"]).stdout(led)).with(1);
    ended.says("cannot be had from the source").says(&sources[1]);
}
