//! Leaves the platforms out of an image that are not asked for.
//!
//! What stays, stays byte for byte: manifests keep their digests, and a new index holds the
//! descriptors of its children as the old one wrote them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::keep::Keep;
use super::remember::Remembering;
use crate::mirror::platforms::{image_config, listed, platform_in};
use crate::store::{Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, ManifestError, ManifestKind, Platform, media};

/// Says of an attestation, in its descriptor, to which manifest it belongs.
const BELONGS_TO: &str = "vnd.docker.reference.digest";

/// Why nothing of an image could be carried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitFault {
    /// None of its platforms was asked for.
    #[error("no platform of it was asked for: wanted {wanted}, found {found}")]
    NoMatch {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A manifest or configuration could not be read.
    #[error("reading a manifest of it failed")]
    Store(#[from] StoreError),
    /// The new index is none that can be carried.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The index cannot be taken apart.
    #[error("the index cannot be taken apart")]
    Index(#[source] serde_json::Error),
}

/// The image that stays of `root`: itself when nothing is left out, the manifest when one is left,
/// else a new index of what is left.
pub(super) async fn limit(
    source: &Remembering,
    root: Manifest,
    keep: &Keep,
) -> Result<Manifest, LimitFault> {
    if keep.is_all() {
        return Ok(root);
    }
    if root.kind() != ManifestKind::Index {
        return single(source, root, keep).await;
    }
    let children = children(source, &root).await?;
    let taken = judge(&children, keep);
    let mut stated = children.iter().zip(&taken).filter(|(child, _)| child.platform.is_some());
    // An index of other things than images is none that `Matching` is about.
    let about = matches!(keep, Keep::Platforms(_)) || stated.clone().next().is_some();
    if about && !stated.any(|(_, taken)| *taken) {
        return Err(no_match(keep, children.iter().filter_map(|child| child.platform.as_ref())));
    }
    let left: Vec<&Child> =
        children.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(child, _)| child).collect();
    let flat = children.iter().all(|child| child.direct);
    if flat && left.len() == children.len() {
        return Ok(root);
    }
    match left.as_slice() {
        [one] => Ok(source.manifest(&one.descriptor).await?),
        many => index_of(&root, many),
    }
}

async fn single(source: &Remembering, root: Manifest, keep: &Keep) -> Result<Manifest, LimitFault> {
    if let Keep::Platforms(_) = keep {
        return Ok(root);
    }
    match config_platform(source, &root).await? {
        Some(platform) if !keep.takes(&platform) => Err(no_match(keep, [&platform])),
        _ => Ok(root),
    }
}

/// A child of an index.
struct Child {
    descriptor: Descriptor,
    /// As it stands in the index.
    raw: Box<RawValue>,
    /// Stated, or of its configuration; none for what is no image.
    platform: Option<Platform>,
    /// Whether it is in the root, not in an index within that.
    direct: bool,
}

/// Which children are carried.
fn judge(children: &[Child], keep: &Keep) -> Vec<bool> {
    let matching = matches!(keep, Keep::Matching { .. });
    let takes =
        |child: &Child| child.platform.as_ref().map_or(matching, |platform| keep.takes(platform));
    let taken: Vec<bool> = children.iter().map(takes).collect();
    if !matching {
        return taken;
    }
    let digests: BTreeSet<&str> = children
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| **taken)
        .map(|(child, _)| child.descriptor.digest.as_str())
        .collect();
    let follows = |child: &Child| {
        child.descriptor.annotation(BELONGS_TO).map(|subject| digests.contains(subject))
    };
    children.iter().zip(&taken).map(|(child, taken)| follows(child).unwrap_or(*taken)).collect()
}

/// The parts of an index that go over into a smaller one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIndex {
    #[serde(default = "two")]
    schema_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default)]
    manifests: Vec<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

fn two() -> u64 {
    2
}

impl RawIndex {
    fn of(manifest: &Manifest) -> Result<Self, LimitFault> {
        serde_json::from_slice(manifest.raw()).map_err(LimitFault::Index)
    }
}

/// The children of an index, each once; those of an index within it in its place.
async fn children(source: &Remembering, root: &Manifest) -> Result<Vec<Child>, LimitFault> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let mut stack: Vec<(Box<RawValue>, bool)> =
        RawIndex::of(root)?.manifests.into_iter().rev().map(|raw| (raw, true)).collect();
    while let Some((raw, direct)) = stack.pop() {
        let descriptor: Descriptor = serde_json::from_str(raw.get()).map_err(LimitFault::Index)?;
        if !seen.insert(descriptor.digest.clone()) {
            continue;
        }
        let mut platform = descriptor.platform.as_deref().cloned();
        if platform.is_none() {
            let manifest = source.manifest(&descriptor).await?;
            if manifest.kind() == ManifestKind::Index {
                let within = RawIndex::of(&manifest)?.manifests;
                stack.extend(within.into_iter().rev().map(|raw| (raw, false)));
                continue;
            }
            platform = config_platform(source, &manifest).await?;
        }
        found.push(Child { descriptor, raw, platform, direct });
    }
    Ok(found)
}

/// The platform in an image's configuration; `None` for what is no image.
async fn config_platform(
    source: &Remembering,
    manifest: &Manifest,
) -> Result<Option<Platform>, StoreError> {
    let Some(config) = image_config(manifest) else { return Ok(None) };
    Ok(platform_in(&source.read(config).await?))
}

fn index_of(root: &Manifest, left: &[&Child]) -> Result<Manifest, LimitFault> {
    let mut index = RawIndex::of(root)?;
    index.manifests = left.iter().map(|child| child.raw.clone()).collect();
    if let Some(annotations) = &mut index.annotations {
        // These name children of an index that is no more.
        annotations.remove(media::EXTRA_MANIFESTS);
        annotations.remove(media::EXTRA_MANIFESTS_GUIDE);
    }
    let raw = serde_json::to_vec(&index).map_err(LimitFault::Index)?;
    Ok(Manifest::parse(&root.descriptor().media_type, raw.into())?)
}

fn no_match<'a>(keep: &Keep, found: impl IntoIterator<Item = &'a Platform>) -> LimitFault {
    let found = found.into_iter().map(ToString::to_string).collect();
    LimitFault::NoMatch { wanted: keep.words(), found: listed(found) }
}
