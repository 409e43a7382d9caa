//! Bringing one content to the destinations that need it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Delivery, HELD, HELD_IN_ALL, Job};
use crate::mirror::delivery::needs::StoreId;
use crate::observe::How;
use crate::store::{
    Blob, Content, ErrorKind, Hints, InMemory, Presence, Put, Remote, Source, Store, StoreError,
    chain,
};
use crate::types::{Descriptor, Digest, Manifest, Name, Tag};

/// Failures one after the other, after which a store is given up.
const STRIKES: u32 = 3;

impl Delivery {
    /// Brings a blob to `stores`. What it came to in all; failures are noted.
    pub(super) async fn deliver(&self, content: &dyn Content, stores: &BTreeSet<StoreId>) -> Put {
        let mut all = Put::Existed;
        for store in stores {
            match (self.bring(content, *store).await, all) {
                (Some(Put::Written), _) => all = Put::Written,
                (Some(Put::Mounted), Put::Existed) => all = Put::Mounted,
                _ => {}
            }
        }
        all
    }

    /// Brings a blob to one store; `None` when that failed.
    async fn bring(&self, content: &dyn Content, id: StoreId) -> Option<Put> {
        let descriptor = content.descriptor();
        if let Some(error) = self.given_up(id) {
            self.note(descriptor, id, Err(error));
            return None;
        }
        let Surroundings { store, mount_from, copy } = self.surroundings(&descriptor.digest, id);
        let copy = copy.map(|copy| Remote::new(copy, descriptor.clone()));
        let relay = Relay { content, copy };
        let hints = Hints { mount_from, presence: Presence::Unknown };
        match store.put(&relay, &hints).await {
            Ok(put) => {
                self.lock().strikes.remove(&id);
                self.note(descriptor, id, Ok(put.into()));
                Some(put)
            }
            Err(error) => {
                let mut state = self.lock();
                let strikes = state.strikes.entry(id).or_default();
                strikes.0 = if error.is_denied() { STRIKES } else { strikes.0 + 1 };
                strikes.1 = chain(&error);
                drop(state);
                self.note(descriptor, id, Err(chain(&error)));
                None
            }
        }
    }

    /// Why nothing more is sent to a store that took nothing for a while: it would keep the medium
    /// waiting for every blob anew.
    fn given_up(&self, id: StoreId) -> Option<String> {
        let state = self.lock();
        state.strikes.get(&id).filter(|(count, _)| *count >= STRIKES).map(|(_, why)| why.clone())
    }

    /// What is known around one store and one content.
    fn surroundings(&self, digest: &Digest, id: StoreId) -> Surroundings {
        let state = self.lock();
        let store = state.stores[id].clone();
        let has = |other: &StoreId| state.placed.contains_key(&(digest.clone(), *other));
        let having: Vec<StoreId> = (0..state.stores.len()).filter(has).collect();
        let near = having.iter().map(|other| &state.stores[*other]);
        let mut near = near.filter(|other| other.domain() == store.domain());
        let mount_from = near.find_map(|other| other.name().cloned());
        let copy = having.first().map(|other| state.stores[*other].clone() as Arc<dyn Source>);
        Surroundings { store, mount_from, copy }
    }

    fn note(&self, what: &Descriptor, id: StoreId, result: Result<How, String>) {
        let key = (what.digest.clone(), id);
        let mut state = self.lock();
        match result {
            Ok(how) => {
                state.failed.remove(&key);
                state.placed.entry(key).or_insert((how, what.size));
            }
            Err(error) => {
                state.failed.entry(key).or_insert(error);
            }
        }
    }

    /// Keeps small content of which it is not known yet where it belongs.
    pub(super) async fn hold(&self, content: &dyn Content) -> Result<(), StoreError> {
        let Descriptor { digest, size, .. } = content.descriptor().clone();
        {
            let mut state = self.lock();
            if size > HELD || state.held_bytes.saturating_add(size) > HELD_IN_ALL {
                state.gone.insert(digest);
                return Ok(());
            }
            state.held_bytes += size;
        }
        let bytes = content.open(0).await?.read_all().await?;
        self.lock().held.insert(digest, bytes);
        Ok(())
    }

    /// Puts a manifest into a store that needs it, once everything that it names is there.
    pub(super) async fn store_manifest(&self, manifest: &Manifest, id: StoreId, tag: Option<&Tag>) {
        let what = manifest.descriptor();
        let mut tags: Vec<Tag> = tag.cloned().into_iter().collect();
        if self.is_placed(&what.digest, id) {
            if tags.is_empty() {
                return;
            }
        } else {
            let state = self.lock();
            let jobs = state.jobs.iter().filter(|job| job.root == what.digest);
            let stops = jobs.flat_map(|job| &job.to).filter(|to| to.store == id && !to.in_place);
            tags.extend(stops.filter_map(|to| to.tag.clone()));
        }
        let stored = self.store_whole(manifest, id, tags).await;
        self.note(what, id, stored.map(|()| How::Moved).map_err(|error| chain(&error)));
    }

    fn is_placed(&self, digest: &Digest, id: StoreId) -> bool {
        self.lock().placed.contains_key(&(digest.clone(), id))
    }

    fn failure(&self, digest: &Digest, id: StoreId) -> Option<String> {
        self.lock().failed.get(&(digest.clone(), id)).cloned()
    }

    async fn store_whole(
        &self,
        manifest: &Manifest,
        id: StoreId,
        tags: Vec<Tag>,
    ) -> Result<(), StoreError> {
        for blob in manifest.blobs() {
            self.ensure(blob, id).await?;
        }
        for child in manifest.manifests() {
            self.ensure_manifest(child, id).await?;
        }
        let store = self.lock().stores[id].clone();
        if tags.is_empty() {
            return store.put_manifest(manifest, None).await;
        }
        for tag in tags {
            store.put_manifest(manifest, Some(&tag)).await?;
        }
        Ok(())
    }

    /// Makes sure that a store has a blob, which may have passed before it was known to be needed
    /// there, or have been left out of the archive because the destination has it.
    async fn ensure(&self, blob: &Descriptor, id: StoreId) -> Result<(), StoreError> {
        let digest = &blob.digest;
        if self.is_placed(digest, id) {
            return Ok(());
        }
        if let Some(failure) = self.failure(digest, id) {
            return Err(lacks(digest, &failure));
        }
        let (held, elsewhere) = {
            let state = self.lock();
            (state.held.get(digest).cloned(), state.placed.keys().any(|(known, _)| known == digest))
        };
        let (held, spent) =
            (held.map(|bytes| InMemory::with_descriptor(blob.clone(), bytes)), Spent(blob));
        let content: Option<&dyn Content> = match &held {
            Some(held) => Some(held),
            None if elsewhere => Some(&spent),
            None => None,
        };
        if let Some(content) = content {
            let put = self.bring(content, id).await;
            let why = || self.failure(digest, id).unwrap_or_default();
            return put.map(|_| ()).ok_or_else(|| lacks(digest, &why()));
        }
        let store = self.lock().stores[id].clone();
        if store.has(blob).await? {
            self.note(blob, id, Ok(How::Skipped));
            return Ok(());
        }
        if blob.is_foreign() {
            return Ok(());
        }
        Err(lacks(digest, self.why_absent(digest)))
    }

    async fn ensure_manifest(&self, child: &Descriptor, id: StoreId) -> Result<(), StoreError> {
        let digest = &child.digest;
        if self.is_placed(digest, id) {
            return Ok(());
        }
        if let Some(failure) = self.failure(digest, id) {
            return Err(lacks(digest, &failure));
        }
        let store = self.lock().stores[id].clone();
        if store.has(child).await? {
            return Ok(());
        }
        Err(lacks(digest, self.why_absent(digest)))
    }

    fn why_absent(&self, digest: &Digest) -> &'static str {
        if self.lock().gone.contains(digest) {
            "it passed before anything said where it belongs; give the archive as a file, or use \
             deserialize and then scatter"
        } else {
            "it is neither in the archive nor at the destination; bring the earlier archives first"
        }
    }

    /// Whether an image is at all its destinations, after putting a root that was made here. Says
    /// why not.
    pub(super) async fn complete(&self, job: &Job) -> Result<(), String> {
        if let Some(made) = &job.made {
            for to in job.to.iter().filter(|to| !to.in_place) {
                self.store_manifest(made, to.store, None).await;
            }
        }
        for to in job.to.iter().filter(|to| !to.in_place) {
            if !self.is_placed(&job.root, to.store) {
                let why = self.failure(&job.root, to.store);
                let why = why.as_deref().unwrap_or("it is not in the archive");
                return Err(format!("{}: {why}", to.label));
            }
        }
        Ok(())
    }
}

fn lacks(digest: &Digest, why: &str) -> StoreError {
    let text = if why.contains("did not arrive") {
        why.to_owned()
    } else {
        format!("{digest} did not arrive: {why}")
    };
    StoreError::new("", ErrorKind::Configuration(text))
}

/// One store, a repository of its registry that has the content, and any store that has it.
struct Surroundings {
    store: Arc<dyn Store>,
    mount_from: Option<Name>,
    copy: Option<Arc<dyn Source>>,
}

/// Content as it comes, or from a copy when it has passed.
struct Relay<'a> {
    content: &'a dyn Content,
    copy: Option<Remote>,
}

#[async_trait]
impl Content for Relay<'_> {
    fn descriptor(&self) -> &Descriptor {
        self.content.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        match (self.content.open(offset).await, &self.copy) {
            (Err(error), Some(copy)) if matches!(error.kind(), ErrorKind::Spent(_)) => {
                copy.open(offset).await
            }
            (opened, _) => opened,
        }
    }
}

/// Content that has passed, and is to be read from a copy alone.
struct Spent<'a>(&'a Descriptor);

#[async_trait]
impl Content for Spent<'_> {
    fn descriptor(&self) -> &Descriptor {
        self.0
    }

    async fn open(&self, _offset: u64) -> Result<Blob, StoreError> {
        Err(StoreError::new("the archive", ErrorKind::Spent(self.0.digest.clone())))
    }
}
