//! Requests and bytes on the corpus of sixty images.

use airlift_oci::types::Version;
use airlift_tests::corpus::{BLOBS, Corpus, IMAGES, MENTIONS};
use airlift_tests::model::Model;

use super::Site;

/// Specs of the whole corpus.
fn specs(site: &Site, corpus: &Corpus) -> String {
    let (low, high) = (site.low.host(), site.high.host());
    let spec = |name: String| format!("{{\"src\":\"{low}/{name}\",\"dst\":\"{high}/m/{name}\"}}\n");
    corpus.images().map(|(name, tag, _)| spec(format!("{name}:{tag}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_blob_is_fetched_once_and_a_second_run_costs_one_request_an_image_a_side() {
    let site = Site::new().await;
    let corpus = Corpus::tiny();
    corpus.fill(&site.low).await;
    let specs = specs(&site, &corpus);
    site.forget();
    site.feed("copy --specs -", &specs).with(0).says(&format!("{IMAGES} done"));
    assert_eq!(site.low.counts().blob_get, BLOBS as u64, "of {MENTIONS} mentions");
    assert_eq!(site.high.sent(), BLOBS as u64, "each is stored once");
    for (name, tag, graph) in corpus.images() {
        let version = Version::Tag(tag.clone());
        let low = Model::walk(site.low.store(&name.to_string()).as_ref(), &version).await;
        let high = Model::walk(site.high.store(&format!("m/{name}")).as_ref(), &version).await;
        assert_eq!(
            low.expect("the source"),
            high.expect("the destination"),
            "{}",
            graph.root().digest()
        );
    }
    site.forget();
    site.feed("copy --specs -", &specs).with(0).says(&format!("{IMAGES} unchanged; 0 moved"));
    let (low, high) = site.requests();
    assert!(low <= IMAGES as u64 && high <= IMAGES as u64, "{low} and {high} requests");
    assert_eq!(site.low.counts().manifest_get, 0, "what is counted as a pull");
}
