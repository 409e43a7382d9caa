//! The registry client against registries that misbehave: each promise it makes, by a fault plan.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "registry/absent.rs"]
mod absent;
#[path = "registry/auth.rs"]
mod auth;
#[path = "registry/circles.rs"]
mod circles;
#[path = "registry/hostile.rs"]
mod hostile;
#[path = "registry/limits.rs"]
mod limits;
#[path = "registry/lists.rs"]
mod lists;
#[path = "registry/manifests.rs"]
mod manifests;
#[path = "registry/mirrors.rs"]
mod mirrors;
#[path = "registry/patience.rs"]
mod patience;
#[path = "registry/quirks.rs"]
mod quirks;
#[path = "registry/ranges.rs"]
mod ranges;
#[path = "registry/reading.rs"]
mod reading;
#[path = "registry/refusals.rs"]
mod refusals;
#[path = "registry/sent_on.rs"]
mod sent_on;
#[path = "registry/single.rs"]
mod single;
#[path = "registry/spare.rs"]
mod spare;
#[path = "registry/standstill.rs"]
mod standstill;
#[path = "registry/writing.rs"]
mod writing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use airlift_oci::observe::{Event, Observer};
use airlift_oci::registry::{Client, HostSettings, RegistryStore, Retries, Settings};
use airlift_oci::store::{
    Blob, Content, ErrorKind, Hints, InMemory, Presence, Put, Remote, Sink, Source, StoreError,
    chain,
};
use airlift_oci::types::{Descriptor, Digest, Manifest, Name, Tag, Version, media};
use airlift_tests::image;
use airlift_tests::{
    Auth, Bearer, DigestHeader, Fault, FaultPlan, Kind, TestRegistry, UploadLocation, When,
};
use async_trait::async_trait;
use bytes::Bytes;

/// Settings under which a test takes no longer than it must.
fn quick() -> Settings {
    let retries = Retries {
        attempts: 4,
        throttled: 6,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(20),
    };
    Settings {
        retries,
        stall_timeout: Duration::from_millis(300),
        answer_timeout: Duration::from_secs(5),
        commit_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

fn client() -> Client {
    client_with(quick())
}

fn client_with(settings: Settings) -> Client {
    Client::new(settings, Arc::new(Heard::default())).unwrap()
}

/// What an observer was told.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// The repository `a` of a registry, through a new client.
fn open(registry: &TestRegistry) -> Arc<RegistryStore> {
    client().repository(registry.name("a"))
}

/// Bytes without repetition, so that a misplaced piece cannot pass.
fn bytes(seed: u32, size: usize) -> Bytes {
    let mut state = seed | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..size).map(next).collect()
}

/// Content that notes from where it was opened.
struct Watched {
    inner: InMemory,
    opened: Mutex<Vec<u64>>,
    /// Later readings fail, as those of a tape.
    once: bool,
    /// The first so many readings deliver a wrong byte.
    damaged: usize,
}

impl Watched {
    fn new(bytes: Bytes) -> Self {
        let inner = InMemory::new(media::OCTET_STREAM, bytes);
        Watched { inner, opened: Mutex::default(), once: false, damaged: 0 }
    }

    fn opened(&self) -> Vec<u64> {
        self.opened.lock().unwrap().clone()
    }
}

#[async_trait]
impl Content for Watched {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        let times = {
            let mut opened = self.opened.lock().unwrap();
            opened.push(offset);
            opened.len()
        };
        if self.once && times > 1 {
            let digest = self.descriptor().digest.clone();
            return Err(StoreError::new("tape", ErrorKind::Spent(digest)));
        }
        let blob = self.inner.open(offset).await?;
        if times > self.damaged {
            return Ok(blob);
        }
        let mut wrong = blob.read_all().await?.to_vec();
        wrong[0] ^= 1;
        Ok(Blob::from_bytes(self.descriptor().clone(), 0, "damaged source", wrong.into()))
    }
}

/// Large enough to be streamed, not read whole.
const LARGE: usize = 1_500_000;

fn large() -> Watched {
    Watched::new(bytes(7, LARGE))
}

fn small() -> Watched {
    Watched::new(bytes(9, 1000))
}

/// Blobs in the repository `a` of a registry, as they are read by way of `from`.
async fn held(registry: &TestRegistry, from: &Arc<RegistryStore>, count: u32) -> Vec<Remote> {
    let mut contents = Vec::new();
    for seed in 0..count {
        let blob = Watched::new(bytes(seed * 2 + 1, LARGE));
        registry.store("a").put(&blob.inner, &Hints::default()).await.unwrap();
        contents.push(Remote::new(from.clone(), blob.descriptor().clone()));
    }
    contents
}

fn absent() -> Hints {
    Hints { presence: Presence::Absent, ..Hints::default() }
}

async fn put(store: &dyn Sink, content: &dyn Content, hints: &Hints) -> Put {
    store.put(content, hints).await.unwrap()
}

async fn read(store: &dyn Source, content: &Watched) -> Result<Bytes, StoreError> {
    store.open(content.descriptor(), 0).await?.read_all().await
}

/// A registry whose repository `a` has this blob.
async fn with_blob(plan: FaultPlan, content: &Watched) -> TestRegistry {
    let registry = TestRegistry::start(plan).await;
    registry.store("a").put(&content.inner, &Hints::default()).await.unwrap();
    registry
}

fn holds(registry: &TestRegistry, content: &Watched) -> bool {
    registry.store("a").digests().contains(&content.descriptor().digest)
}

fn by_tag(text: &str) -> Version {
    Version::Tag(text.parse().unwrap())
}
