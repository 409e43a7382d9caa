//! Memory: several GiB pass through every verb, and no process may hold more than its bound.

use std::fs;
use std::process::Command;

use anyhow::ensure;
use tokio::runtime::Runtime;

use super::{fill, mib, room};
use crate::meter::{Cost, measure, peak};
use crate::stage::{Registry, Stage};

const MIB: u64 = 1 << 20;
/// Bytes of the buffer that serialize gets.
const BUFFER: u64 = 64 * MIB;
/// Layers of each image, in MiB at scale 1: one blob of 4 GiB, some large ones, many small ones.
const IMAGES: [&[u64]; 4] = [&[4096], &[512, 256, 64], &[512, 128, 32, 16, 8], &[1; 64]];

/// Fills a registry, carries it across, and checks what that took.
pub(super) fn run(stage: &Stage, runtime: &Runtime, scale: f64) -> anyhow::Result<()> {
    let sizes: Vec<Vec<u64>> = IMAGES
        .iter()
        .map(|sizes| {
            sizes.iter().map(|size| ((*size * MIB) as f64 * scale).max(1.0) as u64).collect()
        })
        .collect();
    let total: u64 = sizes.iter().flatten().sum();
    // Three times at once: a registry, its successor, and the archive between them.
    room(stage, total * 3 + total / 4)?;
    for (number, sizes) in (0..).zip(&sizes) {
        let directory = stage.path(&format!("low/soak/image-{number}"));
        runtime.block_on(fill::image(&directory, number, sizes))?;
    }
    let low = stage.serve_quietly("low")?;
    let staging = stage.serve_quietly("staging")?;
    let list: Vec<String> = (0..IMAGES.len())
        .map(|number| format!("{}/soak/image-{number}:latest", low.address()))
        .collect();
    fs::write(stage.path("sources.list"), list.join("\n"))?;
    let gathered = format!("{}/gather:soak", staging.address());
    let run = |name: &str, bound: u64, arguments: &[&str]| {
        one(name, total, bound, stage.command().arg("--quiet").args(arguments))
    };
    run("gather", 150 * MIB, &["gather", "sources.list", &gathered])?;
    served(&low, "read from");
    drop(low);
    fs::remove_dir_all(stage.path("low"))?;
    let buffer = BUFFER.to_string();
    let bound = BUFFER + 100 * MIB;
    run("serialize", bound, &["serialize", &gathered, "soak.tar", "--buffer-size", &buffer])?;
    served(&staging, "written to and read from");
    drop(staging);
    fs::remove_dir_all(stage.path("staging"))?;
    let high = stage.serve_quietly("high")?;
    let landed = format!("{}/landed:soak", high.address());
    run("deserialize", 150 * MIB, &["deserialize", "soak.tar", &landed])?;
    served(&high, "written to");
    drop(high);
    fs::remove_dir_all(stage.path("high"))?;
    Ok(fs::remove_file(stage.path("soak.tar"))?)
}

/// Runs one verb, prints what it took, and holds its memory against `bound`.
fn one(name: &str, total: u64, bound: u64, command: &mut Command) -> anyhow::Result<Cost> {
    let cost = measure(command)?;
    println!(
        "{name:<12} {:>6.1} s  {:>6.0} MB/s  CPU {:>6.1} s  peak memory {} (bound {})",
        cost.wall,
        total as f64 / 1e6 / cost.wall,
        cost.cpu,
        mib(cost.peak),
        mib(bound)
    );
    ensure!(cost.peak > 0 && cost.peak < bound, "{name} held {} of memory", mib(cost.peak));
    Ok(cost)
}

fn served(registry: &Registry, how: &str) {
    let peak = peak(registry.id()).map_or_else(|| "unknown".to_owned(), mib);
    println!("  the registry that was {how}: peak memory {peak}");
}
