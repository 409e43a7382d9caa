//! The machine's limits: how fast it writes a file and hashes, on its own, and how long it takes to
//! write the very file that a step has written.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use airlift_oci::types::{Algorithm, Hasher};
use airlift_tests::noise;
use anyhow::ensure;

use crate::stage::Stage;

/// What the machine can do, in MB/s.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A file written and made durable, in blocks of 1 MiB.
    pub(super) write: f64,
    /// SHA-256 on one core.
    pub(super) hash: f64,
}

/// Measures `bytes` of each.
pub(super) fn measure(stage: &Stage, bytes: u64) -> anyhow::Result<Limits> {
    let block = noise(1, 1 << 20);
    let blocks = bytes.div_ceil(block.len() as u64).max(1);
    let moved = blocks as f64 * block.len() as f64 / 1e6;
    let path = stage.path("limits");
    let begun = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..blocks {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let write = moved / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    let begun = Instant::now();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for _ in 0..blocks {
        hasher.update(&block);
    }
    hasher.finish();
    Ok(Limits { write, hash: moved / begun.elapsed().as_secs_f64() })
}

/// Seconds in which `dd` copies a file of the stage to one that is safe on the disk at its end.
pub(super) fn copy(stage: &Stage, file: &str) -> anyhow::Result<f64> {
    let mut command = stage.other("dd");
    let from = format!("if={file}");
    command.args([&from, "of=limits", "bs=1M", "conv=fsync"]).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(status.success(), "dd ended with {status}");
    std::fs::remove_file(stage.path("limits"))?;
    Ok(took)
}
