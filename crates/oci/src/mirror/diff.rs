//! `diff`: the images of a gathered artifact, those of them that are new, and what each adds.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::kinship::Kinship;
use super::sources::SourceImage;
use crate::graph::{Graph, WalkOptions, walk};
use crate::inventory::{Inventory, InventoryError, Item};
use crate::store::StoreError;
use crate::types::{Descriptor, Digest};

/// What the operator asks of a diff.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// Show the images of a gathered artifact that was gathered itself, instead of the artifact.
    pub expand: bool,
    /// Count referrers and cosign's signatures with what they refer to.
    pub referrers: bool,
}

/// What is new in an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The images that are new, sorted by reference; two of one digest are two rows.
    pub rows: Vec<DiffRow>,
    /// Images in the artifact, new or not.
    pub images: u64,
    /// Bytes of the artifact, everything counted once.
    pub bytes: u64,
    /// Bytes that no existing image has, everything counted once.
    pub new_bytes: u64,
}

/// One image that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffRow {
    /// Its manifest.
    pub digest: Digest,
    /// Its source as gathered.
    pub reference: String,
    /// Its platform, when one was selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Bytes of its manifests and blobs, each counted once.
    pub size: u64,
    /// Bytes of these that neither an existing image nor a row before this one has. The rows add
    /// up to what is new in all their images.
    pub new: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// A manifest could not be read.
    #[error("reading {text} failed")]
    Read {
        /// Of which image.
        text: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// What should be a gathered artifact is none.
    #[error("{text} cannot be compared")]
    Inventory {
        /// Which image.
        text: String,
        /// Why.
        #[source]
        source: InventoryError,
    },
}

/// Lists what the gathered artifact `image` holds that none of `existing` is or holds. An existing
/// image that is a gathered artifact stands for its images, too.
pub async fn diff(
    image: &SourceImage,
    existing: &[SourceImage],
    options: &DiffOptions,
) -> Result<Diff, DiffError> {
    let wrong = |source| DiffError::Inventory { text: image.text.clone(), source };
    let graph = read(image, options).await?;
    let inventory = Inventory::read(graph.root()).map_err(wrong)?;
    let known = existing.iter().map(|existing| read_existing(existing, options));
    let known: Vec<Known> = stream::iter(known).buffered(8).try_collect().await?;
    let kinship = Kinship::new(&graph);
    let mut items = Vec::new();
    for item in inventory.items {
        let is_known = known.iter().any(|known| known.images.contains(&item.descriptor.digest));
        if !is_known && options.expand {
            expand(&kinship, item, &mut items).map_err(wrong)?;
        } else {
            items.push(item);
        }
    }
    items.sort_by(|a, b| a.source.cmp(&b.source));
    let images = items.len() as u64;
    items.retain(|item| !known.iter().any(|known| known.images.contains(&item.descriptor.digest)));
    let there = |digest: &Digest| known.iter().any(|known| known.content.contains(digest));
    let (rows, new_bytes) = {
        let everything = kinship.family(graph.root().digest());
        let new = everything.sizes().filter(|(digest, _)| !there(digest));
        let new_bytes = new.fold(0u64, |sum, (_, size)| sum.saturating_add(size));
        (rows(&kinship, items, there), new_bytes)
    };
    Ok(Diff { rows, images, bytes: graph.bytes(), new_bytes })
}

/// What an existing image brings along.
struct Known {
    images: HashSet<Digest>,
    content: HashSet<Digest>,
}

async fn read(image: &SourceImage, options: &DiffOptions) -> Result<Graph, DiffError> {
    let failed = |source| DiffError::Read { text: image.text.clone(), source };
    let root = image.store.fetch(&image.version).await.map_err(failed)?;
    let options = WalkOptions { referrers: options.referrers, ..WalkOptions::default() };
    walk(&image.store, root, &options).await.map_err(failed)
}

async fn read_existing(image: &SourceImage, options: &DiffOptions) -> Result<Known, DiffError> {
    let graph = read(image, options).await?;
    let mut images = HashSet::from([graph.root().digest().clone()]);
    for manifest in graph.manifests().iter().filter(|manifest| Inventory::is_gathered(manifest)) {
        images.insert(manifest.digest().clone());
        images.extend(manifest.manifests().map(|child| child.digest.clone()));
    }
    let manifests = graph.manifests().iter().map(|manifest| manifest.digest().clone());
    let content = manifests.chain(graph.blobs().iter().map(|blob| blob.digest.clone())).collect();
    Ok(Known { images, content })
}

/// Adds the images of `item`, when it is a gathered artifact itself, however deep; else `item`.
fn expand(kinship: &Kinship<'_>, item: Item, into: &mut Vec<Item>) -> Result<(), InventoryError> {
    let mut seen = HashSet::new();
    let mut stack = vec![item];
    while let Some(item) = stack.pop() {
        match kinship.manifest(&item.descriptor.digest).filter(|m| Inventory::is_gathered(m)) {
            // One that was met already has shown its images.
            Some(nested) if seen.insert(nested.digest().clone()) => {
                stack.extend(Inventory::read(nested)?.items);
            }
            Some(_) => {}
            None => into.push(item),
        }
    }
    Ok(())
}

fn rows(kinship: &Kinship<'_>, items: Vec<Item>, there: impl Fn(&Digest) -> bool) -> Vec<DiffRow> {
    let mut counted: HashSet<Digest> = HashSet::new();
    let row = |item: Item| {
        let (mut size, mut new) = (0u64, 0u64);
        for (digest, bytes) in kinship.family(&item.descriptor.digest).sizes() {
            size = size.saturating_add(bytes);
            if !there(digest) && counted.insert(digest.clone()) {
                new = new.saturating_add(bytes);
            }
        }
        let Item { descriptor: Descriptor { digest, platform, .. }, source: reference, .. } = item;
        let platform = platform.map(|platform| platform.to_string());
        DiffRow { digest, reference, platform, size, new }
    };
    items.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests;
