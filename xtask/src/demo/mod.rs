//! `cargo xtask demo`: images cross an air gap, before one's eyes.
//!
//! Two registries are started as processes; the low one is filled with real images; then the four
//! commands run as a user would type them, with nothing but a file between the two sides; at the
//! end every digest of the low side is looked for on the high side.

mod images;
mod proof;

use std::fs;
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::stage::Stage;

/// Runs the demo.
pub(crate) fn run() -> anyhow::Result<()> {
    println!("==> building airlift");
    let stage = Stage::build()?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;

    println!("\n==> two registries that cannot see each other");
    let low = stage.serve("low")?;
    let high = stage.serve("high")?;

    println!(
        "\n==> images on the low side: several platforms, shared layers, a signature, an SBOM"
    );
    let sources = runtime.block_on(images::fill(low.address()))?;
    let lines: Vec<_> = sources.iter().map(images::Source::line).collect();
    let list = lines.join("\n") + "\n";
    fs::write(stage.path("sources.list"), &list)?;
    print!("{list}");

    println!("\n==> low side");
    let gathered = format!("{}/gather:sync-1", low.address());
    stage.airlift(&["gather", "sources.list", &gathered, "--recursive"])?;
    stage.airlift(&["serialize", &gathered, "sync-1.tar", "--recursive"])?;
    let size = fs::metadata(stage.path("sync-1.tar")).context("there is no archive")?.len();
    println!("\n==> across the gap: sync-1.tar, {size} bytes; the low side is gone");
    let wanted = runtime.block_on(proof::read(&sources))?;
    drop(low);

    println!("\n==> high side");
    let landed = format!("{}/landed:sync-1", high.address());
    let rules = format!("nest={}/mirror", high.address());
    stage.airlift(&["deserialize", "sync-1.tar", &landed])?;
    stage.airlift(&["scatter", &landed, &rules, "--recursive", "--report", "report.json"])?;

    println!(
        "\n==> proof: every digest of the low side is on the high side, read to its last byte"
    );
    let report = fs::read_to_string(stage.path("report.json"))?;
    let (manifests, blobs) = runtime.block_on(proof::compare(&wanted, &report))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} images, {manifests} manifests and {blobs} blobs arrived, in {seconds:.1} s",
        wanted.len()
    );
    ensure!(seconds < 120.0, "the demo took longer than two minutes");
    Ok(())
}
