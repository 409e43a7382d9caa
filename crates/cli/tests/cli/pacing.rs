//! `--rate` and `--between`: how fast a run goes, and when.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use airlift_tests::image::{self, Flavour, Layer};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// A registry with an image of some 300 kB, and a list that names it.
async fn low() -> (TestRegistry, Place, u64) {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let layers = [Layer::new(1, 200_000), Layer::new(2, 100_000)];
    let image = image::image(Flavour::Oci, "linux/amd64", &layers, 1);
    image.push(registry.store("a").as_ref(), Some("1")).await;
    let bytes = image.root().blobs().map(|blob| blob.size).sum();
    let place = Place::new();
    place.file("s.list", format!("{}/a:1\n", registry.host()));
    (registry, place, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_move_no_faster_than_the_rate() {
    let (low, place, bytes) = low().await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let rate = 400_000;
    // A run can only be slower than that, never faster: what was not used is not caught up with,
    // but for what coarse timers cost.
    let least = Duration::from_secs_f64(bytes as f64 / f64::from(rate) * 0.9);
    let begun = Instant::now();
    place.airlift(&format!("gather s.list {}/g:1 --rate {rate}", high.host())).with(0);
    assert!(begun.elapsed() >= least, "{:?} for {bytes} bytes", begun.elapsed());
    // By configuration, and to a file.
    place.file("airlift.yaml", format!("rate: {rate}\n"));
    let begun = Instant::now();
    place.airlift(&format!("serialize {}/a:1 a.tar", low.host())).with(0);
    assert!(begun.elapsed() >= least, "{:?} for {bytes} bytes", begun.elapsed());
}

/// `HH:MM`, so many hours from now, in UTC.
fn from_now(hours: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let minutes = now.as_secs() / 60 + hours * 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_hours_a_run_waits_says_so_and_asks_for_nothing() {
    let (low, place, _) = low().await;
    let line = |hours: [String; 2]| {
        let [from, to] = hours;
        format!("gather s.list oci:out:1 -v --no-term --between {from}-{to}")
    };
    let mut command = place.command();
    let closed = line([from_now(2), from_now(3)]);
    let command = command.env("TZ", "UTC").args(closed.split(' ')).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let said = lines.find(|line| line.as_ref().expect("text").contains("it is not between"));
    assert!(said.is_some(), "it ended without a word");
    assert_eq!(low.counts().total(), 0);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill").success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert_eq!(low.counts().total(), 0);
    let mut command = place.command();
    let open = line([from_now(22), from_now(2)]);
    place.run(command.env("TZ", "UTC").args(open.split(' '))).with(0);
    assert!(low.counts().blob_get >= 3);
}

#[test]
fn hours_and_rates_that_are_none_are_refused_before_anything_is_read() {
    let place = Place::new();
    place.airlift("gather s.list oci:out:1 --between 8-9").with(2).says("20:00-06:00");
    place.airlift("gather s.list oci:out:1 --rate fast").with(2).says("--rate");
}
