//! `cargo xtask tape`: the scenarios of `tests/tape` against a real Linux tape driver.
//!
//! The driver runs in the tape lab, a small virtual machine with an emulated drive; it needs root
//! and a few Debian packages, and no KVM. The lab is a program of its own, found by argument,
//! environment or `PATH`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::process;
use crate::stage::Stage;

/// Names the program of the lab.
const VARIABLE: &str = "AIRLIFT_TAPE_LAB";
const PROGRAM: &str = "tape-lab";

/// How the scenarios are run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// The program of the tape lab; else AIRLIFT_TAPE_LAB names it, or it is `tape-lab` on PATH
    lab: Option<PathBuf>,
    /// Have the lab install what it needs first (Debian, as root)
    #[arg(long)]
    install: bool,
}

/// `cargo xtask tape`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Some(lab) = options.lab.clone().or_else(find) else {
        bail!("there is no tape lab: give its program, or name it in {VARIABLE}");
    };
    if options.install {
        process::run(Command::new(&lab).arg("--install"))
            .context("the lab could not install what it needs")?;
    }
    scenarios(&lab)
}

/// As a step of `ci`: runs the scenarios where that is possible; otherwise says why they were
/// skipped.
pub(crate) fn step() -> anyhow::Result<Option<String>> {
    let Some(lab) = find() else {
        return Ok(Some(format!("no tape lab: {VARIABLE} is not set, {PROGRAM} not on PATH")));
    };
    if !process::is_root_on_debian() {
        return Ok(Some("the tape lab needs root on Debian".to_owned()));
    }
    if let Err(error) = process::run(Command::new(&lab).arg("--install")) {
        return Ok(Some(format!("the tape lab could not install what it needs: {error:#}")));
    }
    scenarios(&lab)?;
    Ok(None)
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(PROGRAM)).find(|lab| lab.is_file())
}

fn scenarios(lab: &Path) -> anyhow::Result<()> {
    let lab = lab.canonicalize().with_context(|| format!("{} is not there", lab.display()))?;
    let stage = Stage::build()?;
    let script = crate::root().join("tests/tape/run.sh");
    let own = std::env::current_exe()?;
    process::run(Command::new(script).arg(lab).arg(stage.program()).arg(own))
        .context("a tape scenario failed")
}
