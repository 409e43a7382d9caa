//! Warming: what a later registry answered is copied to the first, in the background, by the same
//! executor that carries out every plan.
//!
//! Bounded: images wait in a queue with an end, each once; one that failed is not tried again for a
//! while. All of it is one future, which [`super::Proxy::run`] runs and ends.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::mirror::{Executor, ExecutorOptions, Root, Target, Transfer};
use airlift_oci::observe::silent;
use airlift_oci::store::{Presence, Source, Store, chain};
use airlift_oci::types::Version;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;

use super::backend::Backend;
use super::config::Warming;
use super::metrics::{Metrics, Warmed};

/// For how long an image that was copied, or could not be, is not copied again.
const REST: Duration = Duration::from_secs(300);
/// Images that are remembered for that.
const REMEMBERED: usize = 4096;
/// Images after which what an executor learned is forgotten, to keep it from growing.
const GENERATION: usize = 64;

/// An image to be copied.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) repository: String,
    pub(super) version: Version,
    pub(super) from: Arc<Backend>,
    pub(super) to: Arc<Backend>,
}

/// Images that wait.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: std::collections::VecDeque<Job>,
    /// Images at work, or done a short time ago: until when they are not taken again.
    seen: HashMap<String, Option<Instant>>,
    at_once: usize,
}

impl Queue {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let shared = Shared { metrics, state: Mutex::default(), more: Notify::new() };
        Queue { shared: Arc::new(shared) }
    }

    /// Lets an image wait, unless it does already or there is no room.
    pub(super) fn offer(&self, job: Job, settings: Warming) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        state.at_once = settings.images;
        let key = key(&job);
        if state.seen.len() >= REMEMBERED {
            state.seen.retain(|_, until| until.is_none_or(|until| until > now));
        }
        match state.seen.get(&key) {
            Some(None) => return,
            Some(Some(until)) if *until > now => return,
            _ => {}
        }
        if state.waiting.len() >= settings.queue || state.seen.len() >= REMEMBERED {
            drop(state);
            self.shared.metrics.warmed(Warmed::Dropped);
            return;
        }
        state.seen.insert(key, None);
        state.waiting.push_back(job);
        self.shared.metrics.waiting.store(state.waiting.len() as u64, Ordering::Relaxed);
        drop(state);
        self.shared.more.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next image, while fewer are at work than may be.
    fn take(&self, at_work: usize) -> Option<Job> {
        let mut state = self.lock();
        if at_work >= state.at_once {
            return None;
        }
        let job = state.waiting.pop_front()?;
        self.metrics.waiting.store(state.waiting.len() as u64, Ordering::Relaxed);
        Some(job)
    }

    fn done(&self, key: String, warmed: Warmed) {
        self.lock().seen.insert(key, Some(Instant::now() + REST));
        self.metrics.warmed(warmed);
    }
}

/// What does the copying.
#[derive(Debug)]
pub(super) struct Warmer {
    shared: Arc<Shared>,
}

impl Warmer {
    pub(super) fn new(queue: &Queue) -> Self {
        Warmer { shared: queue.shared.clone() }
    }

    /// Copies what waits, for ever.
    pub(super) async fn run(self) {
        let mut at_work = FuturesUnordered::new();
        let mut executor = executor();
        let mut begun = 0;
        loop {
            while let Some(job) = self.shared.take(at_work.len()) {
                if begun >= GENERATION {
                    (executor, begun) = (self::executor(), 0);
                }
                begun += 1;
                at_work.push(copy(self.shared.clone(), executor.clone(), job));
            }
            tokio::select! {
                Some(()) = at_work.next() => {}
                () = self.shared.more.notified() => {}
            }
        }
    }
}

fn executor() -> Arc<Executor> {
    Arc::new(Executor::new(
        ExecutorOptions { images: 4, all_images: 8, blobs: 8, ..ExecutorOptions::default() },
        silent(),
    ))
}

fn key(job: &Job) -> String {
    let separator = if matches!(job.version, Version::Tag(_)) { ':' } else { '@' };
    format!("{}/{}{separator}{}", job.to.name, job.repository, job.version)
}

/// Boxed, for the compiler to see that it may go from thread to thread.
fn copy(shared: Arc<Shared>, executor: Arc<Executor>, job: Job) -> BoxFuture<'static, ()> {
    async move { copied(&shared, &executor, &job).await }.boxed()
}

async fn copied(shared: &Shared, executor: &Executor, job: &Job) {
    let key = key(job);
    let warmed = match transfer(executor, job).await {
        Ok(()) => {
            tracing::info!(image = key, from = job.from.name, "copied to the first registry");
            Warmed::Done
        }
        Err(reason) => {
            tracing::warn!(image = key, from = job.from.name, reason, "could not be copied");
            Warmed::Failed
        }
    };
    shared.done(key, warmed);
}

async fn transfer(executor: &Executor, job: &Job) -> Result<(), String> {
    let missing = || "the registry's client could not be made".to_owned();
    let from = job.from.store(&job.repository).ok_or_else(missing)?;
    let to = job.to.store(&job.repository).ok_or_else(missing)?;
    let found = from.resolve(&job.version).await.map_err(|error| chain(&error))?;
    let tag = match &job.version {
        Version::Tag(tag) => Some(tag.clone()),
        Version::Digest(_) => None,
    };
    let target = Target {
        label: format!("{}/{}", job.to.name, job.repository),
        store: to as Arc<dyn Store>,
        tag,
        presence: Presence::Unknown,
        look: true,
    };
    let transfer = Transfer {
        item: key(job),
        from: from as Arc<dyn Source>,
        mount_from: None,
        root: Root::Known(Box::new(found)),
        to: vec![target],
        referrers: false,
    };
    executor.transfer(&transfer).await.map(|_| ()).map_err(|error| chain(&error))
}
