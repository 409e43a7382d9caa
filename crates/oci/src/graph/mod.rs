//! Everything that is reachable from a manifest, listed before anything is moved.
//!
//! Two flat lists instead of recursion in every verb: manifests parents first, blobs in the order
//! the manifests name them. Reversed, the manifests are children first, which is the order in
//! which a registry takes them.

mod referrers;
mod sizes;
mod walk;

use std::collections::{BTreeMap, HashMap};

pub use referrers::{COSIGN_SUFFIXES, cosign_tags};
pub use sizes::SizeCounter;
pub use walk::{WalkOptions, walk};

use crate::types::{Descriptor, Digest, Manifest, Tag};

/// What is reachable from a root.
#[derive(Debug, Clone)]
pub struct Graph {
    manifests: Vec<Manifest>,
    own: usize,
    blobs: Vec<Descriptor>,
    referrers: Vec<Digest>,
    tags: Vec<(Tag, Digest)>,
    absent: BTreeMap<Digest, Descriptor>,
}

impl Graph {
    /// The graph of `manifests`, of which the first `own` are the root and what it names, and
    /// the others are referrers (of which `referrers` are those that refer, the rest what these
    /// name). Every manifest stands after one that names it or is its subject.
    pub(crate) fn new(
        manifests: Vec<Manifest>,
        own: usize,
        referrers: Vec<Digest>,
        tags: Vec<(Tag, Digest)>,
    ) -> Self {
        let mut seen = std::collections::HashSet::new();
        let named = manifests.iter().flat_map(Manifest::blobs);
        let blobs =
            named.filter(|blob| seen.insert(blob.digest.clone())).map(Descriptor::bare_with_urls);
        let mut blobs: Vec<Descriptor> = blobs.collect();
        blobs.shrink_to_fit();
        Graph { manifests, own, blobs, referrers, tags, absent: BTreeMap::new() }
    }

    /// The graph, of which these manifests are named and not there.
    pub(crate) fn lacking(self, absent: BTreeMap<Digest, Descriptor>) -> Self {
        Graph { absent, ..self }
    }

    /// The manifests that are named and not there, where the graph may have gaps.
    pub fn absent(&self) -> &BTreeMap<Digest, Descriptor> {
        &self.absent
    }

    /// The manifest that everything is reachable from.
    pub fn root(&self) -> &Manifest {
        &self.manifests[0]
    }

    /// Every manifest once, parents before children, subjects before referrers: the root first.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// The manifests without the referrers and what only these name.
    pub fn own_manifests(&self) -> &[Manifest] {
        &self.manifests[..self.own]
    }

    /// Every blob once, in the order the manifests name them.
    pub fn blobs(&self) -> &[Descriptor] {
        &self.blobs
    }

    /// Every manifest once, children before parents and subjects before referrers, in groups: what
    /// one group names is in groups before it, so a group may be stored in any order.
    pub fn children_first(&self) -> Vec<Vec<&Manifest>> {
        let mut height: HashMap<&Digest, usize> = HashMap::new();
        let mut floor = 0;
        for tree in [&self.manifests[..self.own], &self.manifests[self.own..]] {
            // In pre-order a child may stand before a second parent of it, so one pass over the
            // reversed list is not enough; the number of passes is bounded by the depth.
            let mut changed = true;
            while changed {
                changed = false;
                for manifest in tree.iter().rev() {
                    let below =
                        manifest.manifests().filter_map(|child| height.get(&child.digest)).max();
                    let subject =
                        manifest.subject().and_then(|subject| height.get(&subject.digest));
                    let above = below
                        .into_iter()
                        .chain(subject)
                        .max()
                        .map_or(floor, |most| (most + 1).max(floor));
                    changed |= height.insert(manifest.digest(), above) != Some(above);
                }
            }
            floor = height.values().max().map_or(0, |most| most + 1);
        }
        let mut groups: BTreeMap<usize, Vec<&Manifest>> = BTreeMap::new();
        for manifest in &self.manifests {
            groups.entry(height[manifest.digest()]).or_default().push(manifest);
        }
        groups.into_values().collect()
    }

    /// As [`Graph::blobs`], of the manifests from number `skip` on.
    pub fn blobs_from(&self, skip: usize) -> Vec<&Descriptor> {
        if skip == 0 {
            return self.blobs.iter().collect();
        }
        let mut seen = std::collections::HashSet::new();
        let named = self.manifests.iter().skip(skip).flat_map(Manifest::blobs);
        named.filter(|blob| seen.insert(&blob.digest)).collect()
    }

    /// The manifests that refer to another one of the graph, by subject or by cosign's tag.
    pub fn referrers(&self) -> &[Digest] {
        &self.referrers
    }

    /// Cosign's tags of the graph's manifests, sorted, each with what it names.
    pub fn tags(&self) -> &[(Tag, Digest)] {
        &self.tags
    }

    /// Manifests and blobs in all.
    pub fn len(&self) -> usize {
        self.manifests.len() + self.blobs.len()
    }

    /// Never: a graph holds its root.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes of all manifests and blobs, each counted once.
    pub fn bytes(&self) -> u64 {
        let manifests: u64 = self.manifests.iter().map(|manifest| manifest.descriptor().size).sum();
        manifests + self.blobs.iter().map(|blob| blob.size).sum::<u64>()
    }

    /// Bytes of the blobs of the image without its referrers, each counted as often as a manifest
    /// names it, a manifest counted as often as another names it.
    pub fn total_blob_bytes(&self) -> u64 {
        let mut sums: HashMap<&Digest, u64> = HashMap::new();
        for group in self.children_first() {
            for manifest in group {
                let own = manifest.blobs().map(|blob| blob.size).fold(0u64, u64::saturating_add);
                let below = manifest.manifests().filter_map(|child| sums.get(&child.digest));
                let sum = below.fold(own, |sum, below| sum.saturating_add(*below));
                sums.insert(manifest.digest(), sum);
            }
        }
        sums.get(self.root().digest()).copied().unwrap_or_default()
    }

    /// The tags by what they name.
    pub fn tags_by_digest(&self) -> BTreeMap<&Digest, Vec<&Tag>> {
        let mut map: BTreeMap<&Digest, Vec<&Tag>> = BTreeMap::new();
        for (tag, digest) in &self.tags {
            map.entry(digest).or_default().push(tag);
        }
        map
    }
}
