//! Selecting platforms from an image (design, "The gathered index").

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::store::{Source, StoreError};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestError, Platform, media};

/// What was selected from an image.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The image to be carried: the one that came, a child of it, or a new index of some of its
    /// children, which no source has.
    pub root: Manifest,
    /// The platform, when a child was chosen.
    pub platform: Option<Platform>,
    /// The index that came, when something was left out of it.
    pub source_index: Option<Manifest>,
}

/// Why nothing was selected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformFault {
    /// None of the image's platforms was asked for.
    #[error("no manifest matches {wanted}; the image has {found}")]
    NoMatch {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A manifest or configuration could not be read.
    #[error("reading a manifest of it failed")]
    Store(#[from] StoreError),
    /// The selection is no manifest that can be carried.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Selects the platforms `wanted` (none: all) from the image `root` of `source`.
///
/// A platform without a variant is the default one of its architecture, or, where the image has
/// none of that, any. One platform gives the first matching manifest, several an index of the
/// matching children in their order; when nothing is left out, the image stays as it is. An image of one platform is
/// judged by its configuration; what is no image passes.
pub async fn select(
    source: &Arc<dyn Source>,
    root: Manifest,
    wanted: &[Platform],
) -> Result<Selection, PlatformFault> {
    if wanted.is_empty() {
        return Ok(Selection { root, platform: None, source_index: None });
    }
    if !media::is_index(&root.descriptor().media_type) {
        return single(source, root, wanted).await;
    }
    let children = leaves(source, &root).await?;
    let loose: Vec<&Platform> = wanted
        .iter()
        .filter(|want| !children.iter().any(|child| child.platform.satisfies(want)))
        .collect();
    let matches = |child: &&Leaf| {
        wanted.iter().any(|want| child.platform.satisfies(want))
            || loose.iter().any(|want| child.platform.is_variant_of(want))
    };
    let chosen: Vec<&Leaf> = children.iter().filter(matches).collect();
    let Some(first) = chosen.first() else {
        let found = children.iter().map(|child| child.platform.in_full()).collect();
        return Err(no_match(wanted, found));
    };
    if let [_] = wanted {
        let manifest = source.manifest(&first.descriptor).await?;
        let platform = Some(first.platform.clone());
        return Ok(Selection { root: manifest, platform, source_index: Some(root) });
    }
    let all: BTreeSet<&Digest> = root.manifests().map(|child| &child.digest).collect();
    if chosen.len() == children.len() && all.len() == children.len() {
        return Ok(Selection { root, platform: None, source_index: None });
    }
    let index = index_of(&root, &chosen)?;
    Ok(Selection { root: index, platform: None, source_index: Some(root) })
}

struct Leaf {
    descriptor: Descriptor,
    platform: Platform,
}

async fn single(
    source: &Arc<dyn Source>,
    root: Manifest,
    wanted: &[Platform],
) -> Result<Selection, PlatformFault> {
    let platform = config_platform(source, &root).await?;
    let suits = |platform: &Platform| {
        wanted.iter().any(|want| platform.satisfies(want) || platform.is_variant_of(want))
    };
    if let Some(platform) = platform.filter(|platform| !suits(platform)) {
        return Err(no_match(wanted, BTreeSet::from([platform.in_full()])));
    }
    Ok(Selection { root, platform: None, source_index: None })
}

/// The manifests of an index with their platforms, those of nested indexes in place of these. A
/// child that states no platform is judged by its configuration; attestations and the like, which
/// have none, are no leaves.
async fn leaves(source: &Arc<dyn Source>, root: &Manifest) -> Result<Vec<Leaf>, StoreError> {
    let mut leaves = Vec::new();
    let mut seen = BTreeSet::new();
    let mut stack: Vec<Descriptor> = root.manifests().cloned().collect();
    stack.reverse();
    while let Some(child) = stack.pop() {
        if !seen.insert(child.digest.clone()) {
            continue;
        }
        if let Some(platform) = child.platform.as_deref().cloned() {
            if platform.os != "unknown" {
                leaves.push(Leaf { descriptor: child, platform });
            }
        } else if media::is_index(&child.media_type) {
            let nested = source.manifest(&child).await?;
            let nested: Vec<_> = nested.manifests().cloned().collect();
            stack.extend(nested.into_iter().rev());
        } else {
            let manifest = source.manifest(&child).await?;
            if let Some(platform) = config_platform(source, &manifest).await? {
                leaves.push(Leaf { descriptor: child, platform });
            }
        }
    }
    Ok(leaves)
}

/// The platform in an image's configuration; `None` for what is no image.
async fn config_platform(
    source: &Arc<dyn Source>,
    manifest: &Manifest,
) -> Result<Option<Platform>, StoreError> {
    let Some(config) = image_config(manifest) else { return Ok(None) };
    Ok(platform_in(&source.open(config, 0).await?.read_all().await?))
}

/// The configuration of an image, which may state its platform; `None` for what is no image.
pub(super) fn image_config(manifest: &Manifest) -> Option<&Descriptor> {
    let is_image =
        |media_type: &str| matches!(media_type, media::OCI_CONFIG | media::DOCKER_CONFIG);
    let config = manifest.config()?;
    (is_image(&config.media_type) && config.size <= MAX_MANIFEST).then_some(config)
}

/// The platform that a configuration states.
pub(super) fn platform_in(config: &[u8]) -> Option<Platform> {
    let mut platform = serde_json::from_slice::<Platform>(config).ok()?;
    // Whatever else a configuration says is no part of its platform.
    platform.extra.clear();
    (!platform.os.is_empty()).then_some(platform)
}

fn index_of(root: &Manifest, chosen: &[&Leaf]) -> Result<Manifest, ManifestError> {
    let media_type = &root.descriptor().media_type;
    let children: Vec<Descriptor> = chosen
        .iter()
        .map(|leaf| Descriptor {
            platform: Some(Box::new(leaf.platform.clone())),
            ..leaf.descriptor.clone()
        })
        .collect();
    let index =
        serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
    Manifest::parse(media_type, index.to_string().into())
}

fn no_match(wanted: &[Platform], found: BTreeSet<String>) -> PlatformFault {
    let wanted = wanted.iter().map(Platform::in_full).collect::<Vec<_>>().join(", ");
    PlatformFault::NoMatch { wanted, found: listed(found) }
}

/// The platforms that were found, in words.
pub(super) fn listed(found: BTreeSet<String>) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    found.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_configuration_only_the_platform_is_taken() {
        let config =
            br#"{"architecture":"arm","os":"linux","variant":"v7","rootfs":{"type":"layers"}}"#;
        assert_eq!(platform_in(config), Some("linux/arm/v7".parse().unwrap()));
        assert_eq!(platform_in(br#"{"rootfs":{}}"#), None);
        assert_eq!(platform_in(b"no configuration"), None);
    }
}
