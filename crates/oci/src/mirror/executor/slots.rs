//! Room for blobs in motion: that of one pair of hosts is none of another's, so that blobs of a host
//! that keeps everybody waiting do not hold up those of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Slots for blobs.
#[derive(Debug)]
pub(super) struct Slots {
    each: usize,
    by_hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Slots {
    /// So many between each pair of hosts, at least one.
    pub(super) fn new(each: usize) -> Self {
        Slots { each: each.max(1), by_hosts: Mutex::default() }
    }

    /// Waits for a slot, which is free again when it is dropped.
    pub(super) async fn take(&self, from: &str, to: &str) -> Option<OwnedSemaphorePermit> {
        let slots = {
            let mut all = self.by_hosts.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(self.each));
            all.entry(format!("{from} {to}")).or_insert_with(new).clone()
        };
        // Nobody closes it.
        slots.acquire_owned().await.ok()
    }
}
