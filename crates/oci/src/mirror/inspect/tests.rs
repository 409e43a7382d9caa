//! Tests of `inspect`.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::inventory::{Item, Sizes};
use crate::store::{Hints, InMemory, MemoryStore, Sink};
use crate::types::{Annotations, Tag};

async fn blob(store: &MemoryStore, media_type: &str, text: &str) -> Descriptor {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let content = InMemory::new(media_type, bytes);
    store.put(&content, &Hints::default()).await.unwrap();
    Descriptor::of(media_type, text.as_bytes())
}

async fn image(
    store: &MemoryStore,
    arch: &str,
    layers: &[&str],
    subject: Option<&Manifest>,
) -> Manifest {
    let config = json!({"os": "linux", "architecture": arch}).to_string();
    let config_type = if subject.is_some() { media::OCI_EMPTY } else { media::OCI_CONFIG };
    let config = blob(store, config_type, &config).await;
    let mut list = Vec::new();
    for layer in layers {
        list.push(blob(store, "layer", layer).await);
    }
    let mut value = json!({"schemaVersion": 2, "config": config, "layers": list});
    if let Some(subject) = subject {
        value["subject"] = serde_json::to_value(subject.descriptor().bare()).unwrap();
        value["artifactType"] = "application/x-sbom".into();
    }
    let manifest = Manifest::parse(media::OCI_MANIFEST, value.to_string().into()).unwrap();
    store.put_manifest(&manifest, None).await.unwrap();
    manifest
}

fn item(manifest: &Manifest, source: &str) -> Item {
    let labels = Labels::from([("team".to_owned(), "core".to_owned())]);
    Item::new(&manifest.descriptor().bare(), source, labels, None)
}

/// Two images that share a layer, the first under two names and with an SBOM.
async fn artifact() -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let one = image(&store, "amd64", &["base", "one"], None).await;
    let two = image(&store, "arm64", &["base", "two!"], None).await;
    image(&store, "none", &["sbom"], Some(&one)).await;
    let items = vec![item(&one, "a.io/x:1"), item(&one, "a.io/x:2"), item(&two, "b.io/y:1")];
    let index = Inventory::write(items, Sizes::default(), "v", &Annotations::new(), false).unwrap();
    store.put_manifest(&index, Some(&Tag::latest())).await.unwrap();
    Arc::new(store)
}

async fn look(store: &Arc<MemoryStore>, referrers: bool, presence: bool) -> Inspection {
    let store: Arc<dyn Store> = store.clone();
    let options = InspectOptions { referrers, presence, ..InspectOptions::default() };
    inspect(&store, &Version::Tag(Tag::latest()), &options).await.unwrap()
}

#[tokio::test]
async fn a_tree_of_images_with_platforms_referrers_and_names() {
    let found = look(&artifact().await, true, false).await;
    assert_eq!(found.root.kind, Kind::Gathered);
    let names: Vec<_> = found.root.manifests.iter().map(|node| node.name.as_deref()).collect();
    assert_eq!(names, [Some("a.io/x:1"), Some("a.io/x:2"), Some("b.io/y:1")]);
    let [first, again, second] = &found.root.manifests[..] else { panic!("three images") };
    assert_eq!(first.platform.as_deref(), Some("linux/amd64"));
    assert_eq!(second.platform.as_deref(), Some("linux/arm64"));
    assert_eq!(first.labels["team"], "core");
    assert!(again.repeated && again.blobs.is_empty() && again.total == first.total);
    let kinds: Vec<_> = first.blobs.iter().map(|blob| (blob.config, blob.images)).collect();
    assert_eq!(kinds, [(true, 1), (false, 2), (false, 1)], "only the base is in both images");
    assert_eq!(first.referrers[0].artifact_type.as_deref(), Some("application/x-sbom"));
    assert_eq!(first.referrers[0].kind, Kind::Artifact);
    assert_eq!(found.totals.referrers, 1);
}

#[tokio::test]
async fn what_is_shared_is_counted_once() {
    let found = look(&artifact().await, false, false).await;
    let [first, again, second] = &found.images[..] else { panic!("three images") };
    assert_eq!((first.bytes, first.own), (again.bytes, again.own));
    assert_eq!(first.bytes - first.own, "base".len() as u64);
    assert_eq!(second.bytes - second.own, "base".len() as u64);
    assert_eq!(found.totals.shared, "base".len() as u64);
    assert_eq!(found.totals.bytes, found.root.size + first.own + second.own + 4);
    assert_eq!((found.totals.images, found.totals.blobs), (3, 5));
    assert_eq!(found.root.total, found.totals.bytes);
}

#[tokio::test]
async fn what_is_missing_is_told_and_does_not_stop_the_rest() {
    let store = artifact().await;
    store.remove_blob(&Digest::of(b"two!"));
    let found = look(&store, false, true).await;
    assert_eq!((found.totals.missing, found.totals.missing_bytes), (1, 4));
    let missing: Vec<_> = found.root.manifests[2].blobs.iter().map(|blob| blob.missing).collect();
    assert_eq!(missing, [false, false, true]);
    assert_eq!(look(&store, false, false).await.totals.missing, 0, "nobody asked");
}

#[tokio::test]
async fn what_was_left_out_on_purpose_is_not_missing() {
    let store = artifact().await;
    for gone in ["two!", "one"] {
        store.remove_blob(&Digest::of(gone.as_bytes()));
    }
    let left_out = ["two!", "base"].map(|text| (Digest::of(text.as_bytes()), "a.io/old:1".into()));
    let options =
        InspectOptions { presence: true, left_out: left_out.into(), ..InspectOptions::default() };
    let store: Arc<dyn Store> = store;
    let found = inspect(&store, &Version::Tag(Tag::latest()), &options).await.unwrap();
    let totals = found.totals;
    assert_eq!((totals.missing, totals.missing_bytes), (1, 3));
    assert_eq!((totals.left_out, totals.left_out_bytes), (1, 4), "what is there after all counts");
    let last = &found.root.manifests[2].blobs[2];
    assert_eq!((last.missing, last.expected.as_deref()), (false, Some("a.io/old:1")));
}

/// An index that names its child many times, level upon level: 2^30 places, 31 manifests.
#[tokio::test]
async fn a_tree_is_no_larger_than_its_graph() {
    let store = MemoryStore::new();
    let mut below = image(&store, "amd64", &["x"], None).await;
    for level in 0..30 {
        let child = below.descriptor().bare();
        let value = json!({"schemaVersion": 2, "manifests": [child, child],
            "annotations": {"level": level.to_string()}});
        below = Manifest::parse(media::OCI_INDEX, value.to_string().into()).unwrap();
        store.put_manifest(&below, None).await.unwrap();
    }
    store.put_manifest(&below, Some(&Tag::latest())).await.unwrap();
    let found = look(&Arc::new(store), false, false).await;
    assert_eq!(found.totals.manifests, 31);
    assert!(found.root.manifests[1].repeated);
}
