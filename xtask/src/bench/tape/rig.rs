//! The images of this benchmark, the registry that has them, and the runs that carry them.

use std::collections::BTreeMap;
use std::fs;

use airlift_oci::types::Descriptor;
use anyhow::Context;
use tokio::runtime::Runtime;

use super::machine::{self, Took};
use super::{MIB, bare};
use crate::bench::bare::{Blobs, Origin, To};
use crate::bench::delay::{self, Line};
use crate::bench::registries::{Kind, Running};
use crate::bench::relay::Relay;
use crate::meter::{Cost, measure};
use crate::soak::fill;
use crate::stage::{Registry, Stage};

/// Layers of the image, in MiB: how many of which size.
const LAYERS: [(usize, u64); 4] = [(8, 64), (16, 16), (100, 1), (128, 0)];
/// The least that a layer has.
const SMALLEST: u64 = 64 << 10;
/// MiB of the large blob.
const LARGE: u64 = 2048;
const ARCHIVE: &str = "sync.tar";

/// Where everything is.
pub(super) struct Rig<'a> {
    pub(super) stage: &'a Stage,
    pub(super) runtime: &'a Runtime,
    low: Registry,
    blobs: Blobs,
    large: u64,
}

/// Peak memory with a large blob, in bytes.
pub(super) struct Large {
    pub(super) bytes: u64,
    pub(super) serialize: u64,
    pub(super) deserialize: u64,
}

impl<'a> Rig<'a> {
    pub(super) fn build(
        stage: &'a Stage,
        runtime: &'a Runtime,
        scale: f64,
    ) -> anyhow::Result<Self> {
        let scaled = |mib: u64| (((mib * MIB) as f64 * scale) as u64).max(SMALLEST);
        let sizes: Vec<u64> =
            LAYERS.iter().flat_map(|(count, mib)| vec![scaled(*mib); *count]).collect();
        let low = stage.path("low/bench");
        let layers = runtime.block_on(fill::image(&low.join("image"), 1, &sizes))?;
        let large = scaled(LARGE);
        runtime.block_on(fill::image(&low.join("large"), 2, &[large]))?;
        let entry = |layer: Descriptor| (layer.digest, ("bench/image".to_owned(), layer.size));
        let blobs: BTreeMap<_, _> = layers.into_iter().map(entry).collect();
        Ok(Rig { stage, runtime, low: stage.serve_quietly("low")?, blobs, large })
    }

    /// Bytes of the image's blobs.
    pub(super) fn bytes(&self) -> u64 {
        self.blobs.values().map(|(_, size)| size).sum()
    }

    /// MB/s at which the image is carried in so many seconds.
    pub(super) fn rate(&self, seconds: f64) -> f64 {
        self.bytes() as f64 / 1e6 / seconds
    }

    /// The registry with the images.
    pub(super) fn low(&self) -> &str {
        self.low.address()
    }

    /// The image, as the registry at `address` has it.
    pub(super) fn image(address: &str) -> String {
        format!("{address}/bench/image:latest")
    }

    /// A line to a registry.
    pub(super) fn line(&self, to: &str, line: Line) -> anyhow::Result<Relay> {
        self.runtime.block_on(delay::start(to.to_owned(), line))
    }

    /// Writes the archive from the registry at `address`.
    pub(super) fn serialize(&self, address: &str, more: &[&str]) -> anyhow::Result<Cost> {
        // The pages of earlier steps would be written in this one's time.
        rustix::fs::sync();
        let mut words = vec!["serialize", ARCHIVE, "--force", "--quiet"];
        let image = Self::image(address);
        words.insert(1, &image);
        measure(self.stage.command().args(words).args(more)).inspect(|cost| tell("serialize", cost))
    }

    /// Reads the archive into an empty registry, at the end of a line if there is one.
    pub(super) fn deserialize(&self, line: Option<Line>, more: &[&str]) -> anyhow::Result<Cost> {
        rustix::fs::sync();
        let high = Running::start(self.stage, self.runtime, Kind::Airlift, "high", line)?;
        let landed = format!("{}/landed:sync", high.address());
        let words = ["deserialize", ARCHIVE, &landed, "--quiet"];
        let cost = measure(self.stage.command().args(words).args(more));
        cost.inspect(|cost| tell("deserialize", cost))
    }

    /// `dd` and `sha256sum` on the archive.
    pub(super) fn machine(&self) -> anyhow::Result<Took> {
        rustix::fs::sync();
        let took = machine::run(self.stage, ARCHIVE)?;
        println!("  dd {:.2} s, sha256sum {:.2} s", took.copy, took.hash);
        Ok(took)
    }

    /// Seconds in which a bare loop reads every blob, and sends it to `to` when there is one.
    pub(super) fn bare(
        &self,
        from: &str,
        to: Option<&str>,
        connections: usize,
    ) -> anyhow::Result<f64> {
        let to = to.map_or(To::Nothing, To::Registry);
        let run = bare::run(&self.blobs, Origin::Registry(from), to, connections);
        let took = self.runtime.block_on(run)?.as_secs_f64();
        println!("  bare loop {took:.2} s");
        Ok(took)
    }

    /// The same to an empty registry at the end of a line.
    pub(super) fn bare_put(&self, line: Line, connections: usize) -> anyhow::Result<f64> {
        rustix::fs::sync();
        let empty = Running::start(self.stage, self.runtime, Kind::Airlift, "bare", Some(line))?;
        self.bare(self.low(), Some(&empty.address()), connections)
    }

    /// Removes what a round left.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        for name in ["high", "bare"] {
            // Not every round has both.
            let _ = fs::remove_dir_all(self.stage.path(name));
        }
        fs::remove_file(self.stage.path(ARCHIVE)).context("the archive of a round is not there")
    }

    /// Carries the large blob.
    pub(super) fn large(&self) -> anyhow::Result<Large> {
        let image = format!("{}/bench/large:latest", self.low());
        let words = ["serialize", &image, ARCHIVE, "--quiet", "--buffer-size", "64Mi"];
        let writing = measure(self.stage.command().args(words))?;
        tell("serialize", &writing);
        let reading = self.deserialize(None, &[])?;
        self.clear()?;
        Ok(Large { bytes: self.large, serialize: writing.peak, deserialize: reading.peak })
    }
}

fn tell(verb: &str, cost: &Cost) {
    println!(
        "  {verb:<12} {:>6.2} s  CPU {:>6.2} s  peak {} MiB",
        cost.wall,
        cost.cpu,
        cost.peak / MIB
    );
}
