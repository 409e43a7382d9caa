//! Gather, scatter and clone between real registries: what arrives, and what it costs in requests.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "mirror/hosts.rs"]
mod hosts;
#[path = "mirror/long_names.rs"]
mod long_names;
#[path = "mirror/quirks.rs"]
mod quirks;

use std::collections::BTreeMap;
use std::sync::Arc;

use airlift_oci::inventory::{Inventory, Labels};
use airlift_oci::mirror::clone::{CloneOptions, RoutedSource, clone, read_sources};
use airlift_oci::mirror::gather::{GatherOptions, gather};
use airlift_oci::mirror::scatter::{Destination, Routed, ScatterOptions, scatter};
use airlift_oci::mirror::{Executor, ExecutorOptions, Report, SourceImage, Status, unite};
use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::store::{Content, Hints, InMemory, MemoryStore, Sink, Source, Store};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Descriptor, Digest, Location, Manifest, Tag, Version, media};
use airlift_tests::{FaultPlan, TestRegistry};

struct Bench {
    low: TestRegistry,
    near: TestRegistry,
    stores: Stores,
}

impl Bench {
    async fn start() -> Self {
        let low = TestRegistry::start(FaultPlan::none()).await;
        let near = TestRegistry::start(FaultPlan::none()).await;
        let stores = Stores::new(Client::new(Settings::default(), silent()).unwrap());
        Bench { low, near, stores }
    }

    /// As a new process would: nothing learned.
    fn forget(&mut self) {
        self.stores = Stores::new(Client::new(Settings::default(), silent()).unwrap());
        self.low.reset_counts();
        self.near.reset_counts();
    }

    async fn source(&self, text: &str) -> SourceImage {
        let location: Location = text.parse().unwrap();
        let opened = self.stores.source(&location).await.unwrap();
        SourceImage {
            text: text.to_owned(),
            labels: Labels::new(),
            store: opened.store,
            mount_from: opened.mount_from,
            version: opened.version,
        }
    }

    async fn sources(&self, names: &[&str]) -> Vec<SourceImage> {
        let mut sources = Vec::new();
        for name in names {
            sources.push(self.source(&format!("{}/{name}", self.low.host())).await);
        }
        sources
    }

    async fn repository(&self, registry: &TestRegistry, repository: &str) -> Arc<dyn Store> {
        let location = Location::Registry(registry.reference(repository));
        self.stores.destination(&location).await.unwrap().store
    }

    async fn gather(&self, names: &[&str], options: &GatherOptions) -> Report {
        let executor = executor();
        let store = self.repository(&self.near, "gathered").await;
        gather(&executor, self.sources(names).await, store, &tag("sync"), options).await.unwrap()
    }

    /// Scatters everything gathered to `PREFIX/PATH-OF-SOURCE` of `registry`.
    async fn scatter(&self, registry: &TestRegistry, options: &ScatterOptions) -> Report {
        let from = self
            .stores
            .source(&Location::Registry(self.near.reference("gathered:sync")))
            .await
            .unwrap();
        let index = from.store.fetch(&from.version).await.unwrap();
        let mut routed = Vec::new();
        for item in Inventory::read(&index).unwrap().items {
            let rest = item.source.split_once('/').unwrap().1.to_owned();
            let to = registry.reference(&format!("high/{rest}"));
            let store = self.stores.destination(&Location::Registry(to.clone())).await.unwrap();
            let destination =
                Destination { store: store.store, tag: store.tag, label: to.to_string() };
            routed.push(Routed { item, destinations: vec![destination] });
        }
        scatter(&executor(), from.store, from.mount_from, routed, options).await
    }
}

fn executor() -> Executor {
    Executor::new(ExecutorOptions::default(), silent())
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

async fn blob(store: &MemoryStore, text: &str) -> Descriptor {
    let content =
        InMemory::new("application/vnd.oci.image.layer.v1.tar+gzip", text.to_owned().into());
    store.put(&content, &Hints::default()).await.unwrap();
    Content::descriptor(&content).clone()
}

/// An image with a configuration for `architecture` and these layers.
async fn image(
    store: &MemoryStore,
    architecture: &str,
    layers: &[&str],
    subject: Option<&Manifest>,
) -> Manifest {
    let config = format!(r#"{{"architecture":"{architecture}","os":"linux","layers":{layers:?}}}"#);
    let mut config = blob(store, &config).await;
    config.media_type = media::OCI_CONFIG.into();
    let mut list = Vec::new();
    for layer in layers {
        list.push(blob(store, layer).await);
    }
    let mut value = serde_json::json!({"schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config, "layers": list});
    if let Some(subject) = subject {
        value["subject"] = serde_json::to_value(subject.descriptor().bare()).unwrap();
    }
    let manifest = Manifest::parse(media::OCI_MANIFEST, value.to_string().into()).unwrap();
    store.put_manifest(&manifest, None).await.unwrap();
    manifest
}

async fn index(store: &MemoryStore, children: &[(&Manifest, &str)], name: &str) -> Manifest {
    let list: Vec<_> = children
        .iter()
        .map(|(child, platform)| Descriptor {
            platform: Some(Box::new(platform.parse().unwrap())),
            ..child.descriptor().bare()
        })
        .collect();
    let value =
        serde_json::json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": list});
    let manifest = Manifest::parse(media::OCI_INDEX, value.to_string().into()).unwrap();
    store.put_manifest(&manifest, Some(&tag(name))).await.unwrap();
    manifest
}

/// Three repositories: one image of two platforms, two of one platform, with a shared layer.
async fn fill(registry: &TestRegistry) -> [Manifest; 3] {
    let store = registry.store("team/app");
    let one = image(&store, "amd64", &["base", "app amd64"], None).await;
    let two = image(&store, "arm64", &["base arm64", "app arm64"], None).await;
    let app = index(&store, &[(&one, "linux/amd64"), (&two, "linux/arm64/v8")], "1").await;
    let tool = image(&registry.store("tool"), "amd64", &["base", "tool"], None).await;
    registry.store("tool").put_manifest(&tool, Some(&tag("1"))).await.unwrap();
    let other = image(&registry.store("other"), "amd64", &["base", "other"], None).await;
    registry.store("other").put_manifest(&other, Some(&tag("1"))).await.unwrap();
    [app, tool, other]
}

const ALL: [&str; 3] = ["team/app:1", "tool:1", "other:1"];

#[tokio::test]
async fn everything_is_gathered_once_and_again_for_next_to_nothing() {
    let mut bench = Bench::start().await;
    let [app, tool, other] = fill(&bench.low).await;
    let report = bench.gather(&ALL, &GatherOptions::default()).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    // Blobs: four configurations, base, base arm64, app amd64, app arm64, tool, other.
    assert_eq!(bench.low.counts().blob_get, 10);
    assert_eq!(bench.near.sent(), 10);
    let gathered = bench.near.store("gathered");
    let index = gathered.fetch(&Version::Tag(tag("sync"))).await.unwrap();
    assert_eq!(Some(index.digest()), report.index.as_ref());
    let items = Inventory::read(&index).unwrap().items;
    let digests: Vec<&Digest> = items.iter().map(|item| &item.descriptor.digest).collect();
    assert_eq!(digests, [other.digest(), app.digest(), tool.digest()]);
    for manifest in [&app, &tool, &other] {
        assert_eq!(gathered.manifest(manifest.descriptor()).await.unwrap().raw(), manifest.raw());
    }

    bench.forget();
    let reordered = ["tool:1", "other:1", "team/app:1"];
    let again = bench.gather(&reordered, &GatherOptions::default()).await;
    assert_eq!(again.index, report.index);
    assert_eq!(again.count(Status::Unchanged), 3);
    assert_eq!(bench.low.counts().total(), 3);
    assert!(bench.near.counts().total() <= 3, "{:?}", bench.near.counts());
}

#[tokio::test]
async fn scattering_in_one_registry_moves_no_blob() {
    let mut bench = Bench::start().await;
    let [app, ..] = fill(&bench.low).await;
    bench.gather(&ALL, &GatherOptions::default()).await;
    bench.forget();
    let report = bench.scatter(&bench.near, &ScatterOptions::default()).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    assert_eq!((bench.near.counts().blob_get, bench.near.sent()), (0, 0));
    let arrived = bench.near.store("high/team/app").fetch(&Version::Tag(tag("1"))).await.unwrap();
    assert_eq!(arrived.raw(), app.raw());

    bench.forget();
    let again = bench.scatter(&bench.near, &ScatterOptions::default()).await;
    assert_eq!(again.count(Status::Unchanged), 3);
    // The index, and one question an image.
    assert_eq!(bench.near.counts().total(), 4);
}

#[tokio::test]
async fn scattering_to_another_registry_sends_each_blob_once() {
    let mut bench = Bench::start().await;
    fill(&bench.low).await;
    bench.gather(&ALL, &GatherOptions::default()).await;
    bench.forget();
    let report = bench.scatter(&bench.low, &ScatterOptions::default()).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    assert_eq!(bench.near.counts().blob_get, 10);
    assert_eq!(bench.low.sent(), 10);
}

#[tokio::test]
async fn one_bad_image_loses_no_other() {
    let bench = Bench::start().await;
    fill(&bench.low).await;
    let broken = bench.low.store("tool");
    assert!(broken.remove_blob(&Digest::of(b"tool")));
    let report = bench.gather(&ALL, &GatherOptions::default()).await;
    assert_eq!((report.count(Status::Done), report.count(Status::Failed)), (2, 1));
    let failure = report.failed().next().unwrap();
    assert!(failure.item.ends_with("/tool:1"));
    let error = failure.error.as_ref().unwrap();
    assert!(error.contains(Digest::of(b"tool").as_str()) && error.contains("not found"), "{error}");
    let index = bench.near.store("gathered").fetch(&Version::Tag(tag("sync"))).await.unwrap();
    assert_eq!(Inventory::read(&index).unwrap().items.len(), 2);
}

#[tokio::test]
async fn nothing_gathered_leaves_no_index() {
    let bench = Bench::start().await;
    let report = bench.gather(&["none:1"], &GatherOptions::default()).await;
    assert_eq!((report.index.clone(), report.count(Status::Failed)), (None, 1));
    assert!(bench.near.store("gathered").tags().await.unwrap().is_empty());
}

#[tokio::test]
async fn platforms_are_selected() {
    let mut bench = Bench::start().await;
    let [app, ..] = fill(&bench.low).await;
    let options = GatherOptions {
        platforms: vec!["linux/arm64".parse().unwrap()],
        ..GatherOptions::default()
    };
    let report = bench.gather(&ALL, &options).await;
    // The others are of another platform, and say so instead of vanishing.
    assert_eq!((report.count(Status::Done), report.count(Status::Failed)), (1, 2), "{report:?}");
    assert!(report.failed().all(|item| item.error.as_ref().unwrap().contains("linux/amd64")));
    let index = bench.near.store("gathered").fetch(&Version::Tag(tag("sync"))).await.unwrap();
    let item = Inventory::read(&index).unwrap().items.remove(0);
    assert_eq!(item.source_index.as_ref(), Some(app.digest()));
    assert_eq!(item.descriptor.platform.as_ref().unwrap().to_string(), "linux/arm64/v8");

    bench.forget();
    let again = bench.gather(&ALL[..1], &options).await;
    assert_eq!(again.count(Status::Unchanged), 1);
    assert_eq!(bench.low.counts().total(), 1);
}

#[tokio::test]
async fn several_platforms_make_an_index_of_them() {
    let bench = Bench::start().await;
    let store = bench.low.store("wide");
    let mut children = Vec::new();
    for name in ["amd64", "arm64", "s390x"] {
        children.push(image(&store, name, &[name], None).await);
    }
    let pairs: Vec<_> =
        children.iter().zip(["linux/amd64", "linux/arm64", "linux/s390x"]).collect();
    let whole = index(&store, &pairs, "1").await;
    let platforms = ["linux/amd64", "linux/s390x"].map(|text| text.parse().unwrap()).to_vec();
    let options = GatherOptions { platforms, ..GatherOptions::default() };
    let report = bench.gather(&["wide:1"], &options).await;
    let chosen = bench
        .near
        .store("gathered")
        .fetch(&Version::Digest(report.items[0].digest.clone().unwrap()))
        .await
        .unwrap();
    let digests: Vec<_> = chosen.manifests().map(|child| child.digest.clone()).collect();
    assert_eq!(digests, [children[0].digest().clone(), children[2].digest().clone()]);
    assert_ne!(chosen.digest(), whole.digest());
    assert_eq!(bench.low.counts().blob_get, 4);
}

#[tokio::test]
async fn a_platform_without_its_variant_is_the_default_one_or_else_any() {
    let bench = Bench::start().await;
    let store = bench.low.store("arms");
    let six = image(&store, "arm", &["six"], None).await;
    let seven = image(&store, "arm", &["seven"], None).await;
    index(&store, &[(&six, "linux/arm/v6"), (&seven, "linux/arm/v7")], "both").await;
    index(&store, &[(&six, "linux/arm/v6")], "old").await;
    let options = |text: &str| GatherOptions {
        platforms: vec![text.parse().unwrap()],
        ..GatherOptions::default()
    };
    for (name, wanted, chosen) in [
        ("arms:both", "linux/arm", Some(&seven)),
        ("arms:both", "linux/arm/v6", Some(&six)),
        ("arms:old", "linux/arm", Some(&six)),
        ("arms:old", "linux/arm/v7", None),
    ] {
        let report = bench.gather(&[name], &options(wanted)).await;
        assert_eq!(
            report.items[0].digest.as_ref(),
            chosen.map(Manifest::digest),
            "{name} {wanted}"
        );
    }
}

#[tokio::test]
async fn referrers_and_cosign_tags_go_all_the_way() {
    let mut bench = Bench::start().await;
    let [app, tool, _] = fill(&bench.low).await;
    let store = bench.low.store("tool");
    let sbom = image(&store, "none", &["sbom"], Some(&tool)).await;
    let signature = image(&store, "none", &["signature"], Some(&sbom)).await;
    let cosign = tag(&format!("{}.sig", tool.digest().fallback_tag()));
    let cosigned = image(&store, "none", &["cosigned"], None).await;
    store.put_manifest(&cosigned, Some(&cosign)).await.unwrap();

    let options = GatherOptions { referrers: true, ..GatherOptions::default() };
    let report = bench.gather(&ALL, &options).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    bench.forget();
    let report = bench.scatter(&bench.near, &ScatterOptions { referrers: true }).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    let high = bench.repository(&bench.near, "high/tool").await;
    let digests = |list: Vec<Descriptor>| -> Vec<Digest> {
        list.into_iter().map(|found| found.digest).collect()
    };
    assert_eq!(digests(high.referrers(tool.digest()).await.unwrap()), [sbom.digest().clone()]);
    assert_eq!(digests(high.referrers(sbom.digest()).await.unwrap()), [signature.digest().clone()]);
    assert_eq!(high.fetch(&Version::Tag(cosign)).await.unwrap().digest(), cosigned.digest());
    assert!(digests(high.referrers(app.digest()).await.unwrap()).is_empty());
}

#[tokio::test]
async fn cloning_to_two_registries_reads_the_source_once() {
    let bench = Bench::start().await;
    let far = TestRegistry::start(FaultPlan::none()).await;
    let [app, ..] = fill(&bench.low).await;
    let executor = executor();
    let read = read_sources(&executor, bench.sources(&ALL).await, &[]).await;
    let mut routed = Vec::new();
    for (source, read) in read {
        let rest = source.text.split_once('/').unwrap().1.to_owned();
        let mut destinations = Vec::new();
        for registry in [&bench.near, &far] {
            let to = registry.reference(&rest);
            let opened = bench.stores.destination(&Location::Registry(to.clone())).await.unwrap();
            destinations.push(Destination {
                store: opened.store,
                tag: opened.tag,
                label: to.to_string(),
            });
        }
        routed.push(RoutedSource { source, read: read.unwrap(), destinations });
    }
    let report = clone(&executor, routed, &CloneOptions::default()).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    assert_eq!(bench.low.counts().blob_get, 10);
    for registry in [&bench.near, &far] {
        assert_eq!(registry.sent(), 10);
        let arrived = registry.store("team/app").fetch(&Version::Tag(tag("1"))).await.unwrap();
        assert_eq!(arrived.raw(), app.raw());
    }
}

#[tokio::test]
async fn a_union_of_the_sources_has_the_index_that_gather_writes() {
    let bench = Bench::start().await;
    fill(&bench.low).await;
    let options = GatherOptions { version: "airlift test".to_owned(), ..GatherOptions::default() };
    let report = bench.gather(&ALL, &options).await;
    let sources = bench.sources(&ALL).await;
    let union = unite(&executor(), sources.clone(), &options, &BTreeMap::new()).await.unwrap();
    assert_eq!(union.index.as_ref().map(Manifest::digest), report.index.as_ref());

    // What images share is carried once, as gather moves it once.
    let (moved, united) = (report.totals(), union.report.totals());
    assert_eq!(united.bytes, moved.bytes);
    let twice = [sources.clone(), sources].concat();
    let union = unite(&executor(), twice, &options, &BTreeMap::new()).await.unwrap();
    assert_eq!(union.report.totals().bytes, moved.bytes);
    assert_eq!(union.report.count(Status::Done), 2 * ALL.len());
}
