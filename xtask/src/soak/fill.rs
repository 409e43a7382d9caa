//! Images with blobs of any size, made cheaply: one block, over and over, numbered.

use std::path::Path;

use airlift_oci::store::{Blob, Content, Hints, LayoutStore, Sink, StoreError};
use airlift_oci::types::{Algorithm, Descriptor, Hasher, Manifest, Tag, media};
use airlift_tests::noise;
use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;

const BLOCK: u64 = 1 << 20;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A blob of so many bytes: a number in front, then the same block again and again, each time with
/// another first byte.
struct Cheap {
    descriptor: Descriptor,
    block: Bytes,
}

impl Cheap {
    fn new(number: u64, size: u64) -> Cheap {
        let block = noise(number, BLOCK as usize);
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for part in parts(&block, size) {
            hasher.update(&part);
        }
        let descriptor = Descriptor::new(LAYER, hasher.finish(), size);
        Cheap { descriptor, block }
    }
}

/// The chunks of a blob. No two blocks in a row are equal, so that none can be mistaken for another.
fn parts(block: &Bytes, size: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
    let block = block.clone();
    (0..size.div_ceil(BLOCK)).map(move |number| {
        let length = (size - number * BLOCK).min(BLOCK) as usize;
        // Turned by a little, which costs no copy of its own.
        let turn = (number % 64) as usize;
        let mut part = Vec::with_capacity(length);
        part.extend_from_slice(&block[turn..length.max(turn)]);
        part.extend_from_slice(&block[..length - part.len()]);
        part.into()
    })
}

#[async_trait]
impl Content for Cheap {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        // A layout reads from the start, always.
        let bytes = stream::iter(parts(&self.block, self.descriptor.size).map(Ok)).boxed();
        Ok(Blob::new(self.descriptor.clone(), offset, "soak", bytes))
    }
}

/// Writes one image with layers of `sizes` into the layout directory `DIR/REPOSITORY`, tagged
/// `latest`; gives the layers.
pub(crate) async fn image(
    directory: &Path,
    seed: u64,
    sizes: &[u64],
) -> anyhow::Result<Vec<Descriptor>> {
    let store = LayoutStore::create(directory)?;
    let text = json!({ "architecture": "amd64", "os": "linux", "seed": seed }).to_string();
    let config = Descriptor::of(media::OCI_CONFIG, text.as_bytes());
    let content = airlift_oci::store::InMemory::new(media::OCI_CONFIG, text.into());
    store.put(&content, &Hints::default()).await?;
    let mut layers = Vec::new();
    for (number, size) in (seed * 1000..).zip(sizes) {
        let blob = Cheap::new(number, *size);
        store.put(&blob, &Hints::default()).await?;
        layers.push(blob.descriptor);
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config, "layers": layers,
    });
    let raw = Bytes::from(manifest.to_string());
    let digest = airlift_oci::types::Digest::of(&raw);
    let manifest = Manifest::parse_as(media::OCI_MANIFEST, digest, raw)?;
    let tag: Tag = "latest".parse().context("a tag")?;
    store.put_manifest(&manifest, Some(&tag)).await?;
    Ok(layers)
}
