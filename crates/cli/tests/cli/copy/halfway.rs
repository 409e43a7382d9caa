//! A copy that is stopped half way: what is whole by then, and what is said meanwhile.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use airlift_oci::store::Sink;
use airlift_tests::image::{self, Flavour, Graph, Layer};
use airlift_tests::{Fault, FaultPlan, Kind, When};

use super::Site;

/// Images, each of two layers of the same size and a small configuration of its own.
const COUNT: u64 = 48;
const BLOBS: u64 = 3;

/// A source that gives out as many blobs as half of the images have, and then nothing more.
async fn frozen() -> (Site, Vec<Graph>) {
    let half = COUNT * BLOBS / 2;
    let plan = FaultPlan::none().on(Kind::BlobGet, When::After(half), Fault::Hang);
    let site = Site::with(plan, FaultPlan::none()).await;
    let (low, high) = (site.low.host(), site.high.host());
    let (mut specs, mut images) = (String::new(), Vec::new());
    for number in 0..COUNT {
        let layers = [Layer::new(number * 2, 20_000), Layer::new(number * 2 + 1, 20_000)];
        let image = image::image(Flavour::Oci, "linux/amd64", &layers, number);
        image.push(site.low.store(&format!("i{number}")).as_ref(), Some("1")).await;
        specs += &spec(&low, &high, number);
        images.push(image);
    }
    site.place.file("specs.json", specs);
    (site, images)
}

fn spec(low: &str, high: &str, number: u64) -> String {
    format!("{{\"src\":\"{low}/i{number}:1\",\"dst\":\"{high}/i{number}:1\"}}")
}

fn start(site: &Site) -> Child {
    let mut command = site.place.command();
    command.args(["copy", "--specs", "specs.json"]).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// Waits until everything that can arrive has arrived.
async fn settle(site: &Site, images: &[Graph], child: &mut Child) {
    while site.high.counts().upload_put < COUNT * BLOBS / 2 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was interrupted");
        tokio::task::yield_now().await;
    }
    for (number, image) in images.iter().enumerate() {
        let repository = format!("i{number}");
        let store = site.high.store(&repository);
        let mut whole = true;
        for blob in image.root().blobs() {
            whole &= store.has(blob).await.expect("an answer");
        }
        while whole && !site.is_there(&repository, "1").await {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_half_the_bytes_nearly_half_the_images_are_whole() {
    let (site, images) = frozen().await;
    let mut child = start(&site);
    settle(&site, &images, &mut child).await;
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    let ended = child.wait_with_output().expect("a child");
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("hint: run the same command again"), "{said}");
    let mut whole = 0;
    for number in 0..COUNT {
        let repository = format!("i{number}");
        if site.is_there(&repository, "1").await {
            site.arrived(&repository, "1").await;
            whole += 1;
        }
    }
    assert!(whole >= COUNT / 2 - COUNT / 8, "only {whole} of {COUNT} are whole");
    assert!(whole <= COUNT / 2, "{whole} of {COUNT} cannot be whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_and_done_is_told_every_few_seconds_without_a_terminal() {
    let (site, images) = frozen().await;
    let mut child = start(&site);
    settle(&site, &images, &mut child).await;
    let lines = BufReader::new(child.stderr.take().expect("is piped")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    // The line after that in which the last change was told.
    let half = COUNT * BLOBS / 2;
    let told = format!(": {half} moved, 0 mounted, 0 skipped");
    let line = lines.find(|line| line.contains(&told)).expect("a line of progress");
    let whole = (0..COUNT).map(|number| format!("i{number}"));
    let mut done = 0;
    for repository in whole {
        done += u64::from(site.is_there(&repository, "1").await);
    }
    assert!(line.starts_with(&format!("progress: {done}/{COUNT} images, ")), "{line}");
    assert!(line.contains(" kB of ") && line.contains(" MB"), "{line}");
    assert!(line.contains(&format!("; platforms {done}/")), "{line}");
    assert!(!line.contains('\u{1b}') && !line.contains('\r'), "{line:?}");
    child.kill().expect("kills it");
    child.wait().expect("is dead");
}
