//! `airlift completion`: what a shell needs to complete commands and options.

use clap::{Args as Derive, ValueEnum};
use clap_complete::Shell;

use crate::exit::{Exit, exit_codes};
use crate::output;

/// Print the completion script of a shell
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift completion bash > /etc/bash_completion.d/airlift\n  \
     airlift completion zsh > \"${fpath[1]}/_airlift\"",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
}

/// Prints the script for the command line that `definition` describes.
pub(crate) fn run(args: &Args, mut definition: clap::Command) -> anyhow::Result<Exit> {
    let shell = match args.shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
        Kind::Powershell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, "airlift", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
