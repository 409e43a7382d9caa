//! `airlift` carries container images across an air gap.
//!
//! A table of contents: arguments become options ([`cli`], [`config`]), one verb of the libraries
//! runs ([`commands`]), what it says is shown ([`progress`], [`output`], [`outcome`]), and what it
//! came to becomes an exit code ([`exit`], [`failure`]).

mod clash;
mod cli;
mod commands;
mod config;
mod credentials;
mod dispatch;
mod drop_in;
mod duration;
mod exit;
mod failure;
mod files;
#[cfg(test)]
mod from_ace_dt;
mod global;
#[cfg(test)]
mod help_examples;
mod inputs;
mod interrupt;
mod leaving;
mod ledger_parts;
mod logs;
mod medium;
mod outcome;
mod output;
mod pacing;
mod progress;
mod received;
mod runtime;
mod screen;
mod session;
mod shard;
mod size;
mod table;
mod whole;
mod written;

use std::process::ExitCode;

use crate::exit::Exit;
use crate::screen::Screen;

fn main() -> ExitCode {
    let screen = Screen::default();
    let exit = match cli::parse() {
        Ok(cli) => cli.run(&screen).unwrap_or_else(|error| failure::tell(&error, &screen)),
        Err(error) => usage(&error),
    };
    exit.into()
}

/// Shows what clap has to say: help and versions on standard output, errors on standard error.
fn usage(error: &clap::Error) -> Exit {
    // Printing fails only when nobody reads: then there is nobody to tell.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
