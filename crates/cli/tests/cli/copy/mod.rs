//! `copy` in all its forms, with registries on loopback.

mod counts;
mod examples;
mod faults;
mod halfway;
mod list;
mod names;
mod prompt;
mod specs;
mod under;

use std::fs::File;
use std::process::Stdio;

use airlift_oci::store::Source;
use airlift_oci::types::{Manifest, Version};
use airlift_tests::model::Model;
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::{Ended, Place};

/// A source, a destination, and a directory in which the names of public registries and of the
/// documents' example lead to these.
struct Site {
    low: TestRegistry,
    high: TestRegistry,
    place: Place,
}

impl Site {
    async fn new() -> Site {
        Site::with(FaultPlan::none(), FaultPlan::none()).await
    }

    async fn with(low: FaultPlan, high: FaultPlan) -> Site {
        let (low, high) = (TestRegistry::start(low).await, TestRegistry::start(high).await);
        let place = Place::new();
        let hosts = [
            ("docker.io", &low),
            ("docker.example.com", &high),
            ("custom.example.org", &high),
            ("private.io", &high),
        ];
        let entry = |(host, registry): (&str, &TestRegistry)| {
            format!("    {host}:\n      endpoints: [\"{}\"]\n", registry.url())
        };
        let hosts = hosts.map(entry).concat();
        place.file("airlift.yaml", format!("registryConfig:\n  registries:\n{hosts}"));
        Site { low, high, place }
    }

    /// Runs a line with `input` as standard input.
    fn feed(&self, line: &str, input: &str) -> Ended {
        let path = self.place.file("input", input);
        let mut command = self.place.command();
        command.args(line.split_whitespace()).stdin(Stdio::from(File::open(path).expect("opens")));
        self.place.run(&mut command)
    }

    fn forget(&self) {
        self.low.reset_counts();
        self.high.reset_counts();
    }

    /// Requests to both since they were forgotten.
    fn requests(&self) -> (u64, u64) {
        (self.low.counts().total(), self.high.counts().total())
    }

    /// Asserts that an image is at the destination, whole and byte for byte as at the source.
    async fn assert_same(&self, from: (&str, &str), to: (&str, &str)) {
        let version = |tag: &str| Version::Tag(tag.parse().expect("a tag"));
        let low = Model::walk(self.low.store(from.0).as_ref(), &version(from.1)).await;
        let high = Model::walk(self.high.store(to.0).as_ref(), &version(to.1)).await;
        assert_eq!(low.expect("the source"), high.expect("the destination"), "{from:?} {to:?}");
    }

    /// What a tag names at the destination, with everything it names there.
    async fn arrived(&self, repository: &str, tag: &str) -> Manifest {
        let version = Version::Tag(tag.parse().expect("a tag"));
        let store = self.high.store(repository);
        Model::walk(store.as_ref(), &version).await.expect("whole");
        store.fetch(&version).await.expect("a manifest")
    }

    async fn is_there(&self, repository: &str, tag: &str) -> bool {
        let version = Version::Tag(tag.parse().expect("a tag"));
        self.high.store(repository).resolve(&version).await.is_ok()
    }
}

/// The platforms that an index names, in order.
fn platforms(index: &Manifest) -> Vec<String> {
    index.manifests().filter_map(|child| Some(child.platform.as_ref()?.to_string())).collect()
}
