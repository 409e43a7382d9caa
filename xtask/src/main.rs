//! Development commands: `cargo xtask ci`, `demo`, `tidy`, `docs`, `conformance`, `tape`, `soak`, `bench`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

mod bench;
mod ci;
mod conformance;
mod demo;
mod docs;
mod meter;
mod process;
mod rough;
mod soak;
mod stage;
mod tape;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development commands of airlift.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything that has to pass before a change lands
    Ci,
    /// Show images crossing an air gap, and prove that they arrived
    Demo,
    /// Check purpose lines, crate layers, file sizes and blanks
    Tidy,
    /// Write the pages of docs/cli from the definition of the command line
    Docs {
        /// Only say whether the pages are current
        #[arg(long)]
        check: bool,
    },
    /// Run the distribution specification's own test suite against `airlift serve`
    Conformance(conformance::Options),
    /// Run the scenarios of tests/tape against a real tape driver, in the tape lab
    Tape(tape::Options),
    /// Serve an empty registry from which downloads come damaged now and then
    #[command(hide = true)]
    RoughRegistry,
    /// Carry several GiB and many images within bounds, and kill serialize at random moments
    Soak(soak::Options),
    /// Measure every verb, beside other programs and the machine's limits
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Ci => ci::run(),
        Task::Demo => demo::run(),
        Task::Tidy => tidy::run(),
        Task::Docs { check } => docs::run(check),
        Task::Bench(options) => bench::run(&options),
        Task::Conformance(options) => conformance::run(&options),
        Task::Tape(options) => tape::run(&options),
        Task::RoughRegistry => rough::run(),
        Task::Soak(options) => soak::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map_or_else(|| xtask.clone(), PathBuf::from)
}
