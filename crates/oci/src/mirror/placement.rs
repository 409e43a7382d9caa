//! Where each blob is by now, so that it is fetched once a run and stored once per registry.
//!
//! The first transfer that needs a blob in a domain fetches and stores it; whoever needs it
//! meanwhile waits, and then mounts it or finds it there. When the first one fails, the next tries
//! for itself: another source may have the blob whole.
//!
//! A run knows as many blobs as it moves, so what is kept of each is small: stores and their domains
//! are numbers here.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Semaphore;

use crate::store::Store;
use crate::types::{Digest, Name};

/// Where blobs are.
#[derive(Default)]
pub(super) struct Placement(Mutex<Known>);

#[derive(Default)]
struct Known {
    stores: Vec<Arc<dyn Store>>,
    /// Their numbers, by domain and place.
    numbers: HashMap<(String, String), Place>,
    domains: HashMap<String, u32>,
    blobs: HashMap<Digest, Blob>,
}

/// A store, by its number and that of its domain.
#[derive(Debug, Clone, Copy)]
struct Place {
    store: u32,
    domain: u32,
}

/// Where one blob is.
#[derive(Default)]
struct Blob {
    /// Whoever is fetching it: gone when nobody is.
    busy: Weak<Semaphore>,
    /// The stores that have it.
    stores: BTreeSet<u32>,
    /// The first store of each domain that has a name to mount from.
    mounts: Vec<Place>,
    /// The first store that has it, to read it from instead of from the source.
    copy: Option<u32>,
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
pub(super) struct Turn(Arc<Semaphore>);

impl Placement {
    /// What is to be done for `digest` to be in `store`; waits while another fetches it.
    pub(super) async fn step(&self, digest: &Digest, store: &Arc<dyn Store>) -> Step {
        loop {
            let turn = match self.lock().step(digest, store) {
                Ok(step) => return step,
                Err(turn) => turn,
            };
            // Closed when the turn ends, and there is nothing to acquire before.
            let _ended = turn.acquire().await;
        }
    }

    /// Tells that `store` is known to have the blob from before: others may mount it from there.
    /// For `store` itself that is no certainty, since what it says of itself may be out of date.
    pub(super) fn offer(&self, digest: &Digest, store: &Arc<dyn Store>) {
        if store.name().is_none() {
            return;
        }
        let mut known = self.lock();
        let place = known.place(store);
        known.blobs.entry(digest.clone()).or_default().mountable(place);
    }

    /// Tells that `store` has the blob now.
    pub(super) fn placed(&self, digest: &Digest, store: &Arc<dyn Store>) {
        let mut known = self.lock();
        let place = known.place(store);
        let blob = known.blobs.entry(digest.clone()).or_default();
        blob.stores.insert(place.store);
        blob.copy.get_or_insert(place.store);
        if store.name().is_some() {
            blob.mountable(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What is to be done now; otherwise the turn that is to be waited for.
    fn step(&mut self, digest: &Digest, store: &Arc<dyn Store>) -> Result<Step, Arc<Semaphore>> {
        let place = self.place(store);
        let blob = self.blobs.entry(digest.clone()).or_default();
        if blob.stores.contains(&place.store) {
            return Ok(Step::Nothing);
        }
        let near = blob.mounts.iter().find(|mount| mount.domain == place.domain);
        let name = near.and_then(|near| self.stores[near.store as usize].name());
        if let Some(name) = name.filter(|name| Some(*name) != store.name()) {
            return Ok(Step::Mount(name.clone()));
        }
        if let Some(turn) = blob.busy.upgrade().filter(|turn| !turn.is_closed()) {
            return Err(turn);
        }
        let turn = Arc::new(Semaphore::new(0));
        blob.busy = Arc::downgrade(&turn);
        let copy = blob.copy.map(|copy| self.stores[copy as usize].clone());
        Ok(Step::Fetch(Turn(turn), copy))
    }

    /// The numbers of a store; the first of its place stands for all.
    fn place(&mut self, store: &Arc<dyn Store>) -> Place {
        let key = (store.domain(), store.place());
        if let Some(place) = self.numbers.get(&key) {
            return *place;
        }
        let next = self.domains.len() as u32;
        let domain = *self.domains.entry(key.0.clone()).or_insert(next);
        let place = Place { store: self.stores.len() as u32, domain };
        self.stores.push(store.clone());
        self.numbers.insert(key, place);
        place
    }
}

impl Blob {
    /// Notes that it may be mounted from a store, unless another of its domain was first.
    fn mountable(&mut self, place: Place) {
        if self.mounts.iter().all(|mount| mount.domain != place.domain) {
            self.mounts.push(place);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::silent;
    use crate::registry::{Client, Settings};
    use crate::store::MemoryStore;

    fn memory() -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    /// Repositories of one registry; nothing is asked of it.
    fn repositories(names: &[&str]) -> Vec<Arc<dyn Store>> {
        let client = Client::new(Settings::default(), silent()).unwrap();
        let open = |name: &&str| -> Arc<dyn Store> {
            client.repository(Name::new("registry.example", name).unwrap())
        };
        names.iter().map(open).collect()
    }

    #[tokio::test]
    async fn others_wait_for_whoever_fetches_and_then_mount() {
        let (placement, digest) = (Placement::default(), Digest::of(b"x"));
        let stores = repositories(&["a", "b"]);
        let Step::Fetch(turn, None) = placement.step(&digest, &stores[0]).await else { panic!() };
        let mut other = Box::pin(placement.step(&digest, &stores[1]));
        assert!(futures_util::poll!(&mut other).is_pending());
        placement.placed(&digest, &stores[0]);
        drop(turn);
        assert!(matches!(other.await, Step::Mount(name) if Some(&name) == stores[0].name()));
        assert!(matches!(placement.step(&digest, &stores[0]).await, Step::Nothing));
    }

    #[tokio::test]
    async fn the_turn_of_whoever_fails_passes_on_and_a_copy_spares_the_source() {
        let (placement, digest) = (Placement::default(), Digest::of(b"x"));
        let (one, other) = (memory(), memory());
        let Step::Fetch(turn, None) = placement.step(&digest, &one).await else { panic!() };
        let mut waiting = Box::pin(placement.step(&digest, &other));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(turn);
        let Step::Fetch(turn, None) = waiting.await else { panic!("the turn did not pass on") };
        placement.placed(&digest, &other);
        drop(turn);
        let far = repositories(&["far"]).remove(0);
        let Step::Fetch(_turn, Some(copy)) = placement.step(&digest, &far).await else { panic!() };
        assert_eq!(copy.place(), other.place());
    }

    #[tokio::test]
    async fn what_a_repository_is_said_to_have_it_is_none_the_less_asked_for() {
        let (placement, digest) = (Placement::default(), Digest::of(b"x"));
        let stores = repositories(&["a", "b"]);
        placement.offer(&digest, &stores[0]);
        assert!(matches!(placement.step(&digest, &stores[0]).await, Step::Fetch(..)));
        assert!(matches!(placement.step(&digest, &stores[1]).await, Step::Mount(_)));
    }
}
