//! What is whole of archives that are not, and the index that names it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::catalog::Catalog;
use super::damage::{Lost, Partial};
use super::{Missing, Spot};
use airlift_oci::inventory::{Inventory, InventoryError, Item, Labels, Sizes};
use airlift_oci::types::{Annotations, Descriptor, Digest, Manifest, Tag, media};

/// Annotation of the index of what is whole: digest of the index that was to be delivered.
pub const PARTIAL_OF: &str = "vnd.airlift.partial-of";
/// What the tag of the index of what is whole ends with.
const SUFFIX: &str = "-partial";
const LONGEST_TAG: usize = 128;
/// What an index says it was written by when nothing else is known.
pub(super) const VERSION: &str = concat!("airlift ", env!("CARGO_PKG_VERSION"));

/// What is whole.
pub(super) struct Salvage<'a> {
    catalog: &'a Catalog,
    missing: HashMap<Digest, Missing>,
    broken: HashSet<Digest>,
}

impl<'a> Salvage<'a> {
    /// Of what is known, when `missing` is neither in the archives nor at the destination.
    pub(super) fn new(catalog: &'a Catalog, missing: Vec<Missing>) -> Self {
        let missing: HashMap<Digest, Missing> =
            missing.into_iter().map(|one| (one.descriptor.digest.clone(), one)).collect();
        let mut broken = HashSet::new();
        for manifest in catalog.children_first() {
            let named = manifest.manifests().chain(manifest.blobs()).chain(manifest.subject());
            let lacks = |digest: &Digest| missing.contains_key(digest) || broken.contains(digest);
            if named.map(|named| &named.digest).any(lacks) {
                broken.insert(manifest.digest().clone());
            }
        }
        Salvage { catalog, missing, broken }
    }

    /// Whether a manifest and everything that it names is there.
    pub(super) fn is_whole(&self, digest: &Digest) -> bool {
        !self.missing.contains_key(digest) && !self.broken.contains(digest)
    }

    /// What is delivered instead of `root`, which is not whole, and the index to be put for it.
    /// `places` says where what is damaged stands.
    pub(super) fn partial(
        &self,
        root: &Digest,
        tag: Option<&Tag>,
        places: &HashMap<Digest, Spot>,
    ) -> Result<(Partial, Option<Manifest>), InventoryError> {
        let rooted = self.is_whole(root);
        let held = self.catalog.manifests.get(root);
        let (whole, lost): (Vec<Item>, Vec<Item>) =
            self.items(root)?.into_iter().partition(|item| self.is_whole(&item.descriptor.digest));
        let mut lost = self.lost(&lost, places);
        if lost.is_empty() && !rooted {
            let name = tag.map_or_else(|| root.to_string(), ToString::to_string);
            lost.push(self.lose(&name, root, None, places));
        }
        self.lose_the_rest(&mut lost, places);
        let mut partial = Partial { rooted, index: None, tag: None, lost };
        if whole.is_empty() || rooted {
            return Ok((partial, None));
        }
        let index = self.index(whole, root, held)?;
        partial.index = Some(index.digest().clone());
        partial.tag = tag.and_then(partial_tag);
        Ok((partial, Some(index)))
    }

    fn lost(&self, items: &[Item], places: &HashMap<Digest, Spot>) -> Vec<Lost> {
        let lose = |item: &Item| {
            self.lose(&item.source, &item.descriptor.digest, Some(&item.labels), places)
        };
        items.iter().map(lose).collect()
    }

    fn lose(
        &self,
        image: &str,
        digest: &Digest,
        labels: Option<&Labels>,
        places: &HashMap<Digest, Spot>,
    ) -> Lost {
        let needs = self.needs(digest, places);
        Lost { image: image.to_owned(), digest: digest.clone(), labels: labels.cloned(), needs }
    }

    /// What no image needs: signatures and the like, under their tag where they have one.
    fn lose_the_rest(&self, lost: &mut Vec<Lost>, places: &HashMap<Digest, Spot>) {
        for (tag, digest) in self.catalog.tags.iter().filter(|(_, digest)| !self.is_whole(digest)) {
            lost.push(self.lose(tag.as_str(), digest, None, places));
        }
        let named = lost.iter().flat_map(|lost| &lost.needs);
        let named: HashSet<Digest> =
            named.map(|(missing, _)| missing.descriptor.digest.clone()).collect();
        let mut rest: Vec<&Missing> = self
            .missing
            .iter()
            .filter(|(digest, _)| !named.contains(*digest))
            .map(|m| m.1)
            .collect();
        rest.sort_by(|a, b| a.descriptor.digest.cmp(&b.descriptor.digest));
        for missing in rest {
            let digest = &missing.descriptor.digest;
            let name = format!("{digest}, named by {}", missing.named_by);
            lost.push(self.lose(&name, digest, None, places));
        }
    }

    /// The images that were gathered in `root`; none when it is no gathered index.
    fn items(&self, root: &Digest) -> Result<Vec<Item>, InventoryError> {
        match self.catalog.manifests.get(root) {
            Some(root) if Inventory::is_gathered(root) => Ok(Inventory::read(root)?.items),
            Some(_) => Ok(Vec::new()),
            None => Ok(self.catalog.items()),
        }
    }

    /// The gathered images that are whole, by their sources.
    pub(super) fn images(&self, root: &Digest) -> Vec<(String, Digest)> {
        // An index that cannot be read names none.
        let items = self.items(root).unwrap_or_default().into_iter();
        let named = items.map(|item| (item.source, item.descriptor.digest));
        named.filter(|(_, digest)| self.is_whole(digest)).collect()
    }

    /// The gathered index of `items`, which came with `root`.
    fn index(
        &self,
        items: Vec<Item>,
        root: &Digest,
        held: Option<&Manifest>,
    ) -> Result<Manifest, InventoryError> {
        let sizes = self.sizes(&items);
        let annotations = held.into_iter().flat_map(Manifest::annotations);
        let mut annotations: Annotations = annotations
            .filter(|(key, _)| {
                ![media::EXTRA_MANIFESTS, media::EXTRA_MANIFESTS_GUIDE].contains(key)
            })
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        annotations.insert(PARTIAL_OF.to_owned(), root.to_string());
        let version = annotations.get(media::VERSION).cloned();
        let version = version.unwrap_or_else(|| VERSION.to_owned());
        let fallback = held.is_some_and(|root| !root.extra_manifests().is_empty());
        Inventory::write(items, sizes, &version, &annotations, fallback)
    }

    fn sizes(&self, items: &[Item]) -> Sizes {
        let mut sizes = Sizes::default();
        let mut blobs = HashSet::new();
        let mut seen = HashSet::new();
        let mut stack: Vec<&Digest> = items.iter().map(|item| &item.descriptor.digest).collect();
        while let Some(digest) = stack.pop() {
            let Some(manifest) = self.catalog.manifests.get(digest) else { continue };
            if !seen.insert(digest) {
                continue;
            }
            stack.extend(manifest.manifests().map(|child| &child.digest));
            for blob in manifest.blobs() {
                sizes.total = sizes.total.saturating_add(blob.size);
                if blobs.insert(&blob.digest) {
                    sizes.deduplicated = sizes.deduplicated.saturating_add(blob.size);
                }
            }
        }
        sizes
    }

    /// What is missing of an image.
    fn needs(
        &self,
        image: &Digest,
        places: &HashMap<Digest, Spot>,
    ) -> Vec<(Missing, Option<Spot>)> {
        let mut needs = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut stack = vec![image];
        while let Some(digest) = stack.pop() {
            if !seen.insert(digest) {
                continue;
            }
            if let Some(missing) = self.missing.get(digest) {
                needs.insert(digest, (missing.clone(), places.get(digest).cloned()));
            }
            if let Some(manifest) = self.catalog.manifests.get(digest) {
                let named = manifest.manifests().chain(manifest.blobs()).chain(manifest.subject());
                stack.extend(named.map(|named| &named.digest));
            }
        }
        needs.into_values().collect()
    }
}

impl Catalog {
    /// The gathered images as `index.json` and the transfer lists have them, for when the root is
    /// lost.
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items: BTreeMap<(String, Digest), Item> = BTreeMap::new();
        for entry in &self.listed {
            if let Ok(item) = Item::read(entry) {
                items.insert((item.source.clone(), entry.digest.clone()), item);
            }
        }
        let roots: BTreeSet<&Digest> = self.roots.iter().map(|(root, _)| root).collect();
        for (digest, sources) in self.images.iter().filter(|(digest, _)| !roots.contains(digest)) {
            let held = self.manifests.get(digest).map(|manifest| manifest.descriptor().bare());
            let named = || self.as_manifest.get(digest).map(|named| named.descriptor().bare());
            let unknown = || Descriptor::new(media::OCI_MANIFEST, digest.clone(), 0);
            let descriptor = held.or_else(named).unwrap_or_else(unknown);
            for source in sources.iter().filter(|source| self.sources.contains(*source)) {
                let item = || Item::new(&descriptor, source, Labels::new(), None);
                items.entry((source.clone(), digest.clone())).or_insert_with(item);
            }
        }
        items.into_values().collect()
    }
}

/// `TAG-partial`, cut where it would be too long for a tag.
fn partial_tag(tag: &Tag) -> Option<Tag> {
    let text = tag.as_str();
    let kept = text.len().min(LONGEST_TAG - SUFFIX.len());
    format!("{}{SUFFIX}", &text[..kept]).parse().ok()
}
