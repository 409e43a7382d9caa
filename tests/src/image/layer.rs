//! Layers and other blobs, made again whenever they are read, so that a large corpus needs no memory.

use airlift_oci::store::{Blob, Content, StoreError};
use airlift_oci::types::{Descriptor, Digest};
use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use crate::random::Random;

/// How many bytes a file in a layer has at most.
const FILE: u64 = 1 << 20;

/// A layer of an image: a `tar.gz` of files.
#[derive(Debug, Clone)]
pub struct Layer {
    recipe: Recipe,
    descriptor: Descriptor,
    diff_id: Digest,
}

/// How a layer's bytes are made.
#[derive(Debug, Clone, Copy)]
enum Recipe {
    /// Files of so many bytes in all, by a seed.
    Files(u64, u64),
    /// A `tar` without files.
    Empty,
    /// No bytes at all.
    Nothing,
}

impl Layer {
    /// A layer of some `size` bytes, compressed. The same for the same seed and size.
    pub fn new(seed: u64, size: u64) -> Layer {
        Layer::made(Recipe::Files(seed, size))
    }

    /// A layer without files.
    pub fn empty() -> Layer {
        Layer::made(Recipe::Empty)
    }

    /// A layer of no bytes: no archive, but found in registries.
    pub fn no_bytes() -> Layer {
        Layer::made(Recipe::Nothing)
    }

    fn made(recipe: Recipe) -> Layer {
        let tar = recipe.tar();
        let (diff_id, bytes) = (Digest::of(&tar), recipe.compress(&tar));
        Layer { recipe, descriptor: Descriptor::of("", &bytes), diff_id }
    }

    /// The digest of the layer before it was compressed.
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// The layer as a blob.
    pub fn piece(&self, media_type: &str) -> Piece {
        let mut descriptor = self.descriptor.clone();
        descriptor.media_type = media_type.into();
        Piece { descriptor, body: Body::Recipe(self.recipe) }
    }
}

impl Recipe {
    fn tar(self) -> Vec<u8> {
        let Recipe::Files(seed, size) = self else {
            return if matches!(self, Recipe::Empty) { vec![0; 1024] } else { Vec::new() };
        };
        let mut random = Random::new(seed);
        let mut tar = tar::Builder::new(Vec::with_capacity(size as usize + 4096));
        let mut left = size;
        for number in 0.. {
            let length = left.min(FILE);
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(length);
            let path = format!("usr/share/{seed:016x}/{number}");
            let content = random.bytes(length as usize);
            tar.append_data(&mut header, path, content.as_slice()).expect("memory takes all");
            left -= length;
            if left == 0 {
                break;
            }
        }
        tar.into_inner().expect("memory takes all")
    }

    fn compress(self, tar: &[u8]) -> Bytes {
        if matches!(self, Recipe::Nothing) {
            return Bytes::new();
        }
        let mut gz = GzBuilder::new().write(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut gz, tar).expect("memory takes all");
        gz.finish().expect("memory takes all").into()
    }
}

/// A blob: its descriptor, and how to come by its bytes.
#[derive(Debug, Clone)]
pub struct Piece {
    descriptor: Descriptor,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Bytes(Bytes),
    Recipe(Recipe),
}

impl Piece {
    /// A blob of these bytes.
    pub fn of(media_type: &str, bytes: impl Into<Bytes>) -> Piece {
        let bytes = bytes.into();
        Piece { descriptor: Descriptor::of(media_type, &bytes), body: Body::Bytes(bytes) }
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its bytes.
    pub fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Recipe(recipe) => recipe.compress(&recipe.tar()),
        }
    }
}

#[async_trait]
impl Content for Piece {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn open(&self, offset: u64) -> Result<Blob, StoreError> {
        Ok(Blob::from_bytes(self.descriptor.clone(), offset, "harness", self.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_the_same_every_time_and_about_as_large_as_asked_for() {
        let (layer, again) = (Layer::new(7, 100_000), Layer::new(7, 100_000));
        let piece = layer.piece("m");
        assert_eq!(piece.descriptor(), again.piece("m").descriptor());
        assert_eq!(piece.descriptor().digest, Digest::of(&piece.bytes()));
        assert!((100_000..101_000).contains(&piece.descriptor().size));
        assert_ne!(Layer::new(8, 100_000).diff_id(), layer.diff_id());
    }

    #[test]
    fn a_layer_unpacks() {
        let bytes = Layer::new(1, FILE + 10).piece("m").bytes();
        let tar = flate2::read::GzDecoder::new(bytes.as_ref());
        let mut tar = tar::Archive::new(tar);
        let sizes: Vec<u64> = tar.entries().unwrap().map(|entry| entry.unwrap().size()).collect();
        assert_eq!(sizes, [FILE, 10]);
    }
}
