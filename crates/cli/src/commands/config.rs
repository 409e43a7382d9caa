//! `airlift config`: what is in force, and from where.

use clap::Args as Derive;

use crate::config::{SAMPLE, show};
use crate::exit::{Exit, exit_codes};
use crate::output;
use crate::session::Session;

/// Show the configuration in force and where each value comes from
///
/// Options win over environment variables, and those over the configuration file. The file is
/// airlift.yaml in the working directory, in ~/.config/airlift/ or in /etc/airlift/, else that of
/// ace-dt. Secrets are never shown.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift config\n  \
     airlift config --sample > airlift.yaml",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Print a commented sample of a configuration file instead
    #[arg(long)]
    pub(crate) sample: bool,
}

/// Prints what is in force.
pub(crate) fn run(session: &Session) -> anyhow::Result<Exit> {
    output::text(&show(&session.config))?;
    // What would end every run is told by the command that is asked about it, too.
    session.config.settings()?;
    Ok(Exit::Done)
}

/// Prints the sample.
pub(crate) fn sample() -> anyhow::Result<Exit> {
    output::text(SAMPLE)?;
    Ok(Exit::Done)
}
