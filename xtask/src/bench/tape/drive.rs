//! A drive that wants its bytes at one rate: a reader of the archive, by the clock.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::stage::Stage;

/// Bytes that the drive takes at once.
const PIECE: usize = 1 << 20;
/// A gap longer than this stops a drive.
const GAP: Duration = Duration::from_millis(50);

/// How the drive fared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fared {
    /// Stalls, as the buffer counted them.
    pub(super) stalls: u64,
    /// Times that the drive itself had to wait.
    pub(super) gaps: u64,
    /// Bytes a second from the first byte to the last.
    pub(super) rate: f64,
}

/// Serializes `image` with the options `more` to a drive that takes `rate` bytes a second.
pub(super) fn run(stage: &Stage, image: &str, rate: f64, more: &[&str]) -> anyhow::Result<Fared> {
    let log = stage.path("drive.json");
    let mut command = stage.command();
    command.args(["serialize", image, "-", "--progress", "none"]).args(more);
    command.arg("--debug").arg(&log).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("starting airlift failed")?;
    let read = child.stdout.take().context("an archive on standard output")?;
    let took = take(read, rate);
    let status = child.wait()?;
    ensure!(status.success(), "airlift serialize to the drive ended with {status}");
    let (gaps, rate) = took?;
    let text = fs::read_to_string(&log)?;
    let stalls = text.lines().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event.get("stalls")?.as_u64()
    });
    fs::remove_file(log)?;
    Ok(Fared { stalls: stalls.context("the run did not tell of its buffer")?, gaps, rate })
}

/// Takes everything; how often it had to wait, and the rate in the end.
fn take(mut from: impl Read, rate: f64) -> anyhow::Result<(u64, f64)> {
    let mut piece = vec![0; PIECE];
    let (mut begun, mut free) = (None, Instant::now());
    let (mut gaps, mut bytes) = (0, 0);
    loop {
        let mut filled = 0;
        while filled < piece.len() {
            match from.read(&mut piece[filled..])? {
                0 => break,
                length => filled += length,
            }
        }
        let now = Instant::now();
        let Some(begun) = begun else {
            ensure!(filled > 0, "the drive got nothing");
            (begun, free, bytes) = (Some(now), now, 0);
            continue;
        };
        bytes += filled;
        if filled < piece.len() {
            return Ok((gaps, bytes as f64 / now.duration_since(begun).as_secs_f64()));
        }
        if now > free + GAP {
            (gaps, free) = (gaps + 1, now);
        }
        free += Duration::from_secs_f64(filled as f64 / rate);
        sleep(free.saturating_duration_since(Instant::now()));
    }
}
