//! The corpus: sixty images as a site has them, with sizes and sharing like real ones.
//!
//! 60 images (30 for one platform, 20 for four, 10 for three) are 170 manifests: 140 images and 30
//! indexes. Each stands on one of eight bases of one to three layers, has one to five layers of
//! its own with log-normal sizes, and a small layer or two that many have. Together they name 968
//! blobs, 629 of them distinct. The same on every machine.

use std::collections::BTreeMap;

use airlift_oci::store::Hints;
use airlift_oci::types::{Digest, Reference, Tag};
use airlift_serve::storage::{Repositories, RepositoryName};

use crate::TestRegistry;
use crate::image::{Flavour, Graph, Layer, image, index};
use crate::random::Random;

/// Images, each under a reference of its own.
pub const IMAGES: usize = 60;
/// Manifests: the indexes and what they name among them.
pub const MANIFESTS: usize = 170;
/// Distinct blobs.
pub const BLOBS: usize = 629;
/// Blobs as manifests name them.
pub const MENTIONS: usize = 968;

/// Manifests that are images.
const PARTS: usize = 140;
/// Layers that only one image has.
const OWN: usize = 425;
/// Times that a manifest names a layer which others have too.
const SHARED: usize = MENTIONS - PARTS - OWN;
/// Layers of their own that images have, by turns: three on average.
const OWN_LAYERS: [u64; 5] = [1, 5, 3, 2, 4];
/// Layers of each base.
const BASES: [u64; 8] = [1, 1, 1, 2, 2, 2, 3, 3];
/// Sizes of the small layers that many have.
const COMMON: [u64; 4] = [60, 200, 500, 1500];
const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"];
const PREFIXES: [&str; 4] = ["docker/library", "quay/team", "ghcr/org/apps", "k8s"];

/// The corpus.
#[derive(Debug)]
pub struct Corpus {
    images: Vec<(RepositoryName, Tag, Graph)>,
}

impl Corpus {
    /// A few MB in all: for tests.
    pub fn tiny() -> Corpus {
        Corpus::scaled(1.0 / 400.0)
    }

    /// About 1.1 GB in all: for benchmarks.
    pub fn full() -> Corpus {
        Corpus::scaled(1.0)
    }

    /// With every layer `scale` times as large as in the full corpus.
    pub fn scaled(scale: f64) -> Corpus {
        let mut maker = Maker::new(scale);
        let images = parts().into_iter().enumerate().map(|(number, parts)| {
            let repository = format!("{}/image-{number}", PREFIXES[number % PREFIXES.len()]);
            let repository = repository.parse().expect("a repository's name");
            let tag = format!("v1.{number}").parse().expect("a tag");
            (repository, tag, maker.image(number, &parts))
        });
        Corpus { images: images.collect() }
    }

    /// Repository, tag and content of each image.
    pub fn images(&self) -> impl Iterator<Item = (&RepositoryName, &Tag, &Graph)> {
        self.images.iter().map(|(repository, tag, graph)| (repository, tag, graph))
    }

    /// Puts every image into a repository of its own; blobs that several have are shared.
    pub async fn push(&self, storage: &dyn Repositories) {
        let mut known: BTreeMap<Digest, RepositoryName> = BTreeMap::new();
        for (name, tag, graph) in self.images() {
            let repository = storage.create(name).await.expect("a repository");
            for blob in graph.blobs() {
                let digest = &blob.descriptor().digest;
                let from = known.entry(digest.clone()).or_insert_with(|| name.clone());
                if from == name || !storage.share(digest, from, name).await.expect("a share") {
                    repository.put(blob, &Hints::default()).await.expect("a blob");
                }
            }
            graph.push_manifests(repository.as_ref(), Some(tag.as_str())).await;
        }
    }

    /// Puts every image into a test registry; their references, in order.
    pub async fn fill(&self, registry: &TestRegistry) -> Vec<Reference> {
        self.push(registry.storage().as_ref()).await;
        self.images().map(|(name, tag, _)| registry.reference(&format!("{name}:{tag}"))).collect()
    }
}

/// What one image manifest is made of.
#[derive(Debug, Clone, Copy)]
struct Part {
    base: usize,
    platform: usize,
    /// How many layers it has for itself.
    own: u64,
    /// How many small layers it has that many have.
    common: usize,
}

/// The image manifests of every image, in order.
fn parts() -> Vec<Vec<Part>> {
    let base_of = |number: usize| (number / 2) % BASES.len();
    let named: usize =
        (0..IMAGES).map(|number| platforms(number) * BASES[base_of(number)] as usize).sum();
    let common = SHARED - named;
    let mut made = 0..PARTS;
    let mut part = |number: usize, platform: usize| {
        let at = made.next().expect("as many parts as there are platforms");
        let own = OWN_LAYERS[at % OWN_LAYERS.len()] + u64::from(at < OWN - PARTS * 3);
        // Spread evenly, so that the sum is exact.
        let common = common * (at + 1) / PARTS - common * at / PARTS;
        Part { base: base_of(number), platform, own, common }
    };
    (0..IMAGES)
        .map(|number| (0..platforms(number)).map(|platform| part(number, platform)).collect())
        .collect()
}

/// For how many platforms an image is.
fn platforms(number: usize) -> usize {
    match number % 6 {
        1 | 3 => 4,
        5 => 3,
        _ => 1,
    }
}

/// Makes images of layers, each layer once.
struct Maker {
    scale: f64,
    bases: BTreeMap<(usize, usize, u64), Layer>,
    common: Vec<Layer>,
    made: u64,
}

impl Maker {
    fn new(scale: f64) -> Maker {
        let common = (0..).zip(COMMON).map(|(n, size)| Layer::new(9000 + n, size)).collect();
        Maker { scale, bases: BTreeMap::new(), common, made: 0 }
    }

    fn image(&mut self, number: usize, parts: &[Part]) -> Graph {
        let flavour = if number.is_multiple_of(3) { Flavour::Docker } else { Flavour::Oci };
        let mut graphs: Vec<Graph> =
            parts.iter().map(|part| self.part(flavour, number, *part)).collect();
        if graphs.len() == 1 { graphs.remove(0) } else { index(flavour, &graphs) }
    }

    fn part(&mut self, flavour: Flavour, image_number: usize, part: Part) -> Graph {
        let number = self.made;
        self.made += 1;
        let mut layers: Vec<Layer> =
            (0..BASES[part.base]).map(|n| self.base(part.base, part.platform, n)).collect();
        layers.extend((0..part.own).map(|n| self.own(100_000 + number * 10 + n)));
        // Small layers hold scripts and certificates, the same for each platform of an image.
        let common = self.common.iter().cycle().skip(image_number % COMMON.len());
        layers.extend(common.take(part.common).cloned());
        image(flavour, PLATFORMS[part.platform], &layers, number)
    }

    fn base(&mut self, base: usize, platform: usize, number: u64) -> Layer {
        let seed = 1000 + (base * 100 + platform * 10) as u64 + number;
        // The first layer of a base is a distribution, the others are packages on top.
        let median = if number == 0 { 9e6 } else { 2.5e6 };
        let size = (Random::new(seed).log_normal(median, 0.6) * self.scale).max(64.0);
        let layer = || Layer::new(seed, size as u64);
        self.bases.entry((base, platform, number)).or_insert_with(layer).clone()
    }

    fn own(&self, seed: u64) -> Layer {
        // One layer alone must not decide a benchmark.
        let size = Random::new(seed).log_normal(3.4e5, 1.7).min(60e6);
        Layer::new(seed, (size * self.scale).max(64.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_four_counts() {
        let corpus = Corpus::tiny();
        let graphs: Vec<&Graph> = corpus.images().map(|(_, _, graph)| graph).collect();
        let distinct = |digests: Vec<&Digest>| digests.into_iter().collect::<BTreeSet<_>>().len();
        let manifests: Vec<_> = graphs.iter().flat_map(|graph| graph.manifests()).collect();
        let blobs: Vec<_> = graphs.iter().flat_map(|graph| graph.blobs()).collect();
        assert_eq!(graphs.len(), IMAGES);
        assert_eq!(manifests.len(), MANIFESTS);
        assert_eq!(
            distinct(manifests.iter().map(|manifest| manifest.digest()).collect()),
            MANIFESTS
        );
        assert_eq!(blobs.len(), MENTIONS);
        assert_eq!(distinct(blobs.iter().map(|blob| &blob.descriptor().digest).collect()), BLOBS);
        let sizes: BTreeMap<_, _> =
            blobs.iter().map(|blob| (&blob.descriptor().digest, blob.descriptor().size)).collect();
        let total: u64 = sizes.values().sum();
        assert!((2_000_000..5_000_000).contains(&total), "{total}");
    }
}
