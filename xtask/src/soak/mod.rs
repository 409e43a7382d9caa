//! `cargo xtask soak`: what takes too long for every change.
//!
//! Memory must not grow with the size of a blob: several GiB are gathered, serialized and read
//! back, and the most memory that each process held is compared with a bound. And an archive that
//! was killed at any moment and gone on with must be the one that was never killed.

mod fill;
mod kills;
mod memory;

use anyhow::{Context, ensure};
use clap::Args;

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
}

/// Runs the soak.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.scale > 0.0, "--scale must be above 0");
    println!("==> building airlift");
    let stage = Stage::build_release()?;
    let runtime = tokio::runtime::Runtime::new()?;
    println!("\n==> memory");
    let memory = memory::run(&stage, &runtime, options.scale);
    if let Err(error) = &memory {
        println!("memory: {error:#}");
    }
    println!("\n==> kills");
    // Tried whatever came of the other.
    kills::run(&stage, &runtime, options.kills, options.seed)?;
    memory
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
