//! What goes wrong on the way, and what arrives all the same.

use airlift_tests::corpus::Corpus;
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
