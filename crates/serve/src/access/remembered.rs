//! Credentials that were right before, by a hash that nobody outside this process can compute.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use airlift_oci::types::Digest;

use super::credentials::Credentials;

/// Users that are remembered at once; the one who came first is forgotten first.
const MOST: usize = 4096;

/// What is remembered. The passwords themselves are not.
pub(super) struct Remembered {
    key: [u8; 32],
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    hashes: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Remembered { key: rand::random(), known: Mutex::default() }
    }

    /// What stands for the credentials here.
    pub(super) fn hash(&self, credentials: &Credentials) -> Digest {
        let length = credentials.name.len() as u64;
        let parts = [
            &self.key[..],
            &length.to_le_bytes(),
            credentials.name.as_bytes(),
            &credentials.password,
        ];
        Digest::of(&parts.concat())
    }

    pub(super) fn has(&self, hash: &Digest) -> bool {
        self.lock().hashes.contains(hash)
    }

    pub(super) fn add(&self, hash: Digest) {
        let mut known = self.lock();
        if !known.hashes.insert(hash.clone()) {
            return;
        }
        known.order.push_back(hash);
        if known.order.len() > MOST
            && let Some(first) = known.order.pop_front()
        {
            known.hashes.remove(&first);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_keyed() {
        let credentials =
            |name: &str| Credentials { name: name.to_owned(), password: b"x".to_vec() };
        let (one, other) = (Remembered::new(), Remembered::new());
        assert_ne!(one.hash(&credentials("a")), other.hash(&credentials("a")));
        let hash = |n: usize| one.hash(&credentials(&n.to_string()));
        for n in 0..=MOST {
            one.add(hash(n));
            one.add(hash(n));
        }
        assert!(!one.has(&hash(0)) && one.has(&hash(1)) && one.has(&hash(MOST)));
        assert_eq!(one.lock().hashes.len(), MOST);
    }
}
