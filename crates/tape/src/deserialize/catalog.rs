//! What is known of the archives' content: pure bookkeeping, fed with what passes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::error::{DeserializeError, Missing, Spot};
use super::named::Named;
use crate::archive::{Omitted, TRANSFER_LIST, Transfer};
use airlift_oci::types::{Descriptor, Digest, Manifest, ManifestKind, Tag, media};

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// What an entry is taken for when it arrives.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Manifest(Descriptor),
    Blob(Descriptor),
    /// The list of a transfer manifest.
    Transfer,
    /// Nothing has named it yet.
    Unknown,
}

/// Everything known.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Of manifests that the index names first: one that names them, too.
    parents: HashMap<Digest, Digest>,
    /// The first entry of each `index.json`, without repeats.
    pub(crate) roots: Vec<(Digest, Option<Tag>)>,
    /// Tags of other entries: cosign's, and those of a layout with several images.
    pub(crate) tags: BTreeMap<Tag, Digest>,
    /// What is needed as a manifest.
    pub(crate) as_manifest: HashMap<Digest, Named>,
    /// What is needed as a blob.
    pub(crate) as_blob: HashMap<Digest, Named>,
    /// Manifests that were read.
    pub(crate) manifests: HashMap<Digest, Manifest>,
    /// The order in which they became known, which makes what follows the same every time.
    pub(crate) order: Vec<Digest>,
    /// What may turn out to be a manifest once something names it.
    pub(crate) candidates: HashMap<Digest, (Bytes, Spot)>,
    /// Blobs that were handed to the store.
    pub(crate) stored: HashSet<Digest>,
    /// What the archives leave out.
    pub(crate) omitted: HashMap<Digest, Omitted>,
    /// Sources by the digest of the image.
    pub(crate) images: HashMap<Digest, BTreeSet<String>>,
    /// The entries of each `index.json` that say where an image was gathered from.
    pub(crate) listed: Vec<Descriptor>,
    /// Sources as transfer lists have them.
    pub(crate) sources: BTreeSet<String>,
    /// What `manifest.json` may be.
    pub(crate) documents: HashSet<Digest>,
    /// Blobs that serve the archive itself.
    own: BTreeSet<Digest>,
    transfer_lists: HashSet<Digest>,
}

impl Catalog {
    /// Takes in an `index.json`; the first that it names.
    pub(crate) fn index(&mut self, text: &[u8]) -> Result<Option<Digest>, serde_json::Error> {
        let index: Index = serde_json::from_slice(text)?;
        let root = index.manifests.first().map(|root| root.digest.clone());
        for (position, entry) in index.manifests.into_iter().enumerate() {
            let name = entry.annotation(media::REF_NAME).map(str::to_owned);
            let tag: Option<Tag> = name.as_deref().and_then(|name| name.parse().ok());
            let source = entry.annotation(media::SOURCE).map(str::to_owned);
            if source.is_some() {
                self.listed.push(entry.clone());
            }
            if let Some(image) = source.or(name) {
                self.images.entry(entry.digest.clone()).or_default().insert(image);
            }
            let known = self.roots.iter().position(|(root, _)| *root == entry.digest);
            match (tag, known) {
                // Met again, it is the last again.
                (_, Some(known)) if position == 0 => self.roots[known..].rotate_left(1),
                (tag, None) if position == 0 => self.roots.push((entry.digest.clone(), tag)),
                (Some(tag), _) if position > 0 => {
                    self.tags.entry(tag).or_insert_with(|| entry.digest.clone());
                }
                _ => {}
            }
            self.need_manifest(Named::by_index(entry));
        }
        Ok(root)
    }

    /// What an entry is.
    pub(crate) fn role(&self, digest: &Digest) -> Role {
        if self.transfer_lists.contains(digest) {
            Role::Transfer
        } else if let Some(named) = self.as_manifest.get(digest) {
            Role::Manifest(named.descriptor().clone())
        } else if let Some(named) = self.as_blob.get(digest) {
            Role::Blob(named.descriptor().clone())
        } else {
            Role::Unknown
        }
    }

    /// A digest as whatever names it has it, so that its text is held once.
    pub(crate) fn shared(&self, digest: Digest) -> Digest {
        let blob = self.as_blob.get_key_value(&digest).map(|(known, _)| known);
        let manifest = || self.as_manifest.get_key_value(&digest).map(|(known, _)| known);
        blob.or_else(manifest).cloned().unwrap_or(digest)
    }

    /// What names an entry, and the size it states.
    pub(crate) fn named(&self, digest: &Digest) -> impl Iterator<Item = &Named> {
        self.as_manifest.get(digest).into_iter().chain(self.as_blob.get(digest))
    }

    /// Whether anything names this.
    pub(crate) fn is_named(&self, digest: &Digest) -> bool {
        self.as_manifest.contains_key(digest)
            || self.as_blob.contains_key(digest)
            || self.own.contains(digest)
    }

    /// Whether an archive has a transfer list.
    pub(crate) fn has_list(&self) -> bool {
        !self.transfer_lists.is_empty()
    }

    /// Whether the archive's own bookkeeping needs this.
    pub(crate) fn serves_archive(&self, digest: &Digest) -> bool {
        self.own.contains(digest)
    }

    /// Whether nothing but the archive's own bookkeeping needs this.
    pub(crate) fn is_own(&self, digest: &Digest) -> bool {
        self.own.contains(digest) && !self.as_blob.contains_key(digest)
    }

    /// Takes in a manifest, and notes what it names.
    pub(crate) fn hold(&mut self, manifest: Manifest) {
        let digest = manifest.digest().clone();
        if self.manifests.contains_key(&digest) {
            return;
        }
        if Transfer::is_transfer(&manifest) {
            self.own.extend(manifest.blobs().map(|blob| blob.digest.clone()));
            let lists = manifest.layers().iter().filter(|layer| layer.media_type == TRANSFER_LIST);
            self.transfer_lists.extend(lists.map(|layer| layer.digest.clone()));
            self.own.insert(digest.clone());
            self.as_manifest.remove(&digest);
            return;
        }
        for child in Named::children(&manifest) {
            self.need_manifest(child);
        }
        for blob in Named::blobs(&manifest) {
            self.as_blob.entry(blob.digest().clone()).or_insert(blob);
        }
        self.order.push(digest.clone());
        self.manifests.insert(digest, manifest);
    }

    /// Takes in the list of a transfer manifest.
    pub(crate) fn transfer(&mut self, text: &[u8]) -> Result<Arc<Transfer>, serde_json::Error> {
        let transfer = Transfer::read(text)?;
        self.documents.extend(transfer.manifest_json.clone());
        for item in &transfer.items {
            self.sources.insert(item.source.clone());
            self.images.entry(item.digest.clone()).or_default().insert(item.source.clone());
        }
        for blob in &transfer.omitted {
            self.omitted.insert(blob.descriptor.digest.clone(), blob.clone());
        }
        Ok(Arc::new(transfer))
    }

    /// The `index.json` of the archive is not what was written, or is lost: what it says counts
    /// only where the transfer list or a digest bears it out.
    pub(crate) fn distrust_index(&mut self, transfer: &Transfer) {
        let known: HashSet<Digest> =
            self.manifests.keys().chain(self.candidates.keys()).cloned().collect();
        self.as_manifest.retain(|digest, named| !named.is_by_index() || known.contains(digest));
        self.listed.retain(|entry| known.contains(&entry.digest));
        let of_known = |tag: &Tag| {
            let (algorithm, hex) = tag.as_str().split_once('.')?.0.split_once('-')?;
            format!("{algorithm}:{hex}").parse().ok().filter(|digest| known.contains(digest))
        };
        self.tags.retain(|tag, digest| known.contains(digest) && of_known(tag).is_some());
        self.roots.retain(|(root, _)| known.contains(root) && *root != transfer.root);
        self.roots.push((transfer.root.clone(), transfer.tag()));
        for digest in transfer.items.iter().map(|item| &item.digest).chain([&transfer.root]) {
            let descriptor = Descriptor::new(media::OCI_MANIFEST, digest.clone(), 0);
            self.need_manifest(Named::by_list(descriptor));
        }
        // Types and sizes are those of what is found under the digest.
        for (digest, (raw, _)) in &self.candidates {
            let named = self.as_manifest.get_mut(digest).and_then(Named::document_mut);
            if let Some(named) = named
                && let Ok(manifest) = Manifest::parse("", raw.clone())
            {
                *named = manifest.descriptor().bare();
            }
        }
    }

    /// Turns candidates into the manifests that they are needed as, until no more are needed. May
    /// be called again after an error.
    pub(crate) fn settle(&mut self) -> Result<(), DeserializeError> {
        loop {
            let due: Vec<Descriptor> = self
                .as_manifest
                .values()
                .filter(|named| self.candidates.contains_key(named.digest()))
                .filter(|named| !self.manifests.contains_key(named.digest()))
                .map(|named| named.descriptor().clone())
                .collect();
            if due.is_empty() {
                return Ok(());
            }
            for descriptor in due {
                let Some((raw, at)) = self.candidates.get(&descriptor.digest) else { continue };
                let (media_type, digest) = (&descriptor.media_type, descriptor.digest.clone());
                let manifest = Manifest::parse_as(media_type, digest, raw.clone());
                match manifest {
                    Ok(manifest) => self.hold(manifest),
                    Err(source) => {
                        let (at, source) = (Box::new(at.clone()), Box::new(source));
                        // So that whoever goes on does not meet it again.
                        self.candidates.remove(&descriptor.digest);
                        return Err(DeserializeError::Manifest { at, source });
                    }
                }
            }
        }
    }

    /// Every manifest held, children and subjects first.
    pub(crate) fn children_first(&self) -> Vec<&Manifest> {
        let mut done = HashSet::new();
        let mut order = Vec::new();
        for start in &self.order {
            let mut stack = vec![(start, false)];
            while let Some((digest, expanded)) = stack.pop() {
                let Some(manifest) = self.manifests.get(digest) else { continue };
                if expanded {
                    order.push(manifest);
                } else if done.insert(digest) {
                    stack.push((digest, true));
                    let before = manifest.manifests().chain(manifest.subject());
                    stack.extend(before.map(|child| (&child.digest, false)));
                }
            }
        }
        order
    }

    /// The gathered images that need a manifest or blob.
    pub(crate) fn images_with(&self, digest: &Digest) -> Vec<String> {
        let needs = |image: &&Digest| {
            let mut seen = HashSet::new();
            let mut stack = vec![*image];
            while let Some(next) = stack.pop() {
                if next == digest {
                    return true;
                }
                if let Some(manifest) = self.manifests.get(next).filter(|_| seen.insert(next)) {
                    stack.extend(manifest.manifests().chain(manifest.blobs()).map(|d| &d.digest));
                }
            }
            false
        };
        let roots: HashSet<&Digest> = self.roots.iter().map(|(root, _)| root).collect();
        let images = self.images.keys().filter(|image| !roots.contains(image));
        let mut names: Vec<String> =
            images.filter(needs).flat_map(|image| self.images[image].iter().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What was left out of every archive, sorted.
    pub(crate) fn left_out(&self) -> Vec<Omitted> {
        let out = self.omitted.values();
        let out = out.filter(|blob| !self.stored.contains(&blob.descriptor.digest));
        let mut out: Vec<Omitted> = out.cloned().collect();
        out.sort_by(|a, b| a.descriptor.digest.cmp(&b.descriptor.digest));
        out
    }

    /// What is needed and not among what was `seen`, sorted.
    pub(crate) fn absent(&self, seen: &HashMap<Digest, u64>) -> Vec<Missing> {
        let blobs = self.as_blob.values().filter(|named| !named.descriptor().is_foreign());
        let absent = self.as_manifest.values().chain(blobs);
        let absent = absent.filter(|named| !seen.contains_key(named.digest()));
        let mut all: Vec<Missing> = absent.map(|named| self.describe(named)).collect();
        all.sort_by(|a, b| a.descriptor.digest.cmp(&b.descriptor.digest));
        all
    }

    /// What of what was `seen`, with its size in bytes, has another one than what names it says, in
    /// the order of the digests: each with why.
    pub(crate) fn missized(&self, seen: &HashMap<Digest, u64>) -> Vec<(Digest, String)> {
        let wrong = self.as_manifest.values().chain(self.as_blob.values()).filter_map(|named| {
            let Descriptor { digest, size, .. } = named.descriptor();
            let found = seen.get(digest).filter(|found| *found != size)?;
            let text = format!("{digest} has {found} bytes where {} says {size}", named.by());
            Some((digest.clone(), text))
        });
        let mut wrong: Vec<_> = wrong.collect();
        wrong.sort();
        wrong
    }

    /// Says what is known of something that is missing.
    pub(crate) fn describe(&self, named: &Named) -> Missing {
        let digest = named.digest();
        let image = named.parent().and_then(|by| self.image_of(by));
        Missing {
            descriptor: named.descriptor().clone(),
            named_by: named.by().to_owned(),
            image: image.or_else(|| self.images.get(digest)?.first().cloned()),
            expected: self.omitted.get(digest).map(|omitted| omitted.expected.clone()),
        }
    }

    /// The gathered image that a manifest belongs to: itself, or the nearest that names it.
    fn image_of<'a>(&'a self, mut digest: &'a Digest) -> Option<String> {
        for _ in 0..32 {
            if let Some(image) = self.images.get(digest).and_then(BTreeSet::first) {
                return Some(image.clone());
            }
            let by = self.as_manifest.get(digest)?.parent();
            digest = by.or_else(|| self.parents.get(digest))?;
        }
        None
    }

    fn need_manifest(&mut self, named: Named) {
        let digest = named.digest().clone();
        if self.own.contains(&digest) {
            return;
        }
        let parent = named.parent().cloned();
        let known = self.as_manifest.entry(digest.clone()).or_insert(named);
        // The index names everything; what it belongs to is known from the manifests.
        if let Some(parent) = parent.filter(|_| known.is_by_index()) {
            self.parents.entry(digest).or_insert(parent);
        }
    }
}

/// Whether content that nothing has named yet may be a manifest: it must plainly be one.
pub(crate) fn may_be_manifest(raw: &Bytes) -> bool {
    if !raw.trim_ascii_start().starts_with(b"{") {
        return false;
    }
    Manifest::parse("", raw.clone()).is_ok_and(|manifest| {
        manifest.kind() != ManifestKind::Other || manifest.descriptor().is_manifest()
    })
}
