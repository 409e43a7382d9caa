//! Manifests on their way to one host: some registries refuse what comes together with another.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The PUTs of manifests of one host.
#[derive(Debug, Default)]
pub(super) struct Puts {
    turn: RwLock<()>,
    begun: AtomicU64,
    under_way: AtomicU64,
}

/// One PUT among others.
pub(super) struct Among<'a> {
    puts: &'a Puts,
    /// How many had begun with this one.
    number: u64,
    accompanied: bool,
    _turn: RwLockReadGuard<'a, ()>,
}

impl Puts {
    /// Begins a PUT that others may accompany.
    pub(super) async fn among_others(&self) -> Among<'_> {
        let turn = self.turn.read().await;
        let accompanied = self.under_way.fetch_add(1, Ordering::AcqRel) > 0;
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        Among { puts: self, number, accompanied, _turn: turn }
    }

    /// Waits until no other is under way; none begins until what is returned is dropped.
    pub(super) async fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.turn.write().await
    }
}

impl Among<'_> {
    /// Whether another was under way at any time since this one began.
    pub(super) fn had_company(&self) -> bool {
        self.accompanied || self.puts.begun.load(Ordering::Acquire) > self.number
    }
}

impl Drop for Among<'_> {
    fn drop(&mut self) {
        self.puts.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn company_is_noticed_from_both_sides_and_alone_is_alone() {
        let puts = Puts::default();
        let single = puts.among_others().await;
        assert!(!single.had_company());
        let second = puts.among_others().await;
        assert!(single.had_company() && second.had_company());
        assert!(puts.alone().now_or_never().is_none());
        drop((single, second));
        let alone = puts.alone().await;
        assert!(puts.among_others().now_or_never().is_none());
        drop(alone);
        assert!(!puts.among_others().await.had_company());
    }
}
