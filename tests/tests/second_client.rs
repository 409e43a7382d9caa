//! A client that is not ours pulls from the embedded registry what was put into it.

#![allow(clippy::unwrap_used, reason = "a test")]

use airlift_tests::image::{self, Flavour};
use airlift_tests::{Auth, FaultPlan, TestRegistry};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

#[tokio::test]
async fn another_client_pulls_an_image_with_credentials() {
    let registry = TestRegistry::start(FaultPlan::none().auth(Auth::bearer("u", "p"))).await;
    let graph = image::multi(Flavour::Docker, 1, &["linux/amd64", "linux/arm64"]);
    graph.push(registry.store("a/b").as_ref(), Some("v1")).await;
    let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let client = Client::new(config);
    let auth = RegistryAuth::Basic("u".into(), "p".into());
    let reference: Reference = registry.reference("a/b:v1").to_string().parse().unwrap();
    let (raw, digest) = client
        .pull_manifest_raw(&reference, &auth, &[airlift_oci::types::media::DOCKER_LIST])
        .await
        .unwrap();
    assert_eq!(
        (raw, digest.as_str()),
        (graph.root().raw().clone(), graph.root().digest().as_str())
    );
    for piece in graph.blobs() {
        let mut bytes = Vec::new();
        let digest = piece.descriptor().digest.as_str();
        client.pull_blob(&reference, digest, &mut bytes).await.unwrap();
        assert_eq!(bytes, piece.bytes());
    }
}
