//! What goes wrong on the way, and what arrives all the same.

use std::collections::BTreeSet;

use airlift_oci::types::Manifest;
use airlift_tests::corpus::Corpus;
use airlift_tests::image::Graph;
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

use super::Site;

/// Images of the corpus where a plan makes for waiting: enough for every fault to happen often.
const SOME: usize = 12;
/// All of them.
const ALL: usize = airlift_tests::corpus::IMAGES;

/// Runs so many images of the corpus under a plan; each must arrive but the `dead` one.
async fn survives(count: usize, low: FaultPlan, high: FaultPlan, dead: Option<usize>) {
    let site = Site::with(low, high).await;
    let corpus = Corpus::tiny();
    corpus.push(site.low.storage().as_ref()).await;
    let (low, high) = (site.low.host(), site.high.host());
    let images: Vec<_> = corpus.images().take(count).collect();
    let spec = |name: String| format!("{{\"src\":\"{low}/{name}\",\"dst\":\"{high}/{name}\"}}");
    let specs: Vec<_> = images.iter().map(|(name, tag, _)| spec(format!("{name}:{tag}"))).collect();
    let ended = site.feed("copy --specs -", &specs.join("\n"));
    match dead {
        None => ended.with(0).says(&format!("{count} done")),
        Some(_) => ended.with(3).says(&format!("{} done, 1 failed", count - 1)),
    };
    for (number, (name, tag, _)) in images.iter().enumerate() {
        let name = name.to_string();
        if dead == Some(number) {
            assert!(!site.is_there(&name, tag.as_str()).await);
        } else {
            site.assert_same((&name, tag.as_str()), (&name, tag.as_str())).await;
        }
    }
    let did = |side: &TestRegistry| side.faults() + side.counts().limited;
    assert!(did(&site.low) + did(&site.high) > 0, "the plan did something");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_for() {
    let busy = |seconds| Fault::status(429).header("Retry-After", seconds);
    let low = FaultPlan::none().on_any(When::Every(10), busy("1"));
    survives(2, low, FaultPlan::none(), None).await;
    // As long as the document's registries ask for, but not as often.
    let low = FaultPlan::none().on_any(When::Nth(40), busy("5"));
    survives(SOME, low, FaultPlan::none().limited(60), None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "waits for minutes, as it is told to"]
async fn the_whole_corpus_where_one_request_in_ten_is_told_to_wait_five_seconds() {
    let busy = Fault::status(429).header("Retry-After", "5");
    survives(ALL, FaultPlan::none().on_any(When::Every(10), busy), FaultPlan::none(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "waits for minutes, as it is told to"]
async fn the_whole_corpus_at_sixty_requests_a_second_and_eight_seconds_for_one_more() {
    let limited = || FaultPlan::none().limited_for(60, 8);
    survives(ALL, limited(), limited(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_download_in_three_cut_half_way() {
    let cut = FaultPlan::none().on(Kind::BlobGet, When::Every(3), Fault::CutDownload(300));
    survives(ALL, cut, FaultPlan::none(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_in_ten_refused_at_either_side() {
    let busy = FaultPlan::none().on_any(When::Every(10), Fault::status(503));
    survives(ALL, busy.clone(), busy, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_blob_in_twenty_damaged_on_its_way() {
    // Each of them once: what comes damaged twice is damaged at its place.
    let corpus = Corpus::tiny();
    let graphs = corpus.images().map(|(_, _, graph)| graph);
    let blobs: BTreeSet<String> = graphs.flat_map(digests).collect();
    let damaged = blobs.iter().step_by(20).fold(FaultPlan::none(), |plan, digest| {
        plan.on_path(Kind::BlobGet, digest, When::Nth(1), Fault::FlipDownload(100))
    });
    survives(ALL, damaged, FaultPlan::none(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_image_loses_no_other() {
    let corpus = Corpus::tiny();
    let (name, _, _) = corpus.images().nth(5).expect("an image");
    let plan = FaultPlan::none().on_path(
        Kind::ManifestGet,
        &format!("/{name}/"),
        When::Always,
        Fault::status(404),
    );
    survives(ALL, plan, FaultPlan::none(), Some(5)).await;
}

/// The blobs of an image and of its platforms.
fn digests(graph: &Graph) -> Vec<String> {
    let blobs = graph.manifests().iter().flat_map(Manifest::blobs);
    blobs.map(|blob| blob.digest.to_string()).collect()
}
