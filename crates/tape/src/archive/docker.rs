//! `manifest.json`, by which `docker load` and `ctr images import` find images (moby's image spec,
//! "Combined Image JSON + Filesystem Changeset Format").

use std::collections::HashMap;

use serde::Serialize;

use super::layout::Entry;
use airlift_oci::graph::Graph;
use airlift_oci::types::{Descriptor, Digest, Manifest, Platform, Reference, Version, media};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// The document for the images `named` in the graph, each with the references it is known by.
/// Of an index the linux/amd64 child is taken, else the first image. What is no image (a chart, a
/// signature) has no entry.
pub(super) fn manifest_json(graph: &Graph, named: &[(Digest, String)]) -> Vec<u8> {
    let manifests: HashMap<&Digest, &Manifest> =
        graph.manifests().iter().map(|manifest| (manifest.digest(), manifest)).collect();
    let mut images: Vec<(Digest, Image)> = Vec::new();
    for (digest, reference) in named {
        let Some(manifest) = pick(&manifests, digest, 0) else { continue };
        let tagged = reference.parse::<Reference>().ok();
        let tagged = tagged.filter(|reference| matches!(reference.version(), Version::Tag(_)));
        let known = images.iter_mut().find(|(known, _)| known == manifest.digest());
        let image = if let Some((_, image)) = known {
            image
        } else {
            let Some(image) = image(manifest) else { continue };
            images.push((manifest.digest().clone(), image));
            let last = images.len() - 1;
            &mut images[last].1
        };
        image.repo_tags.extend(tagged.map(|reference| reference.to_string()));
    }
    let images: Vec<Image> = images.into_iter().map(|(_, image)| image).collect();
    serde_json::to_vec(&images).unwrap_or_default()
}

fn image(manifest: &Manifest) -> Option<Image> {
    let config = manifest.config()?;
    if !matches!(config.media_type.as_str(), media::OCI_CONFIG | media::DOCKER_CONFIG) {
        return None;
    }
    Some(Image {
        config: Entry::blob_name(config),
        repo_tags: Vec::new(),
        layers: manifest.layers().iter().map(Entry::blob_name).collect(),
    })
}

fn pick<'a>(
    manifests: &HashMap<&Digest, &'a Manifest>,
    digest: &Digest,
    depth: usize,
) -> Option<&'a Manifest> {
    let manifest = manifests.get(digest).copied()?;
    if manifest.config().is_some() {
        return Some(manifest);
    }
    let usual = |child: &&Descriptor| child.platform.as_deref().is_some_and(is_usual);
    let child = manifest.manifests().find(usual).or_else(|| manifest.manifests().next())?;
    // Nesting is bounded by the walk; this only keeps a hostile graph from the stack.
    if depth < 32 { pick(manifests, &child.digest, depth + 1) } else { None }
}

fn is_usual(platform: &Platform) -> bool {
    platform.os == "linux" && platform.architecture == "amd64"
}
