//! Who needs what: pure bookkeeping, fed with manifests as they become known.

use std::collections::{BTreeSet, HashMap};

use crate::types::{Digest, Manifest};

/// A destination repository, by its place in the list of all.
pub(super) type StoreId = usize;

/// What is needed where.
#[derive(Default)]
pub(super) struct Needs {
    manifests: HashMap<Digest, Manifest>,
    /// Manifests by what they refer to.
    referrers: HashMap<Digest, Vec<Digest>>,
    needed: HashMap<Digest, BTreeSet<StoreId>>,
}

impl Needs {
    /// Takes in a manifest, which refers to `subject` when there is one that counts. Whatever
    /// needs the manifest needs from now on what it names, in whatever order they become known.
    pub(super) fn learn(&mut self, manifest: &Manifest, subject: Option<&Digest>) {
        let digest = manifest.digest().clone();
        if self.manifests.insert(digest.clone(), manifest.clone()).is_some() {
            return;
        }
        let mut stores = self.of(&digest);
        if let Some(subject) = subject {
            self.referrers.entry(subject.clone()).or_default().push(digest.clone());
            stores.extend(self.of(subject));
        }
        self.needed.remove(&digest);
        self.need(&digest, &stores);
    }

    /// Notes that `stores` need a manifest, what it names, and what refers to these.
    pub(super) fn need(&mut self, digest: &Digest, stores: &BTreeSet<StoreId>) {
        let mut stack = vec![digest.clone()];
        while let Some(digest) = stack.pop() {
            let needed = self.needed.entry(digest.clone()).or_default();
            let before = needed.len();
            needed.extend(stores);
            if needed.len() == before {
                continue;
            }
            stack.extend(self.referrers.get(&digest).into_iter().flatten().cloned());
            let Some(manifest) = self.manifests.get(&digest) else { continue };
            stack.extend(manifest.manifests().map(|child| child.digest.clone()));
            for blob in manifest.blobs() {
                self.needed.entry(blob.digest.clone()).or_default().extend(stores);
            }
        }
    }

    /// The stores that need this manifest or blob.
    pub(super) fn of(&self, digest: &Digest) -> BTreeSet<StoreId> {
        self.needed.get(digest).cloned().unwrap_or_default()
    }

    /// A manifest, when it became known.
    pub(super) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests.get(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Descriptor, media};
    use proptest::prelude::*;

    fn index(children: &[&Manifest]) -> Manifest {
        let list: Vec<_> = children.iter().map(|child| child.descriptor().bare()).collect();
        let value = serde_json::json!({"schemaVersion": 2, "manifests": list});
        Manifest::parse(media::OCI_INDEX, value.to_string().into()).unwrap()
    }

    fn image(layer: &str) -> Manifest {
        let layers = [Descriptor::of("layer", layer.as_bytes())];
        let value = serde_json::json!({"schemaVersion": 2, "layers": layers});
        Manifest::parse(media::OCI_MANIFEST, value.to_string().into()).unwrap()
    }

    proptest! {
        /// Whatever the order in which things become known, the same is needed at the same places.
        #[test]
        fn order_does_not_matter(order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
            let (one, two) = (image("one"), image("two"));
            let (inner, outer) = (index(&[&one]), index(&[&two]));
            let root = index(&[&inner, &outer, &one]);
            let signature = image("signature");
            let mut needs = Needs::default();
            for step in order {
                match step {
                    0 => needs.learn(&one, None),
                    1 => needs.learn(&two, None),
                    2 => needs.learn(&inner, None),
                    3 => needs.learn(&outer, None),
                    4 => needs.learn(&root, None),
                    5 => needs.learn(&signature, Some(two.digest())),
                    6 => needs.need(inner.digest(), &BTreeSet::from([1])),
                    _ => needs.need(outer.digest(), &BTreeSet::from([2, 3])),
                }
            }
            let of = |text: &str| needs.of(&Digest::of(text.as_bytes()));
            prop_assert_eq!(of("one"), BTreeSet::from([1]));
            prop_assert_eq!(of("two"), BTreeSet::from([2, 3]));
            prop_assert_eq!(of("signature"), BTreeSet::from([2, 3]));
            prop_assert_eq!(needs.of(signature.digest()), BTreeSet::from([2, 3]));
            prop_assert!(needs.of(root.digest()).is_empty());
        }
    }
}
