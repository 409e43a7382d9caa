//! `cargo xtask soak`: what takes too long for every change.
//!
//! Memory must not grow with the size of a blob: several GiB are gathered, serialized and read
//! back, and the most memory that each process held is compared with a bound. Nothing may be staged
//! on the disk where nothing is said to be. Time and memory for an image may not grow with the
//! number of images. And an archive that was killed at any moment and gone on with must be the one
//! that was never killed.

mod disk;
pub(crate) mod fill;
mod growth;
mod kills;
mod memory;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use crate::stage::Stage;

/// Options of the soak.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How large the blobs are: at 1 the largest has 4 GiB and some 20 GB of disk are needed
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How often serialize is killed
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Where the random moments begin: the same number gives the same moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The most images of the run that looks for growth
    #[arg(long, default_value_t = 10_000)]
    images: u64,
    /// Where the run that looks for growth writes its table, as Markdown
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// With the program as it is while it is worked on, which is there sooner and is slower
    #[arg(long)]
    debug: bool,
    /// Only this part of the soak; repeatable
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

/// A part of the soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory that large blobs take.
    Memory,
    /// What is written to the disk.
    Disk,
    /// Time and memory that many images take.
    Growth,
    /// Archives that are killed.
    Kills,
}

/// Runs the soak.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.scale > 0.0, "--scale must be above 0");
    println!("==> building airlift");
    let stage = if options.debug { Stage::build()? } else { Stage::build_release()? };
    let runtime = Runtime::new()?;
    let mut failed = Vec::new();
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        let name = format!("{part:?}").to_lowercase();
        println!("\n==> {name}");
        // Each is tried whatever came of the others.
        if let Err(error) = one(*part, &stage, &runtime, options) {
            println!("{name}: {error:#}");
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn one(part: Part, stage: &Stage, runtime: &Runtime, options: &Options) -> anyhow::Result<()> {
    match part {
        Part::Memory => memory::run(stage, runtime, options.scale),
        Part::Disk => disk::run(stage, runtime, options.scale),
        Part::Growth => growth::run(stage, runtime, options.images, options.table.as_deref()),
        Part::Kills => kills::run(stage, runtime, options.kills, options.seed),
    }
}

/// Fails when there is too little room for `needed` bytes beside the stage.
fn room(stage: &Stage, needed: u64) -> anyhow::Result<()> {
    let fs = rustix::fs::statvfs(stage.directory()).context("asking for free space failed")?;
    let free = fs.f_bavail * fs.f_frsize;
    let place = stage.directory().display();
    println!("needs {} in {place}, {} are free", gib(needed), gib(free));
    ensure!(
        free > needed,
        "{place} has {} free and {} are needed: give a smaller --scale, or set TMPDIR",
        gib(free),
        gib(needed)
    );
    Ok(())
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}
