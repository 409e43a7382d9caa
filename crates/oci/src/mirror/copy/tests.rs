//! The verb and the selection of platforms, over stores in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::mirror::{Executor, ExecutorOptions, Report, Status};
use crate::observe::silent;
use crate::store::{
    Blob, Content, Hints, InMemory, MemoryStore, Put, Sink, Source, Store, StoreError,
};
use crate::stores::{OpenedDestination, OpenedSource};
use crate::types::{Descriptor, Digest, Location, Manifest, Reference, Tag, Version, media};

/// A registry: repositories in memory, with the requests for manifests counted.
#[derive(Default)]
struct Registry {
    repositories: BTreeMap<String, Arc<MemoryStore>>,
    fetched: Arc<AtomicUsize>,
    resolved: Arc<AtomicUsize>,
}

struct Counting(Arc<MemoryStore>, Arc<AtomicUsize>, Arc<AtomicUsize>);

#[async_trait]
impl Source for Counting {
    fn place(&self) -> String {
        self.0.place()
    }
    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        self.2.fetch_add(1, Ordering::Relaxed);
        self.0.resolve(version).await
    }
    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.fetch(version).await
    }
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        self.0.open(descriptor, offset).await
    }
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.0.referrers(subject).await
    }
    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.0.tags().await
    }
}

#[async_trait]
impl Sink for Counting {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        self.0.has(descriptor).await
    }
    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError> {
        self.0.put(content, hints).await
    }
    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.0.put_manifest(manifest, tag).await
    }
    fn domain(&self) -> String {
        self.0.domain()
    }
}

impl Registry {
    fn repository(&mut self, name: &str) -> Arc<MemoryStore> {
        let named = || Arc::new(MemoryStore::named(name.parse::<Reference>().unwrap().name));
        self.repositories.entry(name.to_owned()).or_insert_with(named).clone()
    }

    fn counts(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.fetched), take(&self.resolved))
    }
}

#[async_trait]
impl Open for Registry {
    async fn source(&self, location: &Location) -> Result<OpenedSource, StoreError> {
        let reference = location.reference().unwrap();
        let store = self.repositories[&reference.name.to_string()].clone();
        let counting = Counting(store, self.fetched.clone(), self.resolved.clone());
        Ok(OpenedSource {
            store: Arc::new(counting),
            version: reference.version(),
            mount_from: None,
        })
    }

    async fn destination(&self, location: &Location) -> Result<OpenedDestination, StoreError> {
        let reference = location.reference().unwrap();
        let store = self.repositories[&reference.name.to_string()].clone();
        Ok(OpenedDestination { store: store as Arc<dyn Store>, tag: location.destination_tag() })
    }
}

async fn blob(store: &MemoryStore, media_type: &str, text: &str) -> Descriptor {
    let content = InMemory::new(media_type, text.to_owned().into());
    store.put(&content, &Hints::default()).await.unwrap();
    Descriptor::of(media_type, text.as_bytes())
}

async fn image(store: &MemoryStore, os: &str, architecture: &str) -> Manifest {
    let config = format!(r#"{{"os":"{os}","architecture":"{architecture}"}}"#);
    let config = blob(store, media::OCI_CONFIG, &config).await;
    let layer = blob(store, "layer", &format!("layer of {architecture}")).await;
    let raw = serde_json::json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let image = Manifest::parse(media::OCI_MANIFEST, raw.to_string().into()).unwrap();
    store.put_manifest(&image, None).await.unwrap();
    image
}

/// A descriptor with odd white space, unknown fields and an order of its own.
fn odd(image: &Manifest, os: &str, architecture: &str, variant: Option<&str>) -> String {
    let variant = variant.map(|v| format!(r#","variant":"{v}""#)).unwrap_or_default();
    format!(
        r#"{{ "x-odd":[1, 2],"size":{},  "digest":"{}","platform":{{"os":"{os}","architecture":"{architecture}"{variant}}},"mediaType":"{}"}}"#,
        image.descriptor().size,
        image.digest(),
        image.descriptor().media_type
    )
}

async fn index(store: &MemoryStore, tag: &str, children: &[String]) -> Manifest {
    let raw = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}],"annotations":{{"k":"v"}}}}"#,
        media::OCI_INDEX,
        children.join(",")
    );
    let index = Manifest::parse(media::OCI_INDEX, raw.into()).unwrap();
    store.put_manifest(&index, Some(&tag.parse().unwrap())).await.unwrap();
    index
}

async fn run(registry: &Registry, specs: Vec<Spec>) -> Report {
    let executor = Executor::new(ExecutorOptions::default(), silent());
    copy(&executor, specs, registry, &CopyOptions::default()).await
}

fn specs(text: &str) -> Vec<Spec> {
    read_specs("specs", text.as_bytes()).unwrap()
}

/// A registry with `s.io/a:multi` (amd64, arm64/v8, arm/v7, windows, an attestation of amd64) and
/// `s.io/a:single` (amd64), and an empty `d.io/a`.
async fn registry() -> (Registry, Vec<String>) {
    let mut registry = Registry::default();
    let store = registry.repository("s.io/a");
    registry.repository("d.io/a");
    let (amd, arm) = (image(&store, "linux", "amd64").await, image(&store, "linux", "arm64").await);
    let (v7, windows) =
        (image(&store, "linux", "arm").await, image(&store, "windows", "amd64").await);
    let attestation = image(&store, "unknown", "unknown").await;
    let attested = odd(&attestation, "unknown", "unknown", None).replace(
        "\"x-odd\":[1, 2]",
        &format!(r#""annotations":{{"vnd.docker.reference.digest":"{}"}}"#, amd.digest()),
    );
    let children = vec![
        odd(&amd, "linux", "amd64", None),
        odd(&arm, "linux", "arm64", Some("v8")),
        odd(&v7, "linux", "arm", Some("v7")),
        odd(&windows, "windows", "amd64", None),
        attested,
    ];
    index(&store, "multi", &children).await;
    store.put_manifest(&amd, Some(&"single".parse().unwrap())).await.unwrap();
    (registry, children)
}

async fn arrived(registry: &mut Registry, tag: &str) -> String {
    let store = registry.repository("d.io/a");
    let manifest = store.fetch(&Version::Tag(tag.parse().unwrap())).await.unwrap();
    let source: Arc<dyn Source> = store;
    // Fails when anything that the manifest names is missing.
    let graph = crate::graph::walk(&source, manifest, &crate::graph::WalkOptions::default()).await;
    let graph = graph.unwrap();
    for blob in graph.blobs() {
        source.open(blob, 0).await.unwrap().read_all().await.unwrap();
    }
    String::from_utf8(graph.root().raw().to_vec()).unwrap()
}

#[tokio::test]
async fn a_limited_index_keeps_its_childrens_bytes() {
    let (mut registry, children) = registry().await;
    let text = r#"{"src":"s.io/a:multi","dst":"d.io/a:two","transform":{"limitPlatforms":["linux/arm64","linux/arm/v7"]}}
        {"src":"s.io/a:multi","dst":"d.io/a:one","transform":{"limitPlatforms":["linux/amd64","linux/s390x"]}}
        {"src":"s.io/a:single","dst":"d.io/a:single","transform":{"limitPlatforms":["linux/s390x"]}}
        {"src":"s.io/a:multi","dst":"d.io/a:none","transform":{"limitPlatforms":["linux/s390x","linux/arm/v6"]}}
        {"src":"s.io/a:multi","dst":"d.io/a:all"}"#;
    let report = run(&registry, specs(text)).await;
    let statuses: Vec<_> = report.items.iter().map(|item| item.status).collect();
    assert_eq!(statuses, [Status::Done, Status::Done, Status::Done, Status::Failed, Status::Done]);
    let error = report.items[3].error.as_ref().unwrap();
    assert!(
        error.contains("wanted linux/s390x, linux/arm/v6, found linux/amd64, linux/arm/v7"),
        "{error}"
    );
    let two = arrived(&mut registry, "two").await;
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}],"annotations":{{"k":"v"}}}}"#,
        media::OCI_INDEX,
        children[1],
        children[2]
    );
    assert_eq!(two, expected);
    let source = registry.repository("s.io/a");
    let single = source.fetch(&Version::Tag("single".parse().unwrap())).await.unwrap();
    assert_eq!(arrived(&mut registry, "one").await, arrived(&mut registry, "single").await);
    assert_eq!(arrived(&mut registry, "single").await.as_bytes(), single.raw());
    let multi = source.fetch(&Version::Tag("multi".parse().unwrap())).await.unwrap();
    assert_eq!(arrived(&mut registry, "all").await.as_bytes(), multi.raw());
    assert!(
        registry.repository("d.io/a").fetch(&Version::Tag("none".parse().unwrap())).await.is_err()
    );
}

#[tokio::test]
async fn by_system_attestations_follow_and_windows_stays_behind() {
    let (mut registry, children) = registry().await;
    let linux = Arc::new(Keep::Matching { architectures: vec![], systems: vec!["linux".into()] });
    let images = Images { keep: linux, ..Images::default() };
    let prefix = "d.io".parse().unwrap();
    let report =
        run(&registry, under_prefix(&prefix, ["s.io/a:multi", "s.io/a:single"], &images).unwrap())
            .await;
    assert_eq!(report.count(Status::Done), 2, "{report:?}");
    let multi = arrived(&mut registry, "multi").await;
    for (number, child) in children.iter().enumerate() {
        assert_eq!(multi.contains(child.as_str()), number != 3, "{child}");
    }
    let windows =
        Arc::new(Keep::Matching { architectures: vec![], systems: vec!["windows".into()] });
    let images = Images { keep: windows, ..Images::default() };
    let report = run(&registry, under_prefix(&prefix, ["s.io/a:single"], &images).unwrap()).await;
    assert!(
        report.items[0].error.as_ref().unwrap().contains("wanted windows/any, found linux/amd64")
    );
}

#[tokio::test]
async fn a_second_run_asks_once_a_side_and_moves_nothing() {
    let (registry, _) = registry().await;
    let text = r#"{"src":"s.io/a:multi","dst":"d.io/a:x"}{"src":"s.io/a:single","dst":"d.io/a:y"}
        {"src":"s.io/a:multi","dst":"d.io/a:z","transform":{"limitPlatforms":["linux/amd64","linux/arm64"]}}"#;
    assert_eq!(run(&registry, specs(text)).await.count(Status::Done), 3);
    registry.counts();
    let report = run(&registry, specs(text)).await;
    assert_eq!(report.count(Status::Unchanged), 3, "{report:?}");
    let (fetched, resolved) = registry.counts();
    assert_eq!((fetched, resolved), (1, 2));
}

#[tokio::test]
async fn one_source_for_many_is_read_once_and_a_failure_is_alone() {
    let (mut registry, _) = registry().await;
    registry.repository("s.io/gone");
    let copies =
        (0..300).map(|number| format!(r#"{{"src":"s.io/a:multi","dst":"d.io/a:t{number}"}}"#));
    let text = format!(
        r#"{{"src":"s.io/gone:1","dst":"d.io/a:gone"}}{}"#,
        copies.collect::<Vec<_>>().concat()
    );
    let report = run(&registry, specs(&text)).await;
    assert_eq!(
        (report.count(Status::Failed), report.count(Status::Unchanged)),
        (1, 0),
        "{report:?}"
    );
    assert!(report.items[0].error.as_ref().unwrap().contains("s.io/gone"), "{report:?}");
    // The index and its five children, once; and once in vain.
    assert_eq!(registry.counts().0, 6 + 1);
    assert_eq!(registry.repository("d.io/a").tags().await.unwrap().len(), 300);
}

#[tokio::test]
async fn what_changed_is_moved_again() {
    let (mut registry, _) = registry().await;
    let text = r#"{"src":"s.io/a:single","dst":"d.io/a:x"}"#;
    run(&registry, specs(text)).await;
    let store = registry.repository("s.io/a");
    let newer = image(&store, "linux", "s390x").await;
    store.put_manifest(&newer, Some(&"single".parse().unwrap())).await.unwrap();
    let report = run(&registry, specs(text)).await;
    assert_eq!(report.items[0].digest.as_ref(), Some(newer.digest()));
    assert_eq!(report.items[0].status, Status::Done);
    assert_eq!(arrived(&mut registry, "x").await.as_bytes(), newer.raw());
}
