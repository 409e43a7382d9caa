//! What is in registries beside images: charts, signatures, SBOMs, things of unknown types.

use airlift_oci::types::{Digest, Manifest, media};
use serde_json::json;

use super::layer::Piece;
use super::{Graph, parse};

/// An artifact of any types, `subject` its subject if there is one.
pub fn artifact(
    artifact_type: Option<&str>,
    config: Piece,
    layers: Vec<Piece>,
    subject: Option<&Manifest>,
) -> Graph {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": layers.iter().map(Piece::descriptor).collect::<Vec<_>>(),
        "annotations": { "org.example.made-by": "harness" },
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    if let Some(subject) = subject {
        manifest["subject"] = json!(subject.descriptor().bare());
    }
    let blobs = std::iter::once(config).chain(layers).collect();
    Graph::of(parse(media::OCI_MANIFEST, &manifest), blobs, None)
}

/// A Helm chart.
pub fn chart(seed: u64) -> Graph {
    let config = json!({ "name": format!("chart-{seed}"), "version": "1.2.3" });
    let config = Piece::of("application/vnd.cncf.helm.config.v1+json", config.to_string());
    let content = super::Layer::new(seed, 2000);
    let content = content.piece("application/vnd.cncf.helm.chart.content.v1.tar+gzip");
    artifact(None, config, vec![content], None)
}

/// A signature as cosign keeps it: an image of its own under [`cosign_tag`], with no subject.
pub fn cosign_signature(of: &Manifest) -> Graph {
    let config = Piece::of(media::OCI_CONFIG, r#"{"architecture":"","os":""}"#);
    artifact(None, config, vec![simple_signing(of)], None)
}

/// The tag under which cosign looks for what belongs to `digest`: `suffix` is `sig`, `att`, `sbom`.
pub fn cosign_tag(digest: &Digest, suffix: &str) -> String {
    format!("{}-{}.{suffix}", digest.algorithm().as_str(), digest.hex())
}

/// A signature as a referrer.
pub fn signature(of: &Manifest) -> Graph {
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    artifact(Some(kind), empty(), vec![simple_signing(of)], Some(of))
}

/// An SBOM as a referrer.
pub fn sbom(of: &Manifest) -> Graph {
    let text = json!({ "spdxVersion": "SPDX-2.3", "name": of.digest().as_str() });
    let document = Piece::of("application/spdx+json", text.to_string());
    artifact(Some("application/spdx+json"), empty(), vec![document], Some(of))
}

fn simple_signing(of: &Manifest) -> Piece {
    let image = json!({ "docker-manifest-digest": of.digest().as_str() });
    let text =
        json!({ "critical": { "image": image, "type": "cosign container image signature" } });
    Piece::of("application/vnd.dev.cosign.simplesigning.v1+json", text.to_string())
}

fn empty() -> Piece {
    Piece::of(media::OCI_EMPTY, "{}")
}
