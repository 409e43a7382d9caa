//! Which endpoint of a registry is asked. Manifests and lists: in the order of the configuration.
//! Blobs: where they come fastest by what was measured and is under way. One that fails is left
//! out for a while, as long as there is another.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::repo::Repo;
use super::tries::HASTY_WAIT;
use crate::store::{ErrorKind, StoreError, named};
use crate::types::Digest;

/// The endpoints of one repository, in the order of the configuration.
pub(super) struct Endpoints {
    repos: Arc<[Repo]>,
    /// Which endpoint a blob was last read from, where there are several: a blob that is asked for
    /// again came damaged, perhaps.
    opened: Mutex<HashMap<Digest, usize>>,
}

impl Endpoints {
    pub(super) fn new(repos: Vec<Repo>) -> Self {
        Endpoints { repos: repos.into(), opened: Mutex::default() }
    }

    /// All, those that work first.
    pub(super) fn in_order(&self) -> Arc<[Repo]> {
        if self.repos.len() < 2 {
            return self.repos.clone();
        }
        let mut repos = self.repos.to_vec();
        repos.sort_by_key(is_out);
        repos.into()
    }

    /// All, the one that is likely to deliver a blob first in front. Where the blob was opened
    /// before it is the last choice when `anew` is set.
    pub(super) fn for_blob(&self, digest: &Digest, anew: bool) -> Arc<[Repo]> {
        if self.repos.len() < 2 {
            return self.repos.clone();
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let last = opened.get(digest).copied().filter(|_| anew);
        let known = self.repos.iter().filter_map(|repo| repo.host.facts.speed());
        let best = known.fold(1.0, f64::max);
        let mut order: Vec<usize> = (0..self.repos.len()).collect();
        let cost = |at: &usize| {
            let facts = &self.repos[*at].host.facts;
            let under_way = facts.downloads.load(Ordering::Relaxed);
            // Of one that was never tried the best is hoped for.
            (under_way + 1) as f64 / facts.speed().unwrap_or(best)
        };
        order.sort_by(|a, b| {
            let late = |at: &usize| (is_out(&self.repos[*at]), last == Some(*at));
            late(a).cmp(&late(b)).then(cost(a).total_cmp(&cost(b)))
        });
        if anew {
            opened.insert(digest.clone(), order[0]);
        }
        order.into_iter().map(|at| self.repos[at].clone()).collect()
    }

    /// What errors call the place that blobs come from: with the endpoint, where it can be told.
    pub(super) fn place(&self) -> String {
        match &*self.repos {
            [only] => named(&only.place, only.host.shown.as_ref()),
            [first, ..] => first.place.clone(),
            [] => String::new(),
        }
    }
}

/// Whether an endpoint failed of late, or asks for patience.
fn is_out(repo: &Repo) -> bool {
    repo.host.facts.health.is_sick(Instant::now())
        || repo.host.wire.limits.is_paused_beyond(HASTY_WAIT)
}

/// Asks one of `repos` after another, from the one at `from` on, until one has an answer; which
/// one that was. Where there are several none is insisted on, unless all of them fail in a way that
/// may pass. The error is that of the first, unless that merely has not what another failed to give.
pub(super) async fn first<T, F>(
    repos: &[Repo],
    from: usize,
    ask: impl Fn(Repo) -> F,
) -> Result<(usize, T), StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let several = repos.len() > 1;
    let mut worst: Option<StoreError> = None;
    let mut passing = 0;
    for hasty in [several, false] {
        for at in (from..repos.len()).chain(0..from) {
            let repo = Repo { hasty, ..repos[at].clone() };
            let health = &repos[at].host.facts.health;
            let error = match ask(repo).await {
                Ok(found) => {
                    health.well();
                    return Ok((at, found));
                }
                Err(error) => repos[at].at(error),
            };
            if error.is_retryable() {
                health.sick(Instant::now());
                passing += 1;
            }
            if worst.as_ref().is_none_or(StoreError::is_not_found) {
                worst = Some(error);
            }
        }
        if !several || passing < repos.len() {
            break;
        }
    }
    let none = || ErrorKind::Configuration("the registry has no endpoint".to_owned());
    Err(worst.unwrap_or_else(|| StoreError::new("", none())))
}
