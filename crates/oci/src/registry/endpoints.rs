//! Which endpoint of a registry is asked. Manifests and lists: in the order of the configuration.
//! Blobs: where they come fastest by what was measured and is under way. One that fails is left
//! out for a while, as long as there is another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::delivery;
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

    /// All, the one that is likely to deliver `bytes` of a blob first in front. Where the blob was
    /// opened before it is the last choice when `anew` is set.
    pub(super) fn for_blob(&self, digest: &Digest, bytes: u64, anew: bool) -> Arc<[Repo]> {
        if self.repos.len() < 2 {
            return self.repos.clone();
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let last = opened.get(digest).copied().filter(|_| anew);
        let deliveries = self.repos.iter().map(|repo| &*repo.host.facts.delivery);
        let costs = delivery::costs(&deliveries.collect::<Vec<_>>(), bytes, Instant::now());
        let late = |at: usize| (is_out(&self.repos[at]), last == Some(at));
        let mut order: Vec<_> = (0..self.repos.len()).map(|at| (late(at), at)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(costs[a.1].total_cmp(&costs[b.1])));
        if anew {
            opened.insert(digest.clone(), order[0].1);
        }
        order.into_iter().map(|(_, at)| self.repos[at].clone()).collect()
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
    let sick = repo.host.facts.health.is_sick(Instant::now());
    sick || repo.host.wire.limits.is_paused_beyond(HASTY_WAIT)
}

/// An endpoint failed. One that asked for patience did not: it is left out for as long as it asked.
pub(super) fn failed(repo: &Repo) {
    if repo.host.wire.limits.paused_until().is_none() {
        repo.host.facts.health.sick(Instant::now());
    }
}

/// Asks one of `repos` after another, from the one at `from` on, until one has an answer; which
/// one that was. See [`begin`]; the answer shows that the endpoint works.
pub(super) async fn first<T, F>(
    repos: &[Repo],
    from: usize,
    ask: impl Fn(Repo) -> F,
) -> Result<(usize, T), StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let (at, asked, found) = begin(repos, from, ask).await?;
    repos[at].host.facts.health.well(asked);
    Ok((at, found))
}

/// Asks one of `repos` after another, from the one at `from` on and those that are out last, until
/// one has an answer; which one that was and when it was asked. Where there are several none is
/// insisted on, unless all of them fail in a way that may pass, or those that do not ask for
/// patience have no answer. The error is that of the first, unless that merely has not what another
/// failed to give.
pub(super) async fn begin<T, F>(
    repos: &[Repo],
    from: usize,
    ask: impl Fn(Repo) -> F,
) -> Result<(usize, Instant, T), StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let several = repos.len() > 1;
    let mut errors: Vec<(usize, StoreError)> = Vec::new();
    let mut left: Vec<usize> = (from..repos.len()).chain(0..from).collect();
    for hasty in [several, false] {
        while let Some(at) = next(repos, &mut left) {
            let asked = Instant::now();
            match ask(Repo { hasty, ..repos[at].clone() }).await {
                Ok(found) => {
                    blame(repos, &errors);
                    return Ok((at, asked, found));
                }
                Err(error) => {
                    if several && error.is_retryable() {
                        failed(&repos[at]);
                    }
                    errors.push((at, repos[at].at(error)));
                }
            }
        }
        if !hasty {
            break;
        }
        left = insisted_on(repos, &errors);
        errors.retain(|(at, _)| !left.contains(at));
    }
    errors.sort_by_key(|(at, _)| (at + repos.len() - from) % repos.len());
    let worst = errors.iter().position(|(_, error)| !error.is_not_found()).unwrap_or(0);
    let none = || ErrorKind::Configuration("the registry has no endpoint".to_owned());
    let worst = (worst < errors.len()).then(|| errors.swap_remove(worst).1);
    Err(worst.unwrap_or_else(|| StoreError::new("", none())))
}

/// Takes out of `left` the endpoint that is asked next.
fn next(repos: &[Repo], left: &mut Vec<usize>) -> Option<usize> {
    let at = left.iter().position(|at| !is_out(&repos[*at])).unwrap_or(0);
    (at < left.len()).then(|| left.remove(at))
}

/// Endpoints that have to be waited for, as no other has an answer, the one whose pause ends first in
/// front.
fn insisted_on(repos: &[Repo], errors: &[(usize, StoreError)]) -> Vec<usize> {
    let paused = |at: usize| repos[at].host.wire.limits.paused_until();
    let all = errors.iter().all(|(_, error)| error.is_retryable());
    let worth =
        |(at, error): &&(usize, StoreError)| error.is_retryable() && (all || paused(*at).is_some());
    let mut worth: Vec<usize> = errors.iter().filter(worth).map(|(at, _)| *at).collect();
    worth.sort_by_key(|at| paused(*at));
    worth
}

/// Another endpoint answered what these refused or answered wrongly: that is of them, and not of
/// what was asked. That they have not what was asked for is no fault.
fn blame(repos: &[Repo], errors: &[(usize, StoreError)]) {
    for (at, error) in errors {
        let own = matches!(
            error.kind(),
            ErrorKind::Denied(_)
                | ErrorKind::Protocol(_)
                | ErrorKind::Tls(_)
                | ErrorKind::Manifest(_)
                | ErrorKind::Digest { .. }
                | ErrorKind::Size { .. }
        );
        if own {
            failed(&repos[*at]);
        }
    }
}
