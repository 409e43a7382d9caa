//! What a process costs: wall time, CPU time, and the most memory that it ever held.
//!
//! Read from `/proc` while it runs and, for its CPU time, once it has ended but is not yet reaped.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Ticks a second in `/proc/PID/stat`: the same on every Linux that people run.
const TICKS: f64 = 100.0;

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of CPU, of all threads, and of processes that it started and waited for.
    pub(crate) cpu: f64,
    /// Peak resident memory, in bytes: its own, or that of the largest process that it started.
    pub(crate) peak: u64,
    /// Bytes written to file systems on disks.
    pub(crate) written: u64,
}

/// Runs a command to its end. Its output is kept back and shown when it fails.
pub(crate) fn measure(command: &mut Command) -> anyhow::Result<Cost> {
    measure_with(command, || ())
}

/// The same, looking at something else as often as at the process.
pub(crate) fn measure_with(command: &mut Command, look: impl FnMut()) -> anyhow::Result<Cost> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output.reopen()?);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("starting {name} failed"))?;
    let mut cost = watch(&mut child, look)?;
    cost.wall = begun.elapsed().as_secs_f64();
    let status = child.wait()?;
    if !status.success() {
        let said = fs::read_to_string(output.path()).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("{name} ended with {status}: {}", last.join(" / "));
    }
    Ok(cost)
}

/// Peak resident memory of a process so far, in bytes.
pub(crate) fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The processes that a process has started, where the system tells.
fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Bytes that a process has written to disks so far, those that are still in the page cache
/// counted; not those to pipes, sockets and memory.
fn written(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// Looks at a process until it has ended; it is left to be reaped.
fn watch(child: &mut Child, mut look: impl FnMut()) -> anyhow::Result<Cost> {
    let pid = child.id();
    let mut cost = Cost::default();
    loop {
        let largest = children(pid).into_iter().chain([pid]).filter_map(peak).max();
        cost.peak = largest.unwrap_or(0).max(cost.peak);
        cost.written = written(pid).unwrap_or(0).max(cost.written);
        look();
        let (ended, cpu) = state(pid).context("/proc does not tell of the process")?;
        cost.cpu = cpu;
        if ended {
            return Ok(cost);
        }
        sleep(LOOK);
    }
}

/// Whether a process has ended, and the CPU time that it had.
fn state(pid: u32) -> Option<(bool, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything but ends at the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    // Its own, and that of its children that it has waited for.
    let cpu = (ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?) / TICKS;
    Some((matches!(*fields.first()?, "Z" | "X"), cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.1";
        let cost = measure(Command::new("sh").args(["-c", script])).unwrap();
        assert!(cost.wall >= 0.1 && cost.cpu > 0.0 && cost.peak > 100_000, "{cost:?}");
        let failed = measure(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(failed.to_string().contains("why"), "{failed}");
    }
}
