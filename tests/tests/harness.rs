//! The harness fills registries with what it says.

#![allow(clippy::unwrap_used, reason = "a test")]

use airlift_oci::store::MemoryStore;
use airlift_oci::types::Version;
use airlift_tests::corpus::{BLOBS, Corpus, MANIFESTS, MENTIONS};
use airlift_tests::image::{self, Flavour, Graph};
use airlift_tests::model::Model;
use airlift_tests::{FaultPlan, TestRegistry};

#[tokio::test]
async fn the_corpus_in_a_registry_has_its_counts() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let references = Corpus::tiny().fill(&registry).await;
    let mut all = Model::default();
    for reference in &references {
        let store = registry.store(reference.name.repository());
        all.join(Model::walk(store.as_ref(), &reference.version()).await.unwrap());
    }
    assert_eq!((all.manifests.len(), all.blobs.len(), all.mentions), (MANIFESTS, BLOBS, MENTIONS));
    assert_eq!(registry.counts().total(), 0);
}

#[tokio::test]
async fn every_kind_of_image_can_be_stored_and_walked() {
    let platforms = ["linux/amd64", "linux/arm64/v8", "windows/amd64"];
    let graphs: Vec<Graph> = vec![
        image::simple(1),
        image::multi(Flavour::Oci, 2, &platforms),
        image::multi(Flavour::Docker, 3, &platforms),
        image::nested(4),
        image::with_empty_layers(5),
        image::chart(6),
    ];
    let store = MemoryStore::new();
    for (number, graph) in graphs.iter().enumerate() {
        graph.push(&store, Some(&format!("t{number}"))).await;
        for attached in [image::sbom(graph.root()), image::signature(graph.root())] {
            attached.push(&store, None).await;
        }
        let signature = image::cosign_tag(graph.root().digest(), "sig");
        image::cosign_signature(graph.root()).push(&store, Some(&signature)).await;
        let root = Version::Tag(format!("t{number}").parse().unwrap());
        let plain = Model::walk(&store, &root).await.unwrap();
        assert_eq!(plain.manifests.len(), graph.manifests().len());
        assert_eq!(plain.mentions, graph.blobs().len());
        let whole = Model::walk_with_referrers(&store, &root).await.unwrap();
        assert_eq!(whole.manifests.len(), plain.manifests.len() + 2);
        assert_eq!(whole.referrers[graph.root().digest()].len(), 2);
    }
}
