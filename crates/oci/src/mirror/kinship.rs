//! Who belongs to whom in a graph: what a manifest names, and what refers to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::graph::{Graph, cosign_tags};
use crate::types::{Descriptor, Digest, Manifest, Tag};

/// A graph, to be asked from any manifest of it.
pub(super) struct Kinship<'a> {
    manifests: HashMap<&'a Digest, &'a Manifest>,
    referrers: HashMap<&'a Digest, Vec<(Option<&'a Tag>, &'a Manifest)>>,
}

/// Everything that belongs to one manifest, each once.
#[derive(Default)]
pub(super) struct Family<'a> {
    /// The manifest, what it names, and what refers to any of these.
    pub(super) manifests: Vec<&'a Manifest>,
    /// What these name.
    pub(super) blobs: Vec<&'a Descriptor>,
}

impl<'a> Kinship<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let manifests: HashMap<&Digest, &Manifest> =
            graph.manifests().iter().map(|manifest| (manifest.digest(), manifest)).collect();
        let mut referrers: HashMap<&Digest, Vec<(Option<&Tag>, &Manifest)>> = HashMap::new();
        for manifest in graph.manifests() {
            if let Some(subject) = manifest.subject() {
                referrers.entry(&subject.digest).or_default().push((None, manifest));
            }
        }
        let tags: BTreeMap<&Tag, &Digest> =
            graph.tags().iter().map(|(tag, digest)| (tag, digest)).collect();
        for manifest in graph.manifests() {
            for tag in cosign_tags(manifest.digest()) {
                let named = tags.get_key_value(&tag);
                let known = named.and_then(|(tag, digest)| Some((*tag, *manifests.get(*digest)?)));
                if let Some((tag, referrer)) = known {
                    referrers.entry(manifest.digest()).or_default().push((Some(tag), referrer));
                }
            }
        }
        Kinship { manifests, referrers }
    }

    /// A manifest of the graph.
    pub(super) fn manifest(&self, digest: &Digest) -> Option<&'a Manifest> {
        self.manifests.get(digest).copied()
    }

    /// What refers to a manifest, by subject or by the tag given.
    pub(super) fn referrers(&self, digest: &Digest) -> &[(Option<&'a Tag>, &'a Manifest)] {
        self.referrers.get(digest).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that belongs to `root`; nothing when it is not in the graph.
    pub(super) fn family(&self, root: &Digest) -> Family<'a> {
        let mut family = Family::default();
        let (mut seen, mut seen_blobs) = (HashSet::new(), HashSet::new());
        let mut stack: Vec<&Manifest> = self.manifest(root).into_iter().collect();
        while let Some(manifest) = stack.pop() {
            if !seen.insert(manifest.digest()) {
                continue;
            }
            family.manifests.push(manifest);
            family.blobs.extend(manifest.blobs().filter(|blob| seen_blobs.insert(&blob.digest)));
            let referring = self.referrers(manifest.digest()).iter().map(|(_, known)| *known);
            let named = manifest.manifests().filter_map(|child| self.manifest(&child.digest));
            stack.extend(referring.chain(named));
        }
        family
    }
}

impl<'a> Family<'a> {
    /// Digest and size of everything, each once.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&'a Digest, u64)> {
        let manifests = self.manifests.iter().map(|manifest| manifest.descriptor());
        manifests.chain(self.blobs.iter().copied()).map(|what| (&what.digest, what.size))
    }
}
