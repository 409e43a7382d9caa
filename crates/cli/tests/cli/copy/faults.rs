//! What goes wrong on the way, and what arrives all the same.

use std::process::Stdio;
use std::time::Duration;

use airlift_tests::corpus::Corpus;
use airlift_tests::image::{self, Flavour, Layer};
use airlift_tests::{Fault, FaultPlan, Kind, When};

use super::Site;

/// Images in these tests: enough for every fault to happen often.
const IMAGES: usize = 12;

/// Runs a part of the corpus under a plan; every image must arrive but `dead` of them.
async fn survives(low: FaultPlan, high: FaultPlan, dead: Option<usize>) {
    let site = Site::with(low, high).await;
    let corpus = Corpus::tiny();
    corpus.push(site.low.storage().as_ref()).await;
    let (low, high) = (site.low.host(), site.high.host());
    let images: Vec<_> = corpus.images().take(IMAGES).collect();
    let spec = |name: String| format!("{{\"src\":\"{low}/{name}\",\"dst\":\"{high}/{name}\"}}");
    let specs: Vec<_> = images.iter().map(|(name, tag, _)| spec(format!("{name}:{tag}"))).collect();
    let ended = site.feed("copy --specs -", &specs.join("\n"));
    match dead {
        None => ended.with(0).says(&format!("{IMAGES} done")),
        Some(_) => ended.with(3).says(&format!("{} done, 1 failed", IMAGES - 1)),
    };
    for (number, (name, tag, _)) in images.iter().enumerate() {
        let name = name.to_string();
        if dead == Some(number) {
            assert!(!site.is_there(&name, tag.as_str()).await);
        } else {
            site.assert_same((&name, tag.as_str()), (&name, tag.as_str())).await;
        }
    }
    assert!(site.low.faults() + site.high.faults() > 0, "the plan did something");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_for() {
    let busy = || Fault::status(429).header("Retry-After", "1");
    let low = FaultPlan::none().on_any(When::Nth(7), busy()).on_any(When::Nth(40), busy());
    survives(low, FaultPlan::none().limited(60), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_cut_half_way_go_on_and_one_in_ten_refused_is_tried_again() {
    let cut = FaultPlan::none().on(Kind::BlobGet, When::Every(3), Fault::CutDownload(300));
    survives(cut, FaultPlan::none(), None).await;
    let busy = FaultPlan::none().on_any(When::Every(10), Fault::status(503));
    survives(busy.clone(), busy, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_image_loses_no_other() {
    let corpus = Corpus::tiny();
    let (name, _, _) = corpus.images().nth(5).expect("an image");
    let plan = FaultPlan::none().on_path(
        Kind::ManifestGet,
        &name.to_string(),
        When::Always,
        Fault::status(404),
    );
    survives(plan, FaultPlan::none(), Some(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_after_half_the_bytes_nearly_half_the_images_are_whole() {
    const COUNT: u64 = 16;
    let site = Site::with(FaultPlan::none().rate(400_000), FaultPlan::none()).await;
    let (low, high) = (site.low.host(), site.high.host());
    let mut specs = Vec::new();
    for number in 0..COUNT {
        let layers = [Layer::new(number * 2, 60_000), Layer::new(number * 2 + 1, 60_000)];
        let image = image::image(Flavour::Oci, "linux/amd64", &layers, number);
        image.push(site.low.store(&format!("i{number}")).as_ref(), Some("1")).await;
        specs.push(format!("{{\"src\":\"{low}/i{number}:1\",\"dst\":\"{high}/i{number}:1\"}}"));
    }
    let path = site.place.file("specs.json", specs.concat());
    let mut command = site.place.command();
    command.args(["copy", "--concurrent-http", "2", "--specs"]).arg(path).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let uploads = || site.high.counts().upload_put;
    // Three blobs an image: half of them are half of the bytes.
    while uploads() < COUNT * 3 / 2 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    assert_eq!(child.wait().expect("a child").code(), Some(130));
    let mut whole = 0;
    for number in 0..COUNT {
        let repository = format!("i{number}");
        if site.is_there(&repository, "1").await {
            site.arrived(&repository, "1").await;
            whole += 1;
        }
    }
    assert!((COUNT / 2 - 3..COUNT).contains(&whole), "{whole} of {COUNT} are whole");
    site.forget();
    site.place.airlift("copy --specs specs.json").with(0).says("unchanged");
    assert!(site.low.counts().blob_get <= COUNT * 3 / 2 + 4, "only what is missing is moved");
}
