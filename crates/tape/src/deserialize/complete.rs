//! The end of reading back: what is not in the archives is looked for at the destination, then the
//! manifests go in, children first, and the tags last.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::catalog::Catalog;
use super::damage::Partial;
use super::intake::Finished;
use super::named::Named;
use super::salvage::Salvage;
use super::{DeserializeError, DeserializeOptions, Missing, Received};
use crate::archive::blob_digest;
use airlift_oci::observe::{Event, How, Observer, Tally};
use airlift_oci::store::{Hints, Remote, Store, StoreError};
use airlift_oci::types::{Digest, Manifest, Tag};

/// What completes a run.
pub(super) struct Completion<'a> {
    pub(super) sink: Arc<dyn Store>,
    pub(super) options: &'a DeserializeOptions,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) tally: Arc<Tally>,
}

/// Where a manifest that no archive holds was found.
enum Found {
    /// At the destination, and so everything it names.
    InPlace,
    /// In an existing image: to be taken over.
    Elsewhere(Manifest),
    Nowhere,
}

impl Completion<'_> {
    pub(super) async fn run(self, finished: Finished) -> Result<Received, DeserializeError> {
        let Finished { mut catalog, mut ills, bytes, disorder, .. } = finished;
        let mut missing = self.manifests(&mut catalog).await?;
        missing.extend(self.blobs(&catalog).await?);
        if !missing.is_empty() && !self.options.keep_going {
            missing.sort_by(|a, b| a.descriptor.digest.cmp(&b.descriptor.digest));
            return Err(DeserializeError::Missing(missing));
        }
        let Some((root, _)) = catalog.roots.last().cloned() else {
            return Err(DeserializeError::NoIndex("the archive".to_owned()));
        };
        let whole = missing.is_empty();
        let salvage = Salvage::new(&catalog, missing);
        let tags = self.tags(&catalog, &salvage);
        self.put_manifests(&catalog, &salvage, &last(&catalog, &tags)).await?;
        let partial = if whole {
            None
        } else {
            let tag = self.options.tag.as_ref();
            let (partial, index) = salvage
                .partial(&root, tag, &ills.places)
                .map_err(|source| DeserializeError::Partial { source: Box::new(source) })?;
            self.put_partial(&partial, index.as_ref()).await?;
            Some(partial)
        };
        let beside = if whole { beside(&catalog, &tags) } else { Vec::new() };
        self.tag(&catalog, tags).await?;
        for (digest, names) in beside {
            let text = format!(
                "the archive holds {names} ({digest}) beside what was tagged; in {} it has no tag",
                self.sink.place()
            );
            self.observer.event(&Event::Warning { text: &text });
        }
        for damage in &mut ills.damage {
            if let Some(digest) = blob_digest(&damage.at.entry) {
                damage.images = catalog.images_with(&digest);
            }
        }
        let put = catalog.manifests.values().filter(|one| salvage.is_whole(one.digest()));
        let (manifests, manifest_bytes) =
            put.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.raw().len() as u64));
        Ok(Received {
            images: salvage.images(&root),
            root,
            roots: catalog.roots.clone(),
            manifests,
            manifest_bytes,
            blobs: self.tally.totals(),
            bytes,
            omitted: catalog.left_out(),
            damage: ills.damage,
            partial,
            disorder,
        })
    }

    async fn put_partial(
        &self,
        partial: &Partial,
        index: Option<&Manifest>,
    ) -> Result<(), StoreError> {
        match index {
            Some(index) if self.options.tag.is_some() => {
                self.sink.put_manifest(index, partial.tag.as_ref()).await
            }
            _ => Ok(()),
        }
    }

    /// Looks for the manifests that are needed and in no archive.
    async fn manifests(&self, catalog: &mut Catalog) -> Result<Vec<Missing>, DeserializeError> {
        let mut settled = HashSet::new();
        let mut missing = Vec::new();
        loop {
            let open = catalog.as_manifest.values();
            let open = open.filter(|named| {
                let digest = named.digest();
                !catalog.manifests.contains_key(digest) && !settled.contains(digest)
            });
            let open: Vec<Named> = open.cloned().collect();
            if open.is_empty() {
                return Ok(missing);
            }
            let lookups = open.into_iter().map(|named| async move {
                let found = self.find_manifest(&named).await?;
                Ok::<_, StoreError>((named, found))
            });
            let lookups = stream::iter(lookups).buffer_unordered(self.options.concurrency.max(1));
            let found: Vec<_> = lookups.try_collect().await?;
            for (named, found) in found {
                settled.insert(named.digest().clone());
                match found {
                    Found::InPlace => {}
                    Found::Elsewhere(manifest) => catalog.hold(manifest),
                    Found::Nowhere => missing.push(catalog.describe(&named)),
                }
            }
        }
    }

    async fn find_manifest(&self, named: &Named) -> Result<Found, StoreError> {
        if self.sink.has(named.descriptor()).await? {
            return Ok(Found::InPlace);
        }
        for store in &self.options.existing {
            match store.manifest(named.descriptor()).await {
                Ok(manifest) => return Ok(Found::Elsewhere(manifest)),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Nowhere)
    }

    /// Looks for the blobs that are needed and in no archive.
    async fn blobs(&self, catalog: &Catalog) -> Result<Vec<Missing>, DeserializeError> {
        let open = catalog.as_blob.values();
        let open = open.filter(|named| !catalog.stored.contains(named.digest()));
        let lookups = open.map(|named| async move {
            let found = named.descriptor().is_foreign() || self.find_blob(named).await?;
            Ok::<_, StoreError>((!found).then(|| catalog.describe(named)))
        });
        let lookups = stream::iter(lookups).buffer_unordered(self.options.concurrency.max(1));
        let missing: Vec<Option<Missing>> = lookups.try_collect().await?;
        Ok(missing.into_iter().flatten().collect())
    }

    /// Whether the blob is at the destination, after taking it over from an existing image if
    /// need be.
    async fn find_blob(&self, named: &Named) -> Result<bool, StoreError> {
        let descriptor = named.descriptor();
        let settled = |how| {
            self.tally.add(descriptor.size, how);
            self.observer.event(&Event::Stored { bytes: descriptor.size, how });
            true
        };
        if self.sink.has(descriptor).await? {
            return Ok(settled(How::Skipped));
        }
        for store in &self.options.existing {
            let near = store.domain() == self.sink.domain();
            if let Some(from) = store.name().filter(|_| near)
                && self.sink.mount(descriptor, from).await?
            {
                return Ok(settled(How::Mounted));
            }
            if store.has(descriptor).await? {
                let content = Remote::new(store.clone(), descriptor.clone());
                self.sink.put(&content, &Hints::default()).await?;
                return Ok(settled(How::Moved));
            }
        }
        Ok(false)
    }

    /// Puts the manifests, those of one depth at a time, children before parents; not those that
    /// come `last`, with their tags.
    async fn put_manifests(
        &self,
        catalog: &Catalog,
        salvage: &Salvage<'_>,
        last: &HashSet<&Digest>,
    ) -> Result<(), DeserializeError> {
        let mut depth: HashMap<&Digest, usize> = HashMap::new();
        let mut levels: Vec<Vec<&Manifest>> = Vec::new();
        let due = |manifest: &&Manifest| {
            salvage.is_whole(manifest.digest()) && !last.contains(manifest.digest())
        };
        for manifest in catalog.children_first().into_iter().filter(due) {
            let below = manifest.manifests().chain(manifest.subject());
            let level = below.filter_map(|child| depth.get(&child.digest)).max();
            let level = level.map_or(0, |level| level + 1);
            depth.insert(manifest.digest(), level);
            levels.resize_with(levels.len().max(level + 1), Vec::new);
            levels[level].push(manifest);
        }
        for level in levels {
            let puts = level.into_iter().map(|manifest| self.sink.put_manifest(manifest, None));
            let puts = stream::iter(puts).buffer_unordered(self.options.concurrency.max(1));
            puts.try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }

    /// The tags of what is whole, in groups of which each waits for the one before: those of
    /// signatures and the like, those of earlier roots, the root's.
    fn tags(&self, catalog: &Catalog, salvage: &Salvage<'_>) -> [Vec<(Tag, Digest)>; 3] {
        let Some(((root, own), earlier)) = catalog.roots.split_last() else {
            return Default::default();
        };
        let wanted = self.options.tag.as_ref();
        let others = catalog.tags.iter().filter(|(tag, _)| Some(*tag) != wanted);
        let earlier = earlier.iter().filter_map(|(digest, tag)| Some((tag.as_ref()?, digest)));
        let earlier = earlier.filter(|(tag, _)| Some(*tag) != wanted && Some(*tag) != own.as_ref());
        let whole = |tags: Vec<(&Tag, &Digest)>| {
            let tags = tags.into_iter().filter(|(_, digest)| salvage.is_whole(digest));
            tags.map(|(tag, digest)| (tag.clone(), digest.clone())).collect()
        };
        [
            whole(others.collect()),
            whole(earlier.collect()),
            whole(wanted.map(|tag| (tag, root)).into_iter().collect()),
        ]
    }

    async fn tag(
        &self,
        catalog: &Catalog,
        [others, earlier, root]: [Vec<(Tag, Digest)>; 3],
    ) -> Result<(), DeserializeError> {
        let puts = others.iter().map(|(tag, digest)| self.tag_one(catalog, digest, tag));
        let puts = stream::iter(puts).buffer_unordered(self.options.concurrency.max(1));
        puts.try_collect::<Vec<()>>().await?;
        for (tag, digest) in earlier.iter().chain(&root) {
            self.tag_one(catalog, digest, tag).await?;
        }
        Ok(())
    }

    async fn tag_one(
        &self,
        catalog: &Catalog,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), DeserializeError> {
        if let Some(manifest) = catalog.manifests.get(digest) {
            return Ok(self.sink.put_manifest(manifest, Some(tag)).await?);
        }
        let Some(named) = catalog.as_manifest.get(digest) else { return Ok(()) };
        let manifest = match self.sink.manifest(named.descriptor()).await {
            // A sink that takes everything for granted until it is complete.
            Err(error) if self.options.keep_going && error.is_not_found() => return Ok(()),
            other => other?,
        };
        Ok(self.sink.put_manifest(&manifest, Some(tag)).await?)
    }
}

/// The images that `index.json` names and nothing else does, with their names: a layout may hold
/// several, whose names need not be tags.
fn beside(catalog: &Catalog, tags: &[Vec<(Tag, Digest)>; 3]) -> Vec<(Digest, String)> {
    let mut alone: BTreeMap<&Digest, _> = catalog.images.iter().collect();
    let roots = catalog.roots.iter().map(|(root, _)| root);
    for known in roots.chain(tags.iter().flatten().map(|(_, digest)| digest)) {
        alone.remove(known);
    }
    for manifest in catalog.manifests.values() {
        for child in manifest.manifests() {
            alone.remove(&child.digest);
        }
        if manifest.subject().is_some() {
            alone.remove(manifest.digest());
        }
    }
    let named = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    alone.into_iter().map(|(digest, names)| (digest.clone(), named(names))).collect()
}

/// The manifests that are put with their tags alone: nothing that is put before names them.
fn last<'a>(catalog: &'a Catalog, tags: &'a [Vec<(Tag, Digest)>; 3]) -> HashSet<&'a Digest> {
    let mut last: HashSet<&Digest> = tags.iter().flatten().map(|(_, digest)| digest).collect();
    for manifest in catalog.manifests.values() {
        for named in manifest.manifests().chain(manifest.subject()) {
            last.remove(&named.digest);
        }
    }
    last
}
