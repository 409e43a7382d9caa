//! `inspect`: what an image, an artifact or a medium holds, as a tree, with what its images share.
//!
//! Only manifests are read, and the configuration of an image whose platform nothing else tells.

mod tree;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::kinship::Kinship;
use crate::graph::{Graph, WalkOptions, walk};
use crate::inventory::{Inventory, Labels};
use crate::store::{Source, Store, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Platform, Version, media};
use tree::Tree;

/// What the operator asks of an inspection.
#[derive(Debug, Clone, Default)]
pub struct InspectOptions {
    /// Follow referrers and cosign's tags.
    pub referrers: bool,
    /// Ask of every blob whether it is there, and show manifests that are not. Cheap where the store
    /// is a file or directory.
    pub presence: bool,
    /// Blobs that are left out on purpose, each with where it is expected.
    pub left_out: BTreeMap<Digest, String>,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Where it is.
    pub place: String,
    /// What was looked at, from its root down.
    pub root: Node,
    /// The images: the items of a gathered artifact, else the root alone.
    pub images: Vec<ImageSummary>,
    /// What it comes to.
    pub totals: InspectTotals,
}

/// A manifest, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// What it is.
    pub kind: Kind,
    /// What kind of artifact it is, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What the manifest above calls it: the source of an item, a cosign tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels of the source, of an item.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What it runs on, of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Bytes of the manifest itself.
    pub size: u64,
    /// Bytes of it and everything below it, each counted once.
    pub total: u64,
    /// It stands in full elsewhere in the tree, and is not told again; or it stands too deep.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// Configuration and layers, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobLine>,
    /// The manifests that it names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Node>,
    /// The manifests that refer to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<Node>,
    /// It is not there, though it should be, so that what it names is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// It is not there on purpose: where it is expected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What gather wrote.
    Gathered,
    /// A list of manifests.
    Index,
    /// An image that runs.
    Image,
    /// Anything else in the form of an image.
    Artifact,
}

/// A blob as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobLine {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// It is the configuration.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub config: bool,
    /// In how many of the images it is.
    pub images: u64,
    /// It is not there, though it should be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// It is not there on purpose: where it is expected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Its title, when the manifest gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// One image, and what it shares with the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    /// Its source, or the place of a single image.
    pub name: String,
    /// Its manifest.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<String>,
    /// Manifests that belong to it, referrers included.
    pub manifests: u64,
    /// Blobs, each counted once.
    pub blobs: u64,
    /// Bytes of all these.
    pub bytes: u64,
    /// Bytes of these that no other image has.
    pub own: u64,
}

/// What an inspection comes to; everything counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectTotals {
    /// Images.
    pub images: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of manifests and blobs.
    pub bytes: u64,
    /// Bytes that more than one image has.
    pub shared: u64,
    /// Manifests that refer to others.
    pub referrers: u64,
    /// Blobs and manifests that are not there.
    pub missing: u64,
    /// Bytes of these.
    pub missing_bytes: u64,
    /// Blobs and manifests that are left out on purpose.
    pub left_out: u64,
    /// Bytes of these.
    pub left_out_bytes: u64,
}

/// Reads the manifests below `version` of `store`, and describes them.
pub async fn inspect(
    store: &Arc<dyn Store>,
    version: &Version,
    options: &InspectOptions,
) -> Result<Inspection, StoreError> {
    let source: Arc<dyn Source> = store.clone();
    let root = source.fetch(version).await?;
    let (referrers, gaps) = (options.referrers, options.presence);
    let walking = WalkOptions { referrers, gaps, ..WalkOptions::default() };
    let graph = walk(&source, root, &walking).await?;
    let absent = if options.presence { absent(store, &graph).await? } else { HashSet::new() };
    let gone = Gone::new(absent, &options.left_out);
    let platforms = platforms(&source, &graph).await;
    let kinship = Kinship::new(&graph);
    let images = images(&graph, &source.place());
    let sharing = Sharing::count(&kinship, &images);
    let mut tree = Tree::new(&kinship, &platforms, &sharing.images, &gone);
    let root = tree.grow(graph.root());
    Ok(Inspection {
        place: source.place(),
        root,
        totals: totals(&graph, &sharing, &gone),
        images: sharing.summaries(&kinship, images, &platforms),
    })
}

/// The blobs and manifests that are not there.
struct Gone<'a> {
    missing: HashSet<Digest>,
    left_out: HashMap<Digest, &'a str>,
}

impl<'a> Gone<'a> {
    fn new(absent: HashSet<Digest>, expected: &'a BTreeMap<Digest, String>) -> Self {
        let (mut missing, mut left_out) = (HashSet::new(), HashMap::new());
        for digest in absent {
            match expected.get(&digest) {
                Some(place) => _ = left_out.insert(digest, place.as_str()),
                None => _ = missing.insert(digest),
            }
        }
        Gone { missing, left_out }
    }
}

/// What a manifest runs on, by its digest.
type Platforms = HashMap<Digest, Platform>;

fn totals(graph: &Graph, sharing: &Sharing<'_>, gone: &Gone<'_>) -> InspectTotals {
    let is_shared = |digest: &Digest| sharing.images.get(digest).is_some_and(|count| *count > 1);
    let manifests = graph.manifests().iter().map(Manifest::descriptor);
    let shared = manifests.chain(graph.blobs()).filter(|what| is_shared(&what.digest));
    let named = || graph.blobs().iter().chain(graph.absent().values());
    let missing = named().filter(|what| gone.missing.contains(&what.digest));
    let left_out = named().filter(|what| gone.left_out.contains_key(&what.digest));
    InspectTotals {
        images: sharing.count,
        manifests: graph.manifests().len() as u64,
        blobs: graph.blobs().len() as u64,
        bytes: graph.bytes(),
        shared: sum(shared),
        referrers: graph.referrers().len() as u64,
        missing: gone.missing.len() as u64,
        missing_bytes: sum(missing),
        left_out: gone.left_out.len() as u64,
        left_out_bytes: sum(left_out),
    }
}

fn sum<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> u64 {
    descriptors.fold(0, |sum, what| sum.saturating_add(what.size))
}

/// Name and manifest of every image.
fn images(graph: &Graph, place: &str) -> Vec<(String, Digest)> {
    let root = graph.root();
    let inventory = Inventory::is_gathered(root).then(|| Inventory::read(root).ok()).flatten();
    match inventory {
        Some(inventory) => {
            let items = inventory.items.into_iter();
            items.map(|item| (item.source, item.descriptor.digest)).collect()
        }
        None => vec![(place.to_owned(), root.digest().clone())],
    }
}

/// In how many images each manifest and blob is.
struct Sharing<'a> {
    count: u64,
    images: HashMap<&'a Digest, u64>,
}

impl<'a> Sharing<'a> {
    fn count(kinship: &Kinship<'a>, images: &[(String, Digest)]) -> Self {
        // Two names of one digest are one image: it shares nothing with itself.
        let distinct: HashSet<&Digest> = images.iter().map(|(_, digest)| digest).collect();
        let mut counts = HashMap::new();
        for digest in distinct {
            for (digest, _) in kinship.family(digest).sizes() {
                *counts.entry(digest).or_default() += 1;
            }
        }
        Sharing { count: images.len() as u64, images: counts }
    }

    fn summaries(
        &self,
        kinship: &Kinship<'_>,
        images: Vec<(String, Digest)>,
        platforms: &Platforms,
    ) -> Vec<ImageSummary> {
        let summary = |(name, digest): (String, Digest)| {
            let family = kinship.family(&digest);
            let own = family.sizes().filter(|(digest, _)| self.images.get(digest) == Some(&1));
            let own = own.fold(0u64, |sum, (_, size)| sum.saturating_add(size));
            let bytes = family.sizes().fold(0u64, |sum, (_, size)| sum.saturating_add(size));
            let found = family.manifests.iter().filter_map(|m| platforms.get(m.digest()));
            let mut found: Vec<String> = found.map(ToString::to_string).collect();
            found.sort();
            found.dedup();
            let (manifests, blobs) = (family.manifests.len() as u64, family.blobs.len() as u64);
            ImageSummary { name, digest, platforms: found, manifests, blobs, bytes, own }
        };
        images.into_iter().map(summary).collect()
    }
}

/// The blobs and manifests that are not there.
async fn absent(store: &Arc<dyn Store>, graph: &Graph) -> Result<HashSet<Digest>, StoreError> {
    let checks = graph.blobs().iter().map(|blob| async move {
        let there = store.has(blob).await?;
        Ok::<_, StoreError>((!there).then(|| blob.digest.clone()))
    });
    let mut checks = stream::iter(checks).buffer_unordered(16);
    let mut absent: HashSet<Digest> = graph.absent().keys().cloned().collect();
    while let Some(check) = checks.next().await {
        absent.extend(check?);
    }
    Ok(absent)
}

/// What each image runs on: as its index says, else as its configuration does. A configuration
/// that cannot be read tells nothing, which is no reason to show nothing.
async fn platforms(source: &Arc<dyn Source>, graph: &Graph) -> Platforms {
    let mut known: Platforms = HashMap::new();
    for child in graph.manifests().iter().flat_map(Manifest::manifests) {
        if let Some(platform) = child.platform.clone().filter(|platform| platform.os != "unknown") {
            known.insert(child.digest.clone(), *platform);
        }
    }
    let open = graph.manifests().iter().filter(|manifest| !known.contains_key(manifest.digest()));
    let reads = open.filter_map(|manifest| {
        let config = manifest.config().filter(|config| is_image_config(config))?;
        Some(async move { Some((manifest.digest().clone(), read_config(source, config).await?)) })
    });
    let read: Vec<_> = stream::iter(reads).buffer_unordered(16).collect().await;
    known.extend(read.into_iter().flatten());
    known
}

fn is_image_config(config: &Descriptor) -> bool {
    matches!(config.media_type.as_str(), media::OCI_CONFIG | media::DOCKER_CONFIG)
}

async fn read_config(source: &Arc<dyn Source>, config: &Descriptor) -> Option<Platform> {
    #[derive(Deserialize)]
    struct Config {
        os: String,
        architecture: String,
        #[serde(default)]
        variant: Option<String>,
    }
    if config.size > crate::types::MAX_MANIFEST {
        return None;
    }
    let raw = source.open(config, 0).await.ok()?.read_all().await.ok()?;
    let Config { os, architecture, variant } = serde_json::from_slice(&raw).ok()?;
    let variant = variant.filter(|variant| !variant.is_empty());
    (!os.is_empty()).then(|| Platform { architecture, os, variant, ..Platform::default() })
}

#[cfg(test)]
mod tests;
