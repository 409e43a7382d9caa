//! What the machine does with the same bytes: `dd` to a file, and `sha256sum` beside it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::stage::Stage;

/// Seconds that each took of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub(super) copy: f64,
    pub(super) hash: f64,
}

impl Took {
    pub(super) fn slower(self) -> f64 {
        self.copy.max(self.hash)
    }
}

/// Copies a file of the stage by `dd`, until it is safe on the disk, while `sha256sum` reads it too.
pub(super) fn run(stage: &Stage, file: &str) -> anyhow::Result<Took> {
    let mut copying = stage.other("dd");
    let from = format!("if={file}");
    copying.args([&from, "of=copy", "bs=1M", "conv=fsync"]);
    let mut hashing = stage.other("sha256sum");
    hashing.arg(file);
    let took = std::thread::scope(|scope| {
        let hash = scope.spawn(|| one(&mut hashing));
        let copy = one(&mut copying)?;
        let hash = hash.join().ok().context("sha256sum was lost")??;
        anyhow::Ok(Took { copy, hash })
    })?;
    fs::remove_file(stage.path("copy"))?;
    Ok(took)
}

fn one(command: &mut Command) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{} ended with {status}", command.get_program().display());
    Ok(begun.elapsed().as_secs_f64())
}
