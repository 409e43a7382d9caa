//! Kills: serialize ends by SIGKILL at any moment; gone on with, it leaves the same archive.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use airlift_tests::noise;
use anyhow::{Context, ensure};
use tokio::runtime::Runtime;

use super::{fill, room};
use crate::stage::Stage;

const MIB: u64 = 1 << 20;
/// Layers of the image: enough that a run takes a moment, and with ends of entries everywhere.
const LAYERS: [u64; 24] =
    [60, 1, 1, 30, 2, 3, 1, 12, 1, 1, 7, 1, 20, 1, 5, 1, 1, 40, 1, 1, 9, 2, 1, 16];
/// How runs differ, by turns.
const WAYS: [&[&str]; 3] = [
    &["--checkpoint", "killed.ledger"],
    &[],
    &["--checkpoint", "killed.ledger", "--compression", "zstd"],
];

/// Kills `kills` runs and goes on with each.
pub(super) fn run(stage: &Stage, runtime: &Runtime, kills: usize, seed: u64) -> anyhow::Result<()> {
    let sizes: Vec<u64> = LAYERS.iter().map(|size| size * MIB + 7).collect();
    room(stage, sizes.iter().sum::<u64>() * 5)?;
    runtime.block_on(fill::image(&stage.path("small/killed"), 9, &sizes))?;
    let registry = stage.serve_quietly("small")?;
    let image = format!("{}/killed:latest", registry.address());
    let mut moments = moments(seed);
    let mut wholes = Vec::new();
    for way in WAYS {
        let begun = Instant::now();
        ensure!(serialize(stage, &image, way, &[]).status()?.success(), "serialize failed");
        let took = begun.elapsed();
        fs::rename(stage.path("killed.tar"), stage.path("whole.tar"))?;
        wholes.push((took, fs::read(stage.path("whole.tar"))?));
        clean(stage);
    }
    let (mut killed, mut tries, mut early) = (0, 0, 0);
    while killed < kills {
        ensure!(tries < kills * 4 + 20, "most runs end before they can be killed");
        let way = tries % WAYS.len();
        tries += 1;
        let (took, whole) = &wholes[way];
        if !kill(serialize(stage, &image, WAYS[way], &[]), *took, &mut moments)? {
            clean(stage);
            continue;
        }
        killed += 1;
        early += usize::from(!stage.path("killed.tar.partial").exists());
        // What goes on may be killed too.
        while moments.next().unwrap_or_default() < 0.3 {
            if !kill(serialize(stage, &image, WAYS[way], &["--resume"]), *took, &mut moments)? {
                break;
            }
            killed += 1;
        }
        finish(stage, &image, WAYS[way], whole)
            .with_context(|| format!("after kill {killed}, seed {seed}"))?;
        clean(stage);
    }
    println!(
        "{killed} kills, {early} before the first byte: every archive is the one of a whole run"
    );
    Ok(())
}

/// Goes on to the end and compares.
fn finish(stage: &Stage, image: &str, way: &[&str], whole: &[u8]) -> anyhow::Result<()> {
    if !stage.path("killed.tar").exists() {
        let output = serialize(stage, image, way, &["--resume"]).stderr(Stdio::piped()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "going on failed: {}", said.trim());
    }
    let found = fs::read(stage.path("killed.tar"))?;
    ensure!(found == whole, "the archive is another one: {way:?}");
    Ok(())
}

/// Starts a run and kills it; whether it was killed, and had not ended before.
fn kill(
    mut command: Command,
    took: Duration,
    moments: &mut impl Iterator<Item = f64>,
) -> anyhow::Result<bool> {
    let mut child = command.spawn()?;
    sleep(took.mul_f64(moments.next().unwrap_or_default()));
    let ended = child.try_wait()?;
    child.kill()?;
    child.wait()?;
    Ok(ended.is_none())
}

fn serialize(stage: &Stage, image: &str, way: &[&str], more: &[&str]) -> Command {
    let mut command = stage.command();
    command.args(["--quiet", "serialize", image, "killed.tar"]).args(way).args(more);
    command.stdout(Stdio::null());
    command
}

/// Removes what a run left.
fn clean(stage: &Stage) {
    for name in ["killed.tar", "killed.tar.partial", "killed.ledger"] {
        // Not all are there.
        let _ = fs::remove_file(stage.path(name));
    }
}

/// Numbers between 0 and 1.
fn moments(seed: u64) -> impl Iterator<Item = f64> {
    let bytes = noise(seed, 1 << 16);
    (0..).map(move |at: usize| {
        let at = at * 2 % bytes.len();
        f64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])) / 65536.0
    })
}
