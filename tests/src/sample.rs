//! A gathered artifact of every shape, small and the same every time, in a store in memory.

use std::sync::Arc;

use airlift_oci::inventory::{Inventory, Item, Labels, Sizes};
use airlift_oci::store::{Hints, InMemory, MemoryStore, Sink};
use airlift_oci::types::{
    Algorithm, Annotations, Descriptor, Hasher, Manifest, Platform, Tag, media,
};
use bytes::Bytes;
use rand::{RngCore, SeedableRng};

/// A store with a gathered artifact in it.
pub struct Sample {
    /// Where it is.
    pub store: Arc<MemoryStore>,
    /// The gathered index.
    pub root: Manifest,
}

/// Incompressible bytes, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}

impl Sample {
    /// A two-platform image, a single image that shares a layer, an empty layer, a layer under
    /// SHA-512, a compressible one, and layers of the sizes in `large`; a signature by subject and
    /// one by cosign's tag.
    pub async fn build(large: &[usize]) -> Sample {
        let store = Arc::new(MemoryStore::new());
        let mut items = Vec::new();
        let shared = noise(1, 3000);
        let text = Bytes::from("all work and no play makes a dull layer\n".repeat(5000));
        let amd = image(&store, "amd64", &[shared.clone(), noise(2, 511), Bytes::new()]).await;
        let arm = image(&store, "arm64", &[shared.clone(), text]).await;
        let multi = index(&[(&amd, "amd64"), (&arm, "arm64")]);
        store.put_manifest(&multi, None).await.unwrap();
        items.push(item(&multi, "one.example.test/team/multi:1"));
        let mut layers = vec![shared];
        layers.extend((10..).zip(large).map(|(seed, length)| noise(seed, *length)));
        let single = image(&store, "amd64", &layers).await;
        items.push(item(&single, "one.example.test/single:2"));
        items.push(item(&single, "two.example.test:5000/twin:2"));
        let sha512 = sha512_image(&store).await;
        items.push(item(&sha512, "two.example.test:5000/long:3"));
        sign(&store, &single).await;
        let sizes = Sizes { total: 0, deduplicated: 4711 };
        let root =
            Inventory::write(items, sizes, "airlift test", &Annotations::new(), false).unwrap();
        store.put_manifest(&root, Some(&"sync-1".parse().unwrap())).await.unwrap();
        Sample { store, root }
    }

    /// One image with one layer: an archive so small that every byte of it can be tried.
    pub async fn tiny() -> Sample {
        let store = Arc::new(MemoryStore::new());
        let image = image(&store, "amd64", &[noise(1, 100)]).await;
        let items = vec![item(&image, "one.example.test/a:1")];
        let sizes = Sizes { total: 0, deduplicated: 100 };
        let root =
            Inventory::write(items, sizes, "airlift test", &Annotations::new(), false).unwrap();
        store.put_manifest(&root, Some(&"sync-1".parse().unwrap())).await.unwrap();
        Sample { store, root }
    }

    /// One further image in a new gathered index beside the old one's images.
    pub async fn grown(&self) -> Manifest {
        let image = image(&self.store, "amd64", &[noise(1, 3000), noise(99, 70_000)]).await;
        let mut items = Inventory::read(&self.root).unwrap().items;
        items.push(item(&image, "three.example.test/new:1"));
        let sizes = Sizes { total: 0, deduplicated: 4711 };
        let root =
            Inventory::write(items, sizes, "airlift test", &Annotations::new(), false).unwrap();
        self.store.put_manifest(&root, Some(&"sync-2".parse().unwrap())).await.unwrap();
        root
    }
}

fn item(manifest: &Manifest, source: &str) -> Item {
    Item::new(&manifest.descriptor().bare(), source, Labels::new(), None)
}

async fn put(store: &MemoryStore, media_type: &str, bytes: Bytes) -> Descriptor {
    let content = InMemory::new(media_type, bytes.clone());
    store.put(&content, &Hints::default()).await.unwrap();
    Descriptor::of(media_type, &bytes)
}

async fn image(store: &MemoryStore, architecture: &str, layers: &[Bytes]) -> Manifest {
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    );
    let config = put(store, media::OCI_CONFIG, config.into()).await;
    let mut named = Vec::new();
    for layer in layers {
        named.push(put(store, "application/vnd.oci.image.layer.v1.tar+gzip", layer.clone()).await);
    }
    manifest(store, &config, &named, None).await
}

async fn manifest(
    store: &MemoryStore,
    config: &Descriptor,
    layers: &[Descriptor],
    subject: Option<&Manifest>,
) -> Manifest {
    let mut value = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config, "layers": layers,
    });
    if let Some(subject) = subject {
        value["subject"] = serde_json::to_value(subject.descriptor().bare()).unwrap();
        value["artifactType"] = "application/x-signature".into();
    }
    // Not compact: bytes must survive as they are.
    let raw = serde_json::to_vec_pretty(&value).unwrap();
    let manifest = Manifest::parse(media::OCI_MANIFEST, raw.into()).unwrap();
    store.put_manifest(&manifest, None).await.unwrap();
    manifest
}

fn index(children: &[(&Manifest, &str)]) -> Manifest {
    let children: Vec<_> = children
        .iter()
        .map(|(manifest, architecture)| {
            let mut child = manifest.descriptor().bare();
            let platform: Platform = format!("linux/{architecture}").parse().unwrap();
            child.platform = Some(Box::new(platform));
            child
        })
        .collect();
    let value = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": children,
    });
    Manifest::parse(media::OCI_INDEX, value.to_string().into()).unwrap()
}

async fn sha512_image(store: &MemoryStore) -> Manifest {
    let bytes = noise(7, 1500);
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&bytes);
    let layer = Descriptor::new("application/x-layer", hasher.finish(), bytes.len() as u64);
    let content = InMemory::with_descriptor(layer.clone(), bytes);
    store.put(&content, &Hints::default()).await.unwrap();
    let config = put(store, media::OCI_EMPTY, Bytes::from_static(b"{}")).await;
    manifest(store, &config, &[layer], None).await
}

async fn sign(store: &MemoryStore, subject: &Manifest) {
    let config = put(store, media::OCI_EMPTY, Bytes::from_static(b"{}")).await;
    let payload = put(store, "application/x-signature", noise(3, 200)).await;
    manifest(store, &config, &[payload], Some(subject)).await;
    let sbom = put(store, "text/spdx+json", Bytes::from_static(b"{\"spdx\":1}")).await;
    let cosign = manifest(store, &config, &[sbom], None).await;
    let tag: Tag = format!("sha256-{}.sbom", subject.digest().hex()).parse().unwrap();
    store.put_manifest(&cosign, Some(&tag)).await.unwrap();
}
