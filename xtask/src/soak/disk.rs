//! The disk: `archive` writes the medium and nothing else, `unarchive` nothing at all.
//!
//! What each process has written to disks is counted by the kernel; and the directories where a
//! program might leave something are looked at all the while. Hints of what registries have, a
//! few bytes a blob, are the one thing that is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use tokio::runtime::Runtime;

use super::{fill, gib, mib, room};
use crate::meter::measure_with;
use crate::stage::Stage;

const MIB: u64 = 1 << 20;
/// Layers of each image, in MiB at scale 1: 4 GiB in all.
const IMAGES: [&[u64]; 3] = [&[2048], &[512, 512, 256], &[16; 48]];
/// Bytes that may be written beside the medium: logs, a line of a ledger.
const ALLOWANCE: u64 = MIB;
/// The hints' directory.
const HINTS: &str = "cache/airlift/blobs";
/// Where a program might write: working directory, home, temporary files, cache, state, settings.
const PLACES: [(&str, &str); 6] = [
    ("", "work"),
    ("HOME", "home"),
    ("TMPDIR", "tmp"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_STATE_HOME", "state"),
    ("XDG_DATA_HOME", "data"),
];

/// Archives several GiB and unarchives them again, from a file and from a pipe.
pub(super) fn run(stage: &Stage, runtime: &Runtime, scale: f64) -> anyhow::Result<()> {
    let scaled = |size: &u64| ((*size * MIB) as f64 * scale).max(1.0) as u64;
    let sizes: Vec<Vec<u64>> =
        IMAGES.iter().map(|sizes| sizes.iter().map(scaled).collect()).collect();
    let total: u64 = sizes.iter().flatten().sum();
    room(stage, total * 3 + total / 4)?;
    for (number, sizes) in (0..).zip(&sizes) {
        let directory = stage.path(&format!("disk-low/soak/image-{number}"));
        runtime.block_on(fill::image(&directory, 100 + number, sizes))?;
    }
    for (_, name) in PLACES {
        fs::create_dir_all(stage.path(name))?;
    }
    let low = stage.serve_quietly("disk-low")?;
    let lines = (0..IMAGES.len()).map(|n| format!("{}/soak/image-{n}:latest\n", low.address()));
    fs::write(stage.path("disk.list"), lines.collect::<String>())?;
    let medium = stage.path("disk.tar");
    let run = Run { stage, medium: &medium };
    let written = run.verb("archive", &["archive", "../disk.list", "../disk.tar", "soak"])?;
    let size = fs::metadata(&medium)?.len();
    println!("  the medium has {}", gib(size));
    ensure!(written <= size + ALLOWANCE, "archive wrote {} more", mib(written - size));
    drop(low);
    fs::remove_dir_all(stage.path("disk-low"))?;
    for source in ["../disk.tar", "/dev/stdin"] {
        let high = stage.serve_quietly("disk-high")?;
        let rules = format!("nest={}", high.address());
        let written = run.verb("unarchive", &["unarchive", source, &rules])?;
        ensure!(written <= ALLOWANCE, "unarchive of {source} wrote {}", mib(written));
        drop(high);
        fs::remove_dir_all(stage.path("disk-high"))?;
    }
    Ok(fs::remove_file(medium)?)
}

struct Run<'a> {
    stage: &'a Stage,
    medium: &'a Path,
}

impl Run<'_> {
    /// Runs one verb, and gives what it wrote to disks. Nothing may appear where it could write.
    fn verb(&self, name: &str, arguments: &[&str]) -> anyhow::Result<u64> {
        let mut command = self.stage.command();
        command.arg("--quiet").args(arguments).current_dir(self.stage.path("work"));
        for (variable, name) in PLACES.iter().filter(|(variable, _)| !variable.is_empty()) {
            command.env(variable, self.stage.path(name));
        }
        let piped = arguments.contains(&"/dev/stdin");
        let mut shell;
        let command = if piped {
            // A pipe can only be read forwards; a file at standard input could be read anywhere.
            // The program takes the shell's place, so that it is the one that is measured.
            shell = self.stage.other("sh");
            shell.current_dir(self.stage.path("work"));
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.args([
                "-c",
                "mkfifo ../fifo; cat \"$1\" > ../fifo & shift; exec \"$@\" < ../fifo",
                "sh",
            ]);
            shell.arg(self.medium).arg(command.get_program()).args(command.get_args());
            &mut shell
        } else {
            &mut command
        };
        let mut left = BTreeSet::new();
        let cost = measure_with(command, || self.look(&mut left))?;
        self.look(&mut left);
        println!(
            "{name:<12} {:>6.1} s  CPU {:>6.1} s  peak memory {}  written to disks {}",
            cost.wall,
            cost.cpu,
            mib(cost.peak),
            mib(cost.written)
        );
        ensure!(left.is_empty(), "{name} left {left:?}");
        Ok(cost.written)
    }

    /// Adds every file in the places.
    fn look(&self, left: &mut BTreeSet<PathBuf>) {
        let mut open: Vec<PathBuf> = PLACES.iter().map(|(_, name)| self.stage.path(name)).collect();
        while let Some(directory) = open.pop() {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            for path in entries.map(|entry| entry.path()) {
                if path.is_dir() {
                    open.push(path);
                } else if !path.starts_with(self.stage.path(HINTS)) {
                    left.insert(path);
                }
            }
        }
    }
}
