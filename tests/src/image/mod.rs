//! Real images, made on the spot: the same bytes for the same seed, everywhere.
//!
//! A [`Graph`] is an image with everything that it names, ready to be put into any store. Layers
//! are real `tar.gz` of files, configurations name their layers' contents, so that every tool that
//! unpacks images can unpack these.

mod artifact;
mod layer;

use airlift_oci::store::{Hints, Sink};
use airlift_oci::types::{Descriptor, Manifest, Platform, Tag, media};
use bytes::Bytes;
use serde_json::{Value, json};

pub use artifact::{artifact, chart, cosign_signature, cosign_tag, sbom, signature};
pub use layer::{Layer, Piece};

/// Which family of media types an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// OCI's.
    Oci,
    /// Docker's, version 2 schema 2.
    Docker,
}

/// An image, index or artifact with everything that it names.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Children before parents; the last is the root.
    manifests: Vec<Manifest>,
    blobs: Vec<Piece>,
    platform: Option<Platform>,
}

impl Graph {
    /// The manifest that names all the others.
    pub fn root(&self) -> &Manifest {
        self.manifests.last().expect("a graph has a root")
    }

    /// Every manifest, children before parents.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// Every blob, once for each manifest that names it.
    pub fn blobs(&self) -> &[Piece] {
        &self.blobs
    }

    /// How an index describes this image: with its platform.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = self.root().descriptor().bare();
        descriptor.platform = self.platform.clone().map(Box::new);
        descriptor
    }

    /// Puts everything into a store, the root under `tag` if there is one.
    pub async fn push(&self, store: &dyn Sink, tag: Option<&str>) {
        for blob in &self.blobs {
            store.put(blob, &Hints::default()).await.expect("the store takes a blob");
        }
        self.push_manifests(store, tag).await;
    }

    /// Puts the manifests alone; what they name must be there.
    pub async fn push_manifests(&self, store: &dyn Sink, tag: Option<&str>) {
        let tag: Option<Tag> = tag.map(|tag| tag.parse().expect("a tag"));
        let (root, children) = self.manifests.split_last().expect("a graph has a root");
        for child in children {
            store.put_manifest(child, None).await.expect("the store takes a manifest");
        }
        store.put_manifest(root, tag.as_ref()).await.expect("the store takes a manifest");
    }

    fn of(manifest: Manifest, blobs: Vec<Piece>, platform: Option<Platform>) -> Graph {
        Graph { manifests: vec![manifest], blobs, platform }
    }
}

/// An image for one platform (`linux/amd64`). `seed` makes its configuration its own.
pub fn image(flavour: Flavour, platform: &str, layers: &[Layer], seed: u64) -> Graph {
    let platform: Platform = platform.parse().expect("a platform");
    let (manifest_type, config_type, layer_type) = match flavour {
        Flavour::Oci => (media::OCI_MANIFEST, media::OCI_CONFIG, OCI_LAYER),
        Flavour::Docker => (media::DOCKER_MANIFEST, media::DOCKER_CONFIG, DOCKER_LAYER),
    };
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id().as_str()).collect();
    let mut config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": { "Labels": { "seed": seed.to_string() } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": layers.iter().map(|_| json!({ "created_by": "harness" })).collect::<Vec<_>>(),
    });
    if let Some(variant) = &platform.variant {
        config["variant"] = json!(variant);
    }
    let config = Piece::of(config_type, config.to_string());
    let layers: Vec<Piece> = layers.iter().map(|layer| layer.piece(layer_type)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": config.descriptor(),
        "layers": layers.iter().map(Piece::descriptor).collect::<Vec<_>>(),
    });
    let manifest = parse(manifest_type, &manifest);
    let blobs = std::iter::once(config).chain(layers).collect();
    Graph::of(manifest, blobs, Some(platform))
}

/// An index over images.
pub fn index(flavour: Flavour, children: &[Graph]) -> Graph {
    let media_type = match flavour {
        Flavour::Oci => media::OCI_INDEX,
        Flavour::Docker => media::DOCKER_LIST,
    };
    let descriptors: Vec<_> = children.iter().map(Graph::descriptor).collect();
    let text = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": descriptors });
    let mut manifests: Vec<_> = children.iter().flat_map(|child| child.manifests.clone()).collect();
    manifests.push(parse(media_type, &text));
    let blobs = children.iter().flat_map(|child| child.blobs.clone()).collect();
    Graph { manifests, blobs, platform: None }
}

/// A small image for one platform: a few layers of some kB.
pub fn simple(seed: u64) -> Graph {
    image(Flavour::Oci, "linux/amd64", &layers(seed, 2), seed)
}

/// A small image for each platform, with an index over them. The first layer is common to all.
pub fn multi(flavour: Flavour, seed: u64, platforms: &[&str]) -> Graph {
    let common = Layer::new(seed, 500);
    let children: Vec<Graph> = (seed * 1000..)
        .zip(platforms)
        .map(|(own, platform)| {
            let layers = [common.clone(), Layer::new(own, 1500)];
            image(flavour, platform, &layers, own)
        })
        .collect();
    index(flavour, &children)
}

/// An index whose children are an index and an image.
pub fn nested(seed: u64) -> Graph {
    let inner = multi(Flavour::Oci, seed + 1, &["linux/amd64", "linux/arm64"]);
    index(Flavour::Oci, &[inner, simple(seed)])
}

/// An image with an empty file system layer named twice, and a layer of no bytes at all.
pub fn with_empty_layers(seed: u64) -> Graph {
    let empty = Layer::empty();
    let layers = [empty.clone(), Layer::new(seed, 800), empty, Layer::no_bytes()];
    image(Flavour::Oci, "linux/amd64", &layers, seed)
}

/// Small layers.
pub fn layers(seed: u64, count: u64) -> Vec<Layer> {
    (0..count).map(|n| Layer::new(seed * 100 + n, 1000 + 700 * n)).collect()
}

fn parse(media_type: &str, text: &Value) -> Manifest {
    Manifest::parse(media_type, Bytes::from(text.to_string())).expect("a manifest")
}

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
