//! `cargo xtask bench proxy`: requests a second, latency and memory of `airlift proxy`, beside nginx
//! in front of the same two registries.
//!
//! The registries are nginx over files, so that what is measured is what stands before them. nginx
//! as the proxy passes manifests on and asks the second registry after a 404 of the first; its
//! redirects are written without asking anybody, which is the most that can be had.

mod load;
pub(super) mod servers;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;

use self::load::{Figures, Load};
use self::servers::Ground;
use crate::process::exists;
use crate::stage::Stage;

/// Options of the benchmark of the proxy.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Connections that ask at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; the median of them counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A sentence for the page on how the machine was used meanwhile
    #[arg(long, default_value = "")]
    note: String,
    /// Where the page is written, from the root of the workspace
    #[arg(long, default_value = "docs/benchmarks-proxy.md")]
    output: PathBuf,
}

/// What is asked for, and the status that answers it.
fn asked(ground: &Ground) -> [(&'static str, Vec<String>, u16); 5] {
    let one = |path: &str| vec![path.to_owned()];
    [
        ("one tag, in the hot registry, by all", one(servers::IN_HOT), 200),
        ("1,000 tags in turn, in the hot registry", servers::many_in_hot(), 200),
        ("one digest, in the hot registry", vec![ground.by_digest()], 200),
        ("one tag, in the cold registry, by all", one(servers::IN_COLD), 200),
        ("one blob, by redirect", one(servers::BLOB), 307),
    ]
}

/// The bounds that the proxy is to keep.
const RATE: f64 = 0.5;
const TAIL: f64 = 2.0;
const MEMORY: u64 = 64 << 20;

struct Row {
    what: &'static str,
    ours: Figures,
    theirs: Figures,
}

/// Measures, prints, and writes the page.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.connections > 0 && options.rounds > 0, "there must be something to measure");
    if !exists("nginx") {
        bail!("nginx is what this is compared with, and it is not on PATH");
    }
    println!("==> building airlift");
    let stage = Stage::build_release()?;
    let ground = Ground::lay(&stage)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (ours, theirs) = (ground.airlift(&stage)?, ground.nginx(&stage)?);
    let mut rows = Vec::new();
    for (what, paths, status) in asked(&ground) {
        let load = Load {
            paths: paths.into(),
            status,
            connections: options.connections,
            time: Duration::from_secs(options.seconds),
        };
        // In turn, so that what else the machine does hits both.
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            mine.push(runtime.block_on(load.run(ours.address()))?);
            other.push(runtime.block_on(load.run(theirs.address()))?);
        }
        let row = Row { what, ours: load::median(mine), theirs: load::median(other) };
        println!("{}", line(&row));
        rows.push(row);
    }
    let held = runtime.block_on(load::hold(ours.address(), 1000, servers::IN_HOT))?;
    let memory = ours.peak().unwrap_or(u64::MAX);
    drop(held);
    let page = page(options, &rows, memory);
    println!("{page}");
    fs::write(crate::root().join(&options.output), page)?;
    Ok(())
}

fn line(row: &Row) -> String {
    let (ours, theirs) = (&row.ours, &row.theirs);
    let rate = ours.rate / theirs.rate;
    let tail = ours.p99.as_secs_f64() / theirs.p99.as_secs_f64();
    let kept = if rate >= RATE && tail <= TAIL { "yes" } else { "no" };
    format!(
        "| {} | {:.0} | {:.0} | {rate:.2} | {:.2} | {:.2} | {tail:.2} | {kept} |",
        row.what,
        ours.rate,
        theirs.rate,
        ours.p99.as_secs_f64() * 1e3,
        theirs.p99.as_secs_f64() * 1e3,
    )
}

fn page(options: &Options, rows: &[Row], memory: u64) -> String {
    let mut page = String::from("# The proxy beside nginx\n\n");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "`cargo xtask bench proxy --connections {} --seconds {} --rounds {}` on a machine with {cores} cores that also \
         runs both registries and the clients; the median of the rounds. {}\n\n\
         Wanted: at least {RATE} of nginx's requests a second, p99 at most {TAIL} times nginx's.\n\n\
         | asked for | airlift, 1/s | nginx, 1/s | ratio | airlift p99, ms | nginx p99, ms | ratio | kept |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |",
        options.connections, options.seconds, options.rounds, options.note
    );
    for row in rows {
        let _ = writeln!(page, "{}", line(row));
    }
    let kept = if memory < MEMORY { "less" } else { "not less" };
    let _ = writeln!(
        page,
        "\nThe most memory that the proxy ever held, with 1,000 connections open at the end: {:.1} MiB, {kept} than the {} MiB wanted.\n\n\
         The registries are nginx over files. nginx as the proxy passes manifests on over kept connections, and asks the cold registry after \
         a 404 of the hot one; it checks no digest. Of those who ask for one tag at the same time ours asks the registry once for all, with a question \
         that was sent after each of them came; a manifest asked for by digest it has in memory for 30 s. nginx caches nothing, as it must not \
         of tags. Its redirects are a constant, written without asking anybody; ours are remembered \
         for 30 s and then asked for.",
        memory as f64 / f64::from(1 << 20),
        MEMORY >> 20
    );
    page
}
