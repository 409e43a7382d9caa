//! `cargo xtask bench serve`: blobs from `airlift serve` beside nginx serving the same file, and
//! fast clients beside thousands of slow ones.

mod slow;
pub(super) mod speed;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use airlift_oci::types::Digest;
use anyhow::{bail, ensure};
use clap::Args;

use super::proxy::servers::{free, nginx};
use crate::process::exists;
use crate::stage::Stage;

/// Options of the benchmark of the registry.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// MiB of the blob
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Rounds; the median of them counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Clients that send one byte a second
    #[arg(long, default_value_t = 10_000)]
    slow: usize,
    /// A sentence for the page on how the machine was used meanwhile
    #[arg(long, default_value = "")]
    note: String,
    /// Where the page is written, from the root of the workspace
    #[arg(long, default_value = "docs/benchmarks-serve.md")]
    output: PathBuf,
}

/// What a blob's rate is to be, of nginx's.
const WANTED: f64 = 0.8;

/// Measures, prints, and writes the page.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.rounds > 0 && options.size > 0, "there must be something to measure");
    if !exists("nginx") {
        bail!("nginx is what this is compared with, and it is not on PATH");
    }
    println!("==> building airlift");
    let stage = Stage::build_release()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let registry = stage.serve_quietly("registry")?;
    let content: Vec<u8> = (0..options.size << 20).map(|n| (n * 31 / 7) as u8).collect();
    let digest = Digest::of(&content);
    let path = format!("/v2/a/blobs/{digest}");
    runtime.block_on(speed::push(registry.address(), "a", &digest, content))?;
    let stored = stage.path("registry/a/blobs/sha256").join(digest.hex());
    fs::create_dir_all(stage.path("files"))?;
    fs::hard_link(stored, stage.path("files/blob"))?;
    let address = free()?;
    let files = stage.path("files");
    let config = format!("server {{ listen {address}; root {}; }}\n", files.display());
    let _nginx = nginx(&stage, "peer", &address, &config)?;
    // What is read for the first time is checked against its digest.
    let first = runtime.block_on(speed::read(registry.address(), &path, 1))?;
    let mut rows = Vec::new();
    for connections in [1, 4] {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        // In turn, so that what else the machine does hits both.
        for _ in 0..options.rounds {
            let read = |address, path| runtime.block_on(speed::read(address, path, connections));
            mine.push(read(registry.address(), &path)?);
            theirs.push(read(&address, "/blob")?);
        }
        let (mine, theirs) = (speed::median(mine), speed::median(theirs));
        let ratio = mine / theirs;
        let kept = if ratio >= WANTED { "yes" } else { "no" };
        rows.push(format!(
            "| {connections} | {:.0} | {:.0} | {ratio:.2} | {kept} |",
            mine / 1e6,
            theirs / 1e6
        ));
    }
    let alone = runtime.block_on(slow::latency(registry.address()))?;
    let beside = runtime.block_on(slow::beside(registry.address(), options.slow))?;
    let page = page(options, &rows, first, alone, beside);
    println!("{page}");
    fs::write(crate::root().join(&options.output), page)?;
    Ok(())
}

fn page(
    options: &Options,
    rows: &[String],
    first: f64,
    alone: Duration,
    beside: Duration,
) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut page = format!(
        "# The registry beside nginx\n\n\
         `cargo xtask bench serve --size {} --rounds {} --slow {}` on a machine with {cores} cores that also runs the clients; the\n\
         median of the rounds. {}\n\n\
         A blob of {} MiB, from the page cache. Wanted: {WANTED} of nginx's rate, which sends the file without looking at it. Ours is checked\n\
         against its digest when it is read for the first time, here at {:.0} MB/s, and again once its file changed.\n\n\
         | connections | airlift, MB/s | nginx, MB/s | ratio | kept |\n| --- | --- | --- | --- | --- |\n",
        options.size,
        options.rounds,
        options.slow,
        options.note,
        options.size,
        first / 1e6
    );
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{row}");
    }
    let _ = writeln!(
        page,
        "\nA new connection and one request on it, the slowest of 200: {:.1} ms alone, {:.1} ms beside {} clients that send one byte a\n\
         second of an upload each.",
        alone.as_secs_f64() * 1e3,
        beside.as_secs_f64() * 1e3,
        options.slow
    );
    page
}
