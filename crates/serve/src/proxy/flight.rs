//! One question to a registry for all who ask the same at the same time.
//!
//! Who asks gets an answer to a question that was sent after it came, never an older one: while
//! [`AT_ONCE`] questions of one kind are under way, those who come wait together for one of them to
//! end, and then ask once for all. So what was pushed before a request is seen by it, however many
//! ask. Nothing is kept once nobody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

/// Questions of one kind that are under way at once. More than one, so that who has to wait for a
/// slow registry's answer to others does not wait for the whole of it.
const AT_ONCE: usize = 4;

/// The questions that are being asked, by what they ask.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<Arc<[u8]>, Lane<T>>>);

/// What is asked by one key.
#[derive(Debug)]
struct Lane<T> {
    gate: Arc<Semaphore>,
    /// Those who wait for their question to be sent.
    open: Arc<OnceCell<T>>,
    /// Everybody who waits, for whatever.
    seats: usize,
}

/// Somebody who waits.
struct Seat<'a, T> {
    flights: &'a Flights<T>,
    key: &'a [u8],
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Flights(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// The answer to `ask`, which is sent for one of those who come with the same key; when that one
    /// goes away, for another.
    pub(super) async fn share<F: Future<Output = T>>(
        &self,
        key: &Arc<[u8]>,
        ask: impl FnOnce() -> F,
    ) -> T {
        let (seat, gate, group) = self.join(key);
        let asked = group.get_or_init(|| async {
            // Nobody closes a gate.
            let _pass = gate.acquire().await;
            seat.depart(&group);
            ask().await
        });
        asked.await.clone()
    }

    fn join<'a>(&'a self, key: &'a Arc<[u8]>) -> (Seat<'a, T>, Arc<Semaphore>, Arc<OnceCell<T>>) {
        let mut lanes = self.lock();
        let lane = lanes.entry(key.clone()).or_insert_with(|| {
            let gate = Arc::new(Semaphore::new(AT_ONCE));
            Lane { gate, open: Arc::default(), seats: 0 }
        });
        lane.seats += 1;
        let (gate, open) = (lane.gate.clone(), lane.open.clone());
        drop(lanes);
        (Seat { flights: self, key }, gate, open)
    }
}

impl<T> Flights<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<[u8]>, Lane<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Seat<'_, T> {
    /// The question of `group` is being sent: whoever comes from now on needs another.
    fn depart(&self, group: &Arc<OnceCell<T>>) {
        if let Some(lane) = self.flights.lock().get_mut(self.key)
            && Arc::ptr_eq(&lane.open, group)
        {
            lane.open = Arc::default();
        }
    }
}

impl<T> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut lanes = self.flights.lock();
        if let Some(lane) = lanes.get_mut(self.key) {
            lane.seats -= 1;
            if lane.seats == 0 {
                lanes.remove(self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt, future::join_all, poll};
    use tokio::sync::Notify;

    use super::*;

    /// Questions that are answered with their number once they may be.
    #[derive(Default)]
    struct Registry {
        flights: Flights<usize>,
        asked: AtomicUsize,
        answers: Notify,
    }

    impl Registry {
        async fn ask(&self) -> usize {
            let ask = || async {
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                self.answers.notified().await;
                number
            };
            self.flights.share(&Arc::from(*b"a"), ask).await
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn who_comes_while_questions_are_under_way_shares_the_next_one() {
        let registry = Registry::default();
        let mut first = Vec::new();
        for _ in 0..AT_ONCE {
            let mut ask = Box::pin(registry.ask());
            assert!(poll!(&mut ask).is_pending());
            first.push(ask);
        }
        assert_eq!(registry.asked(), AT_ONCE, "nobody waits for others as long as there is room");
        let mut others = join_all((0..100).map(|_| registry.ask())).boxed_local();
        assert!(poll!(&mut others).is_pending());
        assert_eq!(registry.asked(), AT_ONCE, "an answer under way is too old for them");
        registry.answers.notify_one();
        let mut later = Box::pin(join_all(first));
        assert!(poll!(&mut later).is_pending());
        assert!(poll!(&mut others).is_pending());
        assert_eq!(registry.asked(), AT_ONCE + 1, "one question for all of them");
        registry.answers.notify_waiters();
        assert_eq!(others.await, vec![AT_ONCE; 100]);
        later.await;
        assert!(registry.flights.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn who_goes_away_takes_nobody_along() {
        let registry = Registry::default();
        let mut gone = Box::pin(registry.ask());
        assert!(poll!(&mut gone).is_pending());
        for _ in 1..AT_ONCE {
            let mut ask = Box::pin(registry.ask());
            assert!(poll!(&mut ask).is_pending());
            // Given up while it was asking: its place is free again.
        }
        let mut waits = pin!(registry.ask());
        assert!(poll!(&mut waits).is_pending());
        drop(gone);
        registry.answers.notify_waiters();
        assert_eq!(registry.asked(), AT_ONCE + 1);
        assert!(waits.await >= AT_ONCE);
        assert!(registry.flights.lock().is_empty());
    }
}
