//! `cargo xtask bench tape`: how fast archives are written and read, beside what the machine and the
//! network can do, a drive that wants its bytes steadily, and memory.

mod bursts;
mod drive;
mod machine;
mod page;
mod rig;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use self::bursts::Rhythm;
use self::page::{Page, Row};
use self::rig::Rig;
use super::bare;
use super::delay::Line;
use super::serve::speed::median;
use crate::stage::Stage;

/// Options of the benchmark of archives.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How large the blobs are: at 1 the image has 0.9 GiB, and the large blob 2 GiB
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Rounds; the median of them counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure only this, and write no page
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// A sentence for the page on how the machine was used meanwhile
    #[arg(long, default_value = "")]
    note: String,
    /// Where the page is written, from the root of the workspace
    #[arg(long, default_value = "docs/benchmarks-tape.md")]
    output: PathBuf,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Beside the machine
    Near,
    /// Over a line
    Far,
    /// To a drive
    Drive,
    /// Memory for a large blob
    Memory,
}

/// The line to a registry far away, and how many connections there may be on it.
const FAR: Line = Line { round_trip: Duration::from_millis(40), rate: 20e6 };
const CONNECTIONS: usize = 10;
/// What is wanted of the machine's rate, and of the line's.
const OF_MACHINE: f64 = 0.8;
const OF_LINE: f64 = 0.7;
/// What the drive wants, in bytes a second.
const DRIVE: f64 = 160e6;
/// What the network gives it.
const RHYTHM: Rhythm =
    Rhythm { burst: Duration::from_secs(1), silence: Duration::from_millis(500), rate: 300e6 };
const MIB: u64 = 1 << 20;
/// Memory above the buffer that a run may take.
const BESIDE: u64 = 100 * MIB;

/// Measures, prints, and writes the page.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.scale > 0.0 && options.rounds > 0, "--scale and --rounds must be above 0");
    println!("==> building airlift");
    let stage = Stage::build_release()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let before = super::load();
    println!("==> the images");
    let rig = Rig::build(&stage, &runtime, options.scale)?;
    let mut page = Page::new(rig.bytes());
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Part::Near) {
        println!("==> beside the machine");
        near(&rig, options.rounds, &mut page)?;
    }
    if wanted(Part::Far) {
        println!("==> over a line");
        far(&rig, options.rounds, &mut page)?;
    }
    if wanted(Part::Drive) {
        println!("==> a drive");
        steady(&rig, &mut page)?;
    }
    if wanted(Part::Memory) {
        println!("==> a large blob");
        memory(&rig, &mut page)?;
    }
    let setting = format!(
        "`cargo xtask bench tape --scale {} --rounds {}`; load average {before} at the start and {} at the end, the benchmark's own\n\
         load included. {}",
        options.scale,
        options.rounds,
        super::load(),
        options.note
    );
    let text = page.text(setting.trim());
    println!("\n{text}");
    if options.only.is_some() {
        return Ok(());
    }
    Ok(std::fs::write(crate::root().join(&options.output), text)?)
}

/// From and to a registry on the loopback interface, in turns with `dd` and `sha256sum`.
fn near(rig: &Rig<'_>, rounds: usize, page: &mut Page) -> anyhow::Result<()> {
    let (mut writing, mut reading, mut copying, mut hashing) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        writing.push(rig.serialize(rig.low(), &[])?.wall);
        let took = rig.machine()?;
        copying.push(took.copy);
        hashing.push(took.hash);
        let cost = rig.deserialize(None, &[])?;
        reading.push(cost.wall);
        page.peak = page.peak.max(cost.peak / MIB);
        rig.clear()?;
    }
    let machine = machine::Took { copy: median(copying), hash: median(hashing) };
    page.machine = Some(machine);
    for (verb, took) in [("serialize", writing), ("deserialize", reading)] {
        let ratio = machine.slower() / median(took.clone());
        let measured = format!("{:.0} MB/s", rig.rate(median(took)));
        let beside = format!("{:.0} MB/s", rig.rate(machine.slower()));
        page.rows.push(Row::ratio(
            &format!("{verb}, loopback"),
            measured,
            beside,
            ratio,
            OF_MACHINE,
        ));
    }
    Ok(())
}

/// From and to a registry at the end of a line, in turns with the bare loop.
fn far(rig: &Rig<'_>, rounds: usize, page: &mut Page) -> anyhow::Result<()> {
    let limit = CONNECTIONS.to_string();
    let more = ["--concurrent-http", &limit];
    let (mut writing, mut reading, mut getting, mut putting) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let line = rig.line(rig.low(), FAR)?;
        writing.push(rig.serialize(&line.address(), &more)?.wall);
        getting.push(rig.bare(&line.address(), None, CONNECTIONS)?);
        drop(line);
        reading.push(rig.deserialize(Some(FAR), &more)?.wall);
        putting.push(rig.bare_put(FAR, CONNECTIONS)?);
        rig.clear()?;
    }
    let line = FAR.rate * CONNECTIONS as f64;
    for (verb, took, bare) in [("serialize", writing, getting), ("deserialize", reading, putting)] {
        let (rate, bare) = (rig.rate(median(took)), rig.rate(median(bare)));
        let what = format!("{verb}, 40 ms and {CONNECTIONS} × 20 MB/s");
        let beside = format!("{:.0} MB/s (the bare loop: {bare:.0} MB/s)", line / 1e6);
        let ratio = rate * 1e6 / line;
        page.rows.push(Row::ratio(&what, format!("{rate:.0} MB/s"), beside, ratio, OF_LINE));
    }
    Ok(())
}

/// To a drive, from a network with bursts; and with a buffer that cannot be enough.
fn steady(rig: &Rig<'_>, page: &mut Page) -> anyhow::Result<()> {
    for (buffer, wanted) in [("128Mi", Some(1)), ("16Mi", None)] {
        let network = rig.runtime.block_on(bursts::start(rig.low().to_owned(), RHYTHM))?;
        if wanted.is_some() {
            let bare = rig.bare(&network.address(), None, CONNECTIONS)?;
            page.bursts = Some(rig.rate(bare));
        }
        let more = ["--hwm", "80", "--buffer-size", buffer];
        let fared = drive::run(rig.stage, &Rig::image(&network.address()), DRIVE, &more)?;
        let what = format!("a drive of {:.0} MB/s, buffer {buffer}B", DRIVE / 1e6);
        let measured = format!(
            "{} stalls, {} gaps at the drive, {:.0} MB/s",
            fared.stalls,
            fared.gaps,
            fared.rate / 1e6
        );
        let beside = format!("{:.0} MB/s in bursts", RHYTHM.mean() / 1e6);
        page.rows.push(Row::most(&what, measured, beside, fared.stalls.max(fared.gaps), wanted));
    }
    Ok(())
}

/// The most memory that a blob of 2 GiB takes.
fn memory(rig: &Rig<'_>, page: &mut Page) -> anyhow::Result<()> {
    let large = rig.large()?;
    for (verb, buffer, peak) in
        [("serialize", 64, large.serialize), ("deserialize", 0, large.deserialize)]
    {
        let bound = buffer * MIB + BESIDE;
        let what = format!("{verb}, one blob of {} MiB", large.bytes / MIB);
        let measured = format!("{} MiB at most", peak / MIB);
        let beside = if buffer == 0 { "no -m".to_owned() } else { format!("-m {buffer} MiB") };
        page.rows.push(Row::most(&what, measured, beside, peak / MIB, Some(bound / MIB)));
    }
    // Many blobs at once are another load than one that is large.
    let (what, peak) = ("deserialize, loopback, many blobs", page.peak);
    let measured = format!("{peak} MiB at most");
    page.rows.push(Row::most(what, measured, "no -m".to_owned(), peak, Some(BESIDE / MIB)));
    Ok(())
}
