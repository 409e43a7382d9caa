//! Where each blob is by now, so that it is fetched once a run and stored once per registry.
//!
//! The first transfer that needs a blob in a domain fetches and stores it; whoever needs it
//! meanwhile waits, and then mounts it or finds it there. When the first one fails, the next tries
//! for itself: another source may have the blob whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::Store;
use crate::types::{Digest, Name};

/// Where blobs are.
#[derive(Default)]
pub(super) struct Placement {
    blobs: Mutex<HashMap<Digest, Arc<Blob>>>,
}

/// Where one blob is.
#[derive(Default)]
struct Blob {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Somebody is fetching it.
    busy: bool,
    /// The stores that have it, by domain and place.
    places: BTreeSet<(String, String)>,
    /// A name to mount from, by domain.
    names: HashMap<String, Name>,
    /// A store to read it from instead of from the source.
    copy: Option<Arc<dyn Store>>,
}

/// What to do for a blob to be in a store.
pub(super) enum Step {
    /// Nothing: it is there.
    Nothing,
    /// Mount it from the repository, which has it.
    Mount(Name),
    /// Fetch and store it; from the store given, if there is one, which spares the source. Whoever
    /// holds the turn is the only one to fetch this blob until it is dropped.
    Fetch(Turn, Option<Arc<dyn Store>>),
}

/// The right to fetch a blob. Dropped without [`Placement::placed`] it passes on to the next.
pub(super) struct Turn(Arc<Blob>);

impl Placement {
    /// What is to be done for `digest` to be in `store`; waits while another fetches it.
    pub(super) async fn step(&self, digest: &Digest, store: &Arc<dyn Store>) -> Step {
        let blob = lock(&self.blobs).entry(digest.clone()).or_default().clone();
        let (domain, place) = (store.domain(), store.place());
        loop {
            let changed = blob.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = lock(&blob.state);
                if state.places.contains(&(domain.clone(), place.clone())) {
                    return Step::Nothing;
                }
                let name = state.names.get(&domain).filter(|name| Some(*name) != store.name());
                if let Some(name) = name {
                    return Step::Mount(name.clone());
                }
                if !state.busy {
                    state.busy = true;
                    let copy = state.copy.clone();
                    drop(state);
                    return Step::Fetch(Turn(blob.clone()), copy);
                }
            }
            changed.await;
        }
    }

    /// Tells that `store` is known to have the blob from before: others may mount it from there.
    /// For `store` itself that is no certainty, since what it says of itself may be out of date.
    pub(super) fn offer(&self, digest: &Digest, store: &Arc<dyn Store>) {
        let Some(name) = store.name() else { return };
        let blob = lock(&self.blobs).entry(digest.clone()).or_default().clone();
        lock(&blob.state).names.entry(store.domain()).or_insert_with(|| name.clone());
    }

    /// Tells that `store` has the blob now.
    pub(super) fn placed(&self, digest: &Digest, store: &Arc<dyn Store>) {
        let blob = lock(&self.blobs).entry(digest.clone()).or_default().clone();
        let mut state = lock(&blob.state);
        let domain = store.domain();
        state.places.insert((domain.clone(), store.place()));
        if let Some(name) = store.name() {
            state.names.entry(domain).or_insert_with(|| name.clone());
        }
        state.copy.get_or_insert_with(|| store.clone());
        drop(state);
        blob.changed.notify_waiters();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.0.state).busy = false;
        self.0.changed.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
