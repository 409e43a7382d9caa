//! `unarchive` of a medium that passes once: a sink that hands what comes straight on to the
//! destinations of the images that need it, with nothing staged.
//!
//! The items are routed as soon as the gathered index is announced, so that it is known of every
//! blob where it belongs when it passes. A blob goes to the first destination that needs it, is
//! mounted in the others of that registry, and read back from there for other registries when it
//! is too large to be held. What fails at one destination fails there alone: it is told by
//! [`Delivery::finish`], and the medium is read on.

mod needs;
mod place;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::in_place::in_place;
use super::meet::join_platforms;
use super::plan::Root;
use super::report::{ItemReport, Report};
use super::scatter::Routed;
use crate::inventory::{Inventory, Item};
use crate::observe::{How, Totals};
use crate::store::{Blob, Content, ErrorKind, Hints, Put, Sink, Source, Store, StoreError, chain};
use crate::types::{Descriptor, Digest, Manifest, Name, Tag, Version};
use needs::{Needs, StoreId};

/// The longest content that is held while it is not known where it belongs.
const HELD: u64 = 4 << 20;
/// All of such content together, at most.
const HELD_IN_ALL: u64 = 64 << 20;

/// Gives items their destinations.
#[async_trait]
pub trait Route: Send + Sync {
    /// The items with their destinations, opened. An error ends the run before anything moves.
    async fn route(&self, items: Vec<Item>) -> Result<Vec<Routed>, StoreError>;
}

/// A sink over many destinations.
pub struct Delivery {
    route: Arc<dyn Route>,
    referrers: bool,
    tag: Option<Tag>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stores: Vec<Arc<dyn Store>>,
    needs: Needs,
    jobs: Vec<Job>,
    /// How each content came to be where it is.
    placed: HashMap<(Digest, StoreId), (How, u64)>,
    /// Why a content is not where it should be.
    failed: HashMap<(Digest, StoreId), String>,
    /// Content of which it was not known where it belongs, when it passed.
    held: HashMap<Digest, Bytes>,
    held_bytes: u64,
    /// Content that passed likewise and was too large.
    gone: HashSet<Digest>,
    /// Failures of a store, one after the other, and the last of them.
    strikes: HashMap<StoreId, (u32, String)>,
}

/// One image on its way.
#[derive(Clone)]
struct Job {
    report: ItemReport,
    root: Digest,
    /// The root, when no medium holds it: it was made of several items.
    made: Option<Manifest>,
    to: Vec<Stop>,
}

/// One destination of an image.
#[derive(Clone)]
struct Stop {
    store: StoreId,
    tag: Option<Tag>,
    label: String,
    /// It had the image from the start, and nothing is to be brought.
    in_place: bool,
}

impl Delivery {
    /// A sink for an archive whose root has the tag `tag`, whatever its tag when there is none.
    /// With `referrers`, what refers to an image goes where the image goes.
    pub fn new(route: Arc<dyn Route>, referrers: bool, tag: Option<Tag>) -> Self {
        Delivery { route, referrers, tag, state: Mutex::default() }
    }

    /// What became of every item. To be called once the medium was read to its end without an
    /// error; before that nothing has a tag.
    pub async fn finish(&self) -> Report {
        let jobs = self.lock().jobs.clone();
        let mut counted = HashSet::new();
        let mut items = Vec::new();
        for mut job in jobs {
            if !job.to.is_empty() {
                match self.complete(&job).await {
                    Ok(()) => job.report.succeed(self.totals(&job, &mut counted)),
                    Err(error) => job.report.fail(error),
                }
            }
            items.push(job.report);
        }
        Report { items, index: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin(&self, root: &Manifest, tags: &[Tag]) -> Result<(), StoreError> {
        let wrong = |text| StoreError::new(self.place(), ErrorKind::Configuration(text));
        if let Some(tag) = self.tag.as_ref().filter(|tag| !tags.contains(tag)) {
            let found: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let text = format!("its root has not the tag {tag} but {:?}", found.join(", "));
            return Err(wrong(text));
        }
        let inventory = Inventory::read(root);
        let inventory = inventory.map_err(|error| StoreError::new(self.place(), error.into()))?;
        let routed = self.route.route(inventory.items).await?;
        for (root, routed) in join_platforms(routed) {
            let mut report = ItemReport::new(&routed.item.source);
            report.destinations = routed.destinations.iter().map(|to| to.label.clone()).collect();
            match root {
                Ok(root) => self.admit(report, root, routed).await,
                Err(error) => {
                    report.fail(chain(&error));
                    let root = routed.item.descriptor.digest;
                    self.lock().jobs.push(Job { report, root, made: None, to: Vec::new() });
                }
            }
        }
        Ok(())
    }

    /// Takes in one image: asks where it is already, and notes what is needed elsewhere.
    async fn admit(&self, mut report: ItemReport, root: Root, routed: Routed) {
        let digest = root.descriptor().digest.clone();
        report.digest = Some(digest.clone());
        let checks = routed.destinations.iter().cloned().map(|to| there(digest.clone(), to));
        let there: Vec<bool> = stream::iter(checks).buffered(8).collect().await;
        let mut state = self.lock();
        let (mut to, mut lacking) = (Vec::new(), BTreeSet::new());
        for (destination, there) in routed.destinations.into_iter().zip(there) {
            let store = state.store(&destination.store);
            // What refers to the image may be new where the image is not.
            let in_place = there && !self.referrers;
            if !in_place {
                lacking.insert(store);
            }
            to.push(Stop { store, tag: destination.tag, label: destination.label, in_place });
        }
        let made = match root {
            Root::Read(manifest) => {
                state.needs.learn(&manifest, None);
                Some(manifest)
            }
            Root::Known(_) => None,
        };
        state.needs.need(&digest, &lacking);
        state.jobs.push(Job { report, root: digest, made, to });
    }

    /// What it took to bring an image to its destinations, what others took before not counted.
    fn totals(&self, job: &Job, counted: &mut HashSet<(Digest, StoreId)>) -> Totals {
        let state = self.lock();
        let mut totals = Totals::default();
        let mut seen = HashSet::new();
        let mut stack = vec![job.root.clone()];
        while let Some(digest) = stack.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            if let Some(manifest) = state.needs.manifest(&digest) {
                stack.extend(manifest.manifests().map(|child| child.digest.clone()));
                stack.extend(manifest.blobs().map(|blob| blob.digest.clone()));
            }
            for stop in &job.to {
                let key = (digest.clone(), stop.store);
                let Some((how, bytes)) = state.placed.get(&key).copied() else { continue };
                if counted.insert(key) {
                    add(&mut totals, how, bytes);
                }
            }
        }
        totals
    }
}

fn add(totals: &mut Totals, how: How, bytes: u64) {
    match how {
        How::Moved => {
            totals.moved += 1;
            totals.bytes += bytes;
        }
        How::Mounted => totals.mounted += 1,
        How::Skipped => totals.skipped += 1,
    }
}

/// Whether a destination has the image under its tag.
async fn there(digest: Digest, to: super::scatter::Destination) -> bool {
    let version = match &to.tag {
        Some(tag) => Version::Tag(tag.clone()),
        None => Version::Digest(digest.clone()),
    };
    in_place(to.store.as_ref(), &version, &digest).await
}

impl State {
    fn store(&mut self, store: &Arc<dyn Store>) -> StoreId {
        let same = |known: &Arc<dyn Store>| {
            known.place() == store.place() && known.domain() == store.domain()
        };
        self.stores.iter().position(same).unwrap_or_else(|| {
            self.stores.push(store.clone());
            self.stores.len() - 1
        })
    }
}

/// What `manifest` belongs to: its subject, or what a cosign tag of it says.
fn subject_of(manifest: &Manifest, tags: &[Tag]) -> Option<Digest> {
    let by_tag = || tags.iter().find_map(cosign_subject);
    manifest.subject().map(|subject| subject.digest.clone()).or_else(by_tag)
}

/// The digest that a cosign tag belongs to: `sha256-HEX.sig`.
fn cosign_subject(tag: &Tag) -> Option<Digest> {
    let (stem, suffix) = tag.as_str().rsplit_once('.')?;
    let known = crate::graph::COSIGN_SUFFIXES.contains(&suffix);
    let (algorithm, hex) = stem.split_once('-').filter(|_| known)?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[async_trait]
impl Sink for Delivery {
    async fn announce(
        &self,
        manifest: &Manifest,
        root: bool,
        tags: &[Tag],
    ) -> Result<(), StoreError> {
        let subject = subject_of(manifest, tags).filter(|_| self.referrers);
        self.lock().needs.learn(manifest, subject.as_ref());
        if root { self.begin(manifest, tags).await } else { Ok(()) }
    }

    /// Always: what neither the medium nor a destination has shows when the image is completed,
    /// and fails that image alone.
    async fn has(&self, _descriptor: &Descriptor) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn put(&self, content: &dyn Content, _hints: &Hints) -> Result<Put, StoreError> {
        let stores = self.lock().needs.of(&content.descriptor().digest);
        if stores.is_empty() {
            self.hold(content).await?;
            return Ok(Put::Existed);
        }
        Ok(self.deliver(content, &stores).await)
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let stores = self.lock().needs.of(manifest.digest());
        let tag = tag.filter(|tag| cosign_subject(tag).is_some());
        for store in stores {
            self.store_manifest(manifest, store, tag).await;
        }
        Ok(())
    }

    fn domain(&self) -> String {
        self.place()
    }

    fn name(&self) -> Option<&Name> {
        None
    }
}

/// Nothing is read back from a delivery.
#[async_trait]
impl Source for Delivery {
    fn place(&self) -> String {
        "the archive".to_owned()
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        Ok(self.fetch(version).await?.descriptor().bare())
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let Version::Digest(digest) = version else { return Err(self.unknown(version)) };
        let manifest = self.lock().needs.manifest(digest).cloned();
        manifest.ok_or_else(|| self.unknown(version))
    }

    async fn open(&self, descriptor: &Descriptor, _offset: u64) -> Result<Blob, StoreError> {
        Err(self.unknown(&descriptor.digest))
    }

    async fn referrers(&self, _subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        Ok(Vec::new())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(Vec::new())
    }
}

impl Delivery {
    fn unknown(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::new(self.place(), ErrorKind::NotFound(what.to_string()))
    }
}

#[cfg(test)]
mod tests;
