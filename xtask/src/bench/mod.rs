//! `cargo xtask bench`: every verb measured, beside what others and the machine can do.

mod bare;
mod chart;
mod delay;
mod limits;
mod page;
mod peers;
mod proxy;
mod quiet;
mod registries;
mod relay;
mod requests;
mod scenario;
mod serve;
mod steps;
mod tape;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use airlift_tests::corpus::Corpus;
use anyhow::ensure;
use clap::{Args, Subcommand, ValueEnum};

use self::delay::Line;
use self::page::Page;
use self::peers::Tool;
use self::quiet::load;
use self::registries::Kind;
use self::scenario::{Bench, Scenario};
use crate::process::{self, cargo};
use crate::stage::Stage;

/// Options of the benchmark.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// How large the layers are: at 1 the corpus has 1.1 GB
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Rounds; the median of them counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Rounds in which other programs take part; all of them when it is not given
    #[arg(long, value_name = "N")]
    peer_rounds: Option<usize>,
    /// Where the registries are; repeatable, both when it is not given
    #[arg(long, value_enum)]
    line: Vec<Distance>,
    /// Only this step and those that it stands on; repeatable
    #[arg(long, value_name = "STEP")]
    step: Vec<String>,
    /// Only with this kind of registry; repeatable
    #[arg(long, value_enum)]
    registry: Vec<Kind>,
    /// Leave out other programs
    #[arg(long)]
    alone: bool,
    /// Also write a trace of each of our own steps into this directory
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// A table on growth for the page, as `soak --only growth --table FILE` writes it
    #[arg(long, value_name = "FILE")]
    growth: Option<PathBuf>,
    /// A sentence for the page on how the machine was used meanwhile
    #[arg(long, default_value = "")]
    note: String,
    /// Where the page is written, from the root of the workspace
    #[arg(long, default_value = "docs/benchmarks.md")]
    output: PathBuf,
}

/// Other things to measure than the verbs.
#[derive(Debug, Clone, Subcommand)]
enum What {
    /// `airlift proxy` beside nginx
    Proxy(proxy::Options),
    /// `airlift serve` beside nginx, and beside slow clients
    Serve(serve::Options),
    /// Archives: speed, a steady drive, and memory
    Tape(tape::Options),
}

/// How far away registries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Distance {
    /// On the loopback interface.
    Near,
    /// 40 ms away, at 20 MB/s a connection.
    Far,
}

/// Runs the benchmark, as a release build of itself.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        // The corpus, the line and the bare loop must not be what is slow.
        let again = std::env::args_os().skip(1);
        let build = ["run", "--quiet", "--release", "--package", "xtask", "--"];
        return process::run(cargo().args(build).args(again));
    }
    if let Some(What::Proxy(options)) = &options.what {
        return proxy::run(options);
    }
    if let Some(What::Serve(options)) = &options.what {
        return serve::run(options);
    }
    if let Some(What::Tape(options)) = &options.what {
        return tape::run(options);
    }
    ensure!(options.scale > 0.0 && options.rounds > 0, "--scale and --rounds must be above 0");
    steps::check(&options.step)?;
    println!("==> building airlift");
    let stage = Stage::build_release()?;
    let runtime = tokio::runtime::Runtime::new()?;
    println!("==> the corpus");
    let corpus = Corpus::scaled(options.scale);
    let blobs = bare::blobs(&corpus);
    let bytes: u64 = blobs.values().map(|(_, size)| size).sum();
    let tools = if options.alone { vec![Tool::Airlift] } else { Tool::found() };
    let rounds = options.rounds;
    let peer_rounds = options.peer_rounds.unwrap_or(rounds);
    let traces = options.traces.clone();
    let (stage, runtime, corpus) = (&stage, &runtime, &corpus);
    let steps = options.step.clone();
    let bench = Bench { stage, runtime, corpus, blobs, tools, rounds, peer_rounds, traces, steps };
    let limits = limits::measure(stage, bytes)?;
    let before = quiet::words();
    let mut tables = Vec::new();
    for scenario in scenarios(options) {
        println!("\n==> {} {:?}", scenario.kind.name(), scenario.line);
        tables.push((scenario, bench.run(scenario)?));
    }
    println!("\n==> requests");
    let asked = requests::count(&bench)?;
    let setting = setting(options, &before);
    let growth = options.growth.as_ref().map(fs::read_to_string).transpose()?;
    let path = crate::root().join(&options.output);
    let picture = path.with_extension("svg");
    let name = picture.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let tools = bench.tools.clone();
    let page = Page { setting, limits, bytes, tools, tables, asked, growth, picture: name };
    fs::write(&picture, page.picture())?;
    fs::write(&path, page.text())?;
    println!("written: {}", path.display());
    Ok(())
}

/// Every kind of registry near by; at the end of a line ours alone, since there the line is what
/// limits, and another program takes minutes.
fn scenarios(options: &Options) -> Vec<Scenario> {
    let far = Line { round_trip: Duration::from_millis(40), rate: 20e6 };
    let lines = &options.line[..];
    let lines = if lines.is_empty() { &[Distance::Near, Distance::Far] } else { lines };
    let line = |distance: &Distance| (*distance == Distance::Far).then_some(far);
    let mut kinds = Kind::found();
    kinds.retain(|kind| options.registry.is_empty() || options.registry.contains(kind));
    lines
        .iter()
        .flat_map(|distance| {
            let kinds =
                if *distance == Distance::Far { &kinds[..kinds.len().min(1)] } else { &kinds[..] };
            kinds.iter().map(move |kind| Scenario { kind: *kind, line: line(distance) })
        })
        .collect()
}

/// On what the figures were taken, in words.
fn setting(options: &Options, before: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "Taken with `--scale {} --rounds {}` on a machine with {cores} cores; at the start \
         {before}, at the end {}.",
        options.scale,
        options.rounds,
        quiet::words()
    );
    if let Some(peer_rounds) = options.peer_rounds {
        let _ = write!(text, " Other programs took part in the first {peer_rounds} rounds only.");
    }
    if !options.note.is_empty() {
        text.push(' ');
        text += &options.note;
    }
    text
}
