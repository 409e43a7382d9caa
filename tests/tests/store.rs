//! One suite over every store of the seam. A further store is one line in the table at the end.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "store/reading.rs"]
mod reading;
#[path = "store/writing.rs"]
mod writing;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airlift_oci::observe;
use airlift_oci::registry::{Client, Retries, Settings};
use airlift_oci::store::{
    ArchiveStore, Blob, Content, ErrorKind, Hints, InMemory, LayoutStore, MemoryStore, Presence,
    Put, Sink, Source, Store, StoreError,
};
use airlift_oci::types::{Algorithm, Descriptor, Digest, Hasher, Manifest, Tag, Version, media};
use airlift_tests::image::{self, Flavour, Graph};
use airlift_tests::model::Model;
use airlift_tests::{DigestHeader, FaultPlan, TestRegistry, UploadLocation};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

/// A store, and what must live as long as it.
struct Subject {
    store: Arc<dyn Store>,
    _keep: Box<dyn Any + Send>,
}

/// What a store that can only be read is filled with before it is opened.
#[derive(Default)]
struct Filling {
    graphs: Vec<(Graph, Option<&'static str>)>,
    blobs: Vec<(Descriptor, Bytes)>,
    manifests: Vec<(Manifest, Option<Tag>)>,
}

impl Filling {
    fn graph(mut self, graph: &Graph, tag: Option<&'static str>) -> Self {
        self.graphs.push((graph.clone(), tag));
        self
    }

    async fn pour(self, store: &dyn Sink) {
        for (graph, tag) in self.graphs {
            graph.push(store, tag).await;
        }
        for (descriptor, bytes) in self.blobs {
            let content = InMemory::with_descriptor(descriptor, bytes);
            store.put(&content, &Hints::default()).await.unwrap();
        }
        for (manifest, tag) in self.manifests {
            store.put_manifest(&manifest, tag.as_ref()).await.unwrap();
        }
    }
}

async fn memory(filling: Filling) -> Subject {
    let store = MemoryStore::new();
    filling.pour(&store).await;
    Subject { store: Arc::new(store), _keep: Box::new(()) }
}

async fn layout(filling: Filling) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let store = LayoutStore::create(directory.path()).unwrap();
    filling.pour(&store).await;
    // What was written must be there for whoever opens the directory next.
    let store = LayoutStore::open(directory.path()).unwrap();
    Subject { store: Arc::new(store), _keep: Box::new(directory) }
}

async fn archive(filling: Filling) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    filling.pour(&LayoutStore::create(&layout).unwrap()).await;
    let file = directory.path().join("archive.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&file).unwrap());
    tar.append_dir_all("", &layout).unwrap();
    tar.into_inner().unwrap();
    let store = ArchiveStore::open(&file).unwrap();
    Subject { store: Arc::new(store), _keep: Box::new(directory) }
}

async fn registry(filling: Filling) -> Subject {
    registry_with(FaultPlan::none(), filling).await
}

/// A registry of the old kind: referrers are kept under a tag.
async fn registry_without_referrers(filling: Filling) -> Subject {
    registry_with(FaultPlan::none().without_referrers(), filling).await
}

/// A registry that says as little as it may.
async fn registry_of_few_words(filling: Filling) -> Subject {
    let plan = FaultPlan::none()
        .ignoring_range()
        .digest_header(DigestHeader::Missing)
        .location(UploadLocation::WithQuery)
        .redirecting_blobs()
        .paged(2);
    registry_with(plan, filling).await
}

async fn registry_with(plan: FaultPlan, filling: Filling) -> Subject {
    let registry = TestRegistry::start(plan).await;
    let client = || Client::new(settings(), observe::silent()).unwrap();
    filling.pour(client().repository(registry.name("a/b")).as_ref()).await;
    // What one client has learned must not be what the next one needs.
    let store = client().repository(registry.name("a/b"));
    Subject { store, _keep: Box::new(registry) }
}

/// Settings that do not wait long before they try again.
fn settings() -> Settings {
    let wait = Duration::from_millis(5);
    let retries = Retries { first_wait: wait, longest_wait: wait, ..Retries::default() };
    Settings { retries, ..Settings::default() }
}

/// Every tag, but for those under which a registry without the API keeps lists of referrers.
async fn tags(store: &dyn Source) -> Vec<String> {
    let tags = store.tags().await.unwrap();
    let kept = tags.iter().map(Tag::to_string).filter(|tag| !tag.starts_with("sha256-"));
    kept.collect()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn by_tag(text: &str) -> Version {
    Version::Tag(tag(text))
}

fn by_digest(digest: &Digest) -> Version {
    Version::Digest(digest.clone())
}

fn sha512(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

fn content(text: &'static str) -> InMemory {
    InMemory::new(media::OCTET_STREAM, Bytes::from_static(text.as_bytes()))
}

async fn read(
    store: &dyn Source,
    descriptor: &Descriptor,
    offset: u64,
) -> Result<Bytes, StoreError> {
    store.open(descriptor, offset).await?.read_all().await
}

/// Content that does not keep its promise.
struct Liar {
    descriptor: Descriptor,
    chunks: Vec<&'static str>,
    ending: Ending,
    opened: AtomicBool,
}

#[derive(Clone, Copy)]
enum Ending {
    /// The content ends.
    Ends,
    /// The content fails.
    Fails,
    /// Nothing more comes, ever.
    Hangs,
}

impl Liar {
    fn new(promised: &'static str, chunks: &[&'static str], ending: Ending) -> Liar {
        let descriptor = Descriptor::of(media::OCTET_STREAM, promised.as_bytes());
        Liar { descriptor, chunks: chunks.to_vec(), ending, opened: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Content for Liar {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        self.opened.store(true, Ordering::Relaxed);
        let all: String = self.chunks.concat();
        let rest = all.get(usize::try_from(offset).unwrap()..).unwrap_or("").to_owned();
        let chunks = stream::iter([Ok(Bytes::from(rest))]);
        let denied =
            || StoreError::new("liar", ErrorKind::Denied("the content is withheld".into()));
        let chunks = match self.ending {
            Ending::Ends => chunks.boxed(),
            Ending::Fails => chunks.chain(stream::iter([Err(denied())])).boxed(),
            Ending::Hangs => chunks.chain(stream::pending()).boxed(),
        };
        Ok(Blob::new(self.descriptor.clone(), offset, "liar", chunks))
    }
}

/// A module of tests for each store: the first half for all, the second for those that are written to.
macro_rules! suite {
    ($($store:ident: $half:ident;)+) => { $(mod $store { suite!($half $store); })+ };
    (read_only $store:ident) => {
        suite!(tests $store reading:
            manifests_by_tag_and_digest what_is_not_there_is_not_found blobs_from_any_offset
            wrong_sizes_are_found_out tags_are_sorted referrers_have_type_and_annotations
            empty_and_odd_content sha512_content a_graph_comes_back_whole);
    };
    (read_and_write $store:ident) => {
        suite!(read_only $store);
        suite!(tests $store writing:
            putting_twice_is_fine bad_content_leaves_nothing a_dropped_put_leaves_nothing
            many_puts_of_one_blob many_manifests_at_once a_tag_moves
            a_referrer_may_come_before_its_subject what_lost_its_tag_is_still_found);
    };
    (tests $store:ident $half:ident: $($test:ident)+) => {
        $(#[tokio::test]
        async fn $test() {
            super::$half::$test(super::$store).await;
        })+
    };
}

suite! {
    memory: read_and_write;
    layout: read_and_write;
    archive: read_only;
    registry: read_and_write;
    registry_without_referrers: read_and_write;
    registry_of_few_words: read_and_write;
}
