//! What other programs put beside `index.json`: `manifest.json` and `repositories`, by which `docker
//! load` finds images (moby's image spec, "Combined Image JSON + Filesystem Changeset Format"). And
//! archives that have nothing else, as `docker save` wrote them before it wrote layouts.

use std::collections::HashMap;

use serde::Deserialize;

use super::catalog::Catalog;
use crate::archive::blob_digest;
use airlift_oci::types::{Descriptor, Digest, Reference};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Image {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
    #[serde(default)]
    layer_sources: Option<HashMap<Digest, Descriptor>>,
}

/// Layers by tag, by repository.
type Repositories = HashMap<String, HashMap<String, String>>;

/// Why a document beside `index.json` says something that the images do not; `None`: it says of them
/// what they say themselves. To be asked once all manifests are known.
pub(super) fn contradiction(name: &str, text: &[u8], catalog: &Catalog) -> Option<&'static str> {
    const NO_LIST: &str = "it is no list of images that can be checked";
    const NO_NAME: &str = "it names what is no image";
    if name == "repositories" {
        let Ok(repositories) = serde_json::from_slice::<Repositories>(text) else {
            return Some(NO_LIST);
        };
        let mut names = repositories.iter().flat_map(|(repository, tags)| {
            tags.keys().map(move |tag| format!("{repository}:{tag}"))
        });
        if !names.all(|name| Reference::parse_docker(&name).is_ok()) {
            return Some(NO_NAME);
        }
        let mut layers = repositories.values().flat_map(HashMap::values);
        let known = layers.all(|hex| {
            let digest = format!("sha256:{hex}").parse();
            digest.is_ok_and(|digest: Digest| catalog.is_named(&digest))
        });
        return (!known).then_some("it names a layer that no manifest names");
    }
    let Ok(images) = serde_json::from_slice::<Vec<Image>>(text) else { return Some(NO_LIST) };
    for image in &images {
        let mut names = image.repo_tags.iter().flatten();
        if !names.all(|name| Reference::parse_docker(name).is_ok()) {
            return Some(NO_NAME);
        }
        let mut sources = image.layer_sources.iter().flat_map(HashMap::values);
        if !is_held(image, catalog) || !sources.all(|layer| catalog.is_named(&layer.digest)) {
            return Some("it lists an image that no manifest describes");
        }
    }
    None
}

/// Whether a manifest has the configuration and the layers of an image, in its order.
fn is_held(image: &Image, catalog: &Catalog) -> bool {
    let layers: Option<Vec<Digest>> =
        image.layers.iter().flatten().map(|name| blob_digest(name)).collect();
    let (Some(config), Some(layers)) = (blob_digest(&image.config), layers) else { return false };
    catalog.manifests.values().any(|manifest| {
        let own = manifest.layers().iter().map(|layer| &layer.digest);
        manifest.config().is_some_and(|own| own.digest == config) && own.eq(&layers)
    })
}

/// Whether an entry is one of those that `docker save` wrote before it wrote layouts: `ID.json`,
/// `ID.tar`, and `ID/` with what was of that layer. `manifest.json` comes behind them.
pub(crate) fn is_of_docker(name: &str) -> bool {
    let (first, rest) = name.trim_end_matches('/').split_once('/').unwrap_or((name, ""));
    let first = first.trim_end_matches('/');
    let id = first.strip_suffix(".json").or_else(|| first.strip_suffix(".tar")).unwrap_or(first);
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id && matches!(rest, "" | "json" | "layer.tar" | "VERSION")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_docker_save_are_told_from_strangers() {
        let id = "a".repeat(64);
        for name in ["ID/", "ID", "ID/layer.tar", "ID/json", "ID/VERSION", "ID.json", "ID.tar"] {
            assert!(is_of_docker(&name.replace("ID", &id)), "{name}");
        }
        for name in ["etc/passwd", "ID/../x", "x/ID", "a.json", "ID.exe", "blobs/sha256/ID", ""] {
            assert!(!is_of_docker(&name.replace("ID", &id)), "{name}");
        }
    }
}
