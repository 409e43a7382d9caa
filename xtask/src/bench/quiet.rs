//! How quiet the machine is: what others leave of its CPU while nothing is measured.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// How long is looked.
const LOOK: Duration = Duration::from_secs(2);

/// The machine at one moment, in words: for the page.
pub(super) fn words() -> String {
    let load = load();
    match busy() {
        Some(busy) => format!("load average {load}, {busy:.0} % of the CPU used by others"),
        None => format!("load average {load}"),
    }
}

/// The load average of the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// The part of the CPU that is used while this program waits, in percent.
fn busy() -> Option<f64> {
    let before = times(&fs::read_to_string("/proc/stat").ok()?)?;
    sleep(LOOK);
    let after = times(&fs::read_to_string("/proc/stat").ok()?)?;
    Some(part(before, after))
}

fn part(before: (f64, f64), after: (f64, f64)) -> f64 {
    let all = after.1 - before.1;
    if all > 0.0 { 100.0 * (after.0 - before.0) / all } else { 0.0 }
}

/// Ticks in which something ran, what ran elsewhere on the same hardware counted, and all ticks.
fn times(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what guests use is in user already.
    let all: f64 = ticks.iter().take(8).sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_idle_or_waits_for_a_disk_is_not_busy() {
        let before = times("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 1 1 1\n").unwrap();
        let after = times("cpu  20 0 20 140 10 0 0 10 9 0\n").unwrap();
        assert_eq!((before, after), ((20.0, 100.0), (50.0, 200.0)));
        assert!((part(before, after) - 30.0).abs() < 1e-9);
        assert!(part(after, after) == 0.0);
    }
}
