//! `cargo xtask ci`: every check, one after another, with its name and time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::process::{self, cargo, exists, is_root_on_debian};
use crate::{docs, tape, tidy};

/// One check.
struct Step {
    name: &'static str,
    run: fn() -> anyhow::Result<()>,
}

const STEPS: [Step; 6] = [
    Step { name: "format", run: format },
    Step { name: "tidy", run: tidy::run },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "documentation", run: documentation },
    Step { name: "pages of the command line", run: pages },
];

/// Debian packages with programs that the tests work with when they are there.
const PEERS: [(&str, &str); 2] = [("docker-registry", "docker-registry"), ("skopeo", "skopeo")];

/// Runs every step, also after one that failed, and says at the end what passed.
fn run_all(steps: &[Step]) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for step in steps {
        println!("\n==> {}", step.name);
        let begun = Instant::now();
        let result = (step.run)();
        let took = seconds(begun.elapsed());
        match result {
            Ok(()) => lines.push(format!("  passed  {:<28} {took}", step.name)),
            Err(error) => {
                println!("{}: {error:#}", step.name);
                lines.push(format!("  FAILED  {:<28} {took}  {error:#}", step.name));
                failed.push(step.name);
            }
        }
    }
    println!("\n==> summary");
    for line in &lines {
        println!("{line}");
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// `cargo xtask ci`.
pub(crate) fn run() -> anyhow::Result<()> {
    let missing = peers();
    let mut result = run_all(&STEPS);
    println!("\n==> tape");
    match tape::step() {
        Ok(None) => println!("  passed  the tape scenarios"),
        Ok(Some(why)) => println!("  skipped the tape scenarios: {why}"),
        Err(error) => {
            println!("  FAILED  the tape scenarios: {error:#}");
            result = result.and(Err(error));
        }
    }
    for program in missing {
        println!(
            "  skipped the tests with {program}: not installed (Debian: apt-get install {program})"
        );
    }
    if !has_fixtures() {
        println!(
            "  skipped the tests with archives of ace-dt: AIRLIFT_FIXTURES names no directory that \
             has them"
        );
    }
    result
}

/// Whether the tests find the archives that ace-dt wrote, where `serve`'s look for them.
fn has_fixtures() -> bool {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let fixtures = std::env::var_os("AIRLIFT_FIXTURES").map_or(beside, PathBuf::from);
    fixtures.join("ace-dt/archives").is_dir()
}

fn seconds(time: Duration) -> String {
    format!("{:6.1} s", time.as_secs_f64())
}

/// Installs the programs that tests work with where that is possible; the ones still missing.
fn peers() -> Vec<&'static str> {
    let missing = |(_, program): &&(&str, &'static str)| !exists(program);
    let packages: Vec<_> = PEERS.iter().filter(missing).map(|(package, _)| *package).collect();
    if !packages.is_empty() && is_root_on_debian() {
        println!("==> installing {}", packages.join(" "));
        if let Err(error) = install(&packages) {
            println!("not installed: {error:#}");
        }
    }
    PEERS.iter().filter(missing).map(|(_, program)| *program).collect()
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    process::run(apt().args(["update", "-qq"]))?;
    process::run(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

fn format() -> anyhow::Result<()> {
    process::run(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> anyhow::Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    process::run(cargo().args(arguments))
}

fn tests() -> anyhow::Result<()> {
    process::run(cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]))
}

fn documentation() -> anyhow::Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
    process::run(cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn pages() -> anyhow::Result<()> {
    docs::run(true)
}
