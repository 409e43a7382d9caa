//! The tree of an inspection. A manifest that stands in several places is told once, so a tree is
//! never larger than its graph, whatever names what.

use std::collections::{HashMap, HashSet};

use super::{BlobLine, Gone, Kind, Node, Platforms, is_image_config};
use crate::inventory::{Inventory, Item, Labels};
use crate::mirror::kinship::Kinship;
use crate::types::{Descriptor, Digest, Manifest, ManifestKind, media};

/// Levels that are told: a chain of referrers may be any length, the stack may not.
const DEPTH: usize = 100;
const TITLE: &str = "org.opencontainers.image.title";

/// What a tree is grown from.
pub(super) struct Tree<'a> {
    kinship: &'a Kinship<'a>,
    platforms: &'a Platforms,
    images: &'a HashMap<&'a Digest, u64>,
    gone: &'a Gone<'a>,
    told: HashSet<Digest>,
    depth: usize,
}

impl<'a> Tree<'a> {
    pub(super) fn new(
        kinship: &'a Kinship<'a>,
        platforms: &'a Platforms,
        images: &'a HashMap<&'a Digest, u64>,
        gone: &'a Gone<'a>,
    ) -> Self {
        Tree { kinship, platforms, images, gone, told: HashSet::new(), depth: 0 }
    }

    /// The tree from `manifest` down.
    pub(super) fn grow(&mut self, manifest: &Manifest) -> Node {
        let family = self.kinship.family(manifest.digest());
        let total = family.sizes().fold(0u64, |sum, (_, size)| sum.saturating_add(size));
        let mut node = Node {
            digest: manifest.digest().clone(),
            media_type: manifest.descriptor().media_type.clone().into(),
            kind: kind(manifest),
            artifact_type: manifest.artifact_type().map(str::to_owned),
            name: None,
            labels: Labels::new(),
            platform: self.platforms.get(manifest.digest()).map(ToString::to_string),
            size: manifest.descriptor().size,
            total,
            repeated: self.depth >= DEPTH || !self.told.insert(manifest.digest().clone()),
            blobs: Vec::new(),
            manifests: Vec::new(),
            referrers: Vec::new(),
            missing: false,
            expected: None,
        };
        if !node.repeated {
            self.depth += 1;
            self.fill(&mut node, manifest);
            self.depth -= 1;
        }
        node
    }

    fn fill(&mut self, node: &mut Node, manifest: &Manifest) {
        let config = manifest.config().map(|config| &config.digest);
        let blobs = manifest.blobs();
        node.blobs = blobs.map(|blob| self.blob(blob, config == Some(&blob.digest))).collect();
        for (child, item) in children(manifest) {
            let mut below = match self.kinship.manifest(&child.digest) {
                Some(manifest) => self.grow(manifest),
                None => self.gap(&child),
            };
            if let Some(item) = item {
                (below.name, below.labels) = (Some(item.source), item.labels);
            }
            node.manifests.push(below);
        }
        for (tag, referrer) in self.kinship.referrers(manifest.digest()) {
            let mut below = self.grow(referrer);
            below.name = tag.map(ToString::to_string);
            node.referrers.push(below);
        }
    }

    /// Stands for a manifest that is not there: all that is known is what names it says.
    fn gap(&self, named: &Descriptor) -> Node {
        let platform = named.platform.as_ref().filter(|platform| platform.os != "unknown");
        Node {
            digest: named.digest.clone(),
            media_type: named.media_type.clone().into(),
            kind: match named.media_type.as_str() {
                media::OCI_INDEX | media::DOCKER_LIST => Kind::Index,
                _ => Kind::Image,
            },
            artifact_type: named.artifact_type.as_deref().map(str::to_owned),
            name: None,
            labels: Labels::new(),
            platform: platform.map(ToString::to_string),
            size: named.size,
            total: named.size,
            repeated: false,
            blobs: Vec::new(),
            manifests: Vec::new(),
            referrers: Vec::new(),
            missing: self.gone.missing.contains(&named.digest),
            expected: self.gone.left_out.get(&named.digest).map(|place| (*place).to_owned()),
        }
    }

    fn blob(&self, blob: &Descriptor, config: bool) -> BlobLine {
        BlobLine {
            digest: blob.digest.clone(),
            media_type: blob.media_type.clone().into(),
            size: blob.size,
            config,
            images: self.images.get(&blob.digest).copied().unwrap_or_default(),
            missing: self.gone.missing.contains(&blob.digest),
            expected: self.gone.left_out.get(&blob.digest).map(|place| (*place).to_owned()),
            title: blob.annotation(TITLE).map(str::to_owned),
        }
    }
}

/// What a manifest names, as items when it is a gathered artifact.
fn children(manifest: &Manifest) -> Vec<(Descriptor, Option<Item>)> {
    let gathered = Inventory::is_gathered(manifest).then(|| Inventory::read(manifest).ok());
    match gathered.flatten() {
        Some(inventory) => {
            let items = inventory.items.into_iter();
            items.map(|item| (item.descriptor.clone(), Some(item))).collect()
        }
        None => manifest.manifests().map(|child| (child.clone(), None)).collect(),
    }
}

fn kind(manifest: &Manifest) -> Kind {
    match manifest.kind() {
        _ if Inventory::is_gathered(manifest) => Kind::Gathered,
        ManifestKind::Index => Kind::Index,
        ManifestKind::Image if manifest.config().is_some_and(is_image_config) => Kind::Image,
        ManifestKind::Image | ManifestKind::Other => Kind::Artifact,
    }
}
