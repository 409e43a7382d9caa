//! `airlift logout`: forget the login for a registry.

use clap::Args as Derive;

use crate::commands::login;
use crate::credentials::{self, AuthFile};
use crate::exit::{Exit, exit_codes};
use crate::session::Session;

/// Forget the login for a registry
///
/// It is taken out of every file of credentials in force, and from the credential helpers that
/// they name. When there was none, that is said, and no failure.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift logout registry.example.com\n  \
     airlift logout docker.io --auth-file ~/.config/containers/auth.json",
    exit_codes!()
))]
pub(crate) struct Args {
    /// HOST or HOST:PORT
    registry: String,
}

/// Forgets.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let registry = login::registry(&args.registry)?;
    let mut found = false;
    for file in &session.config.auth_files {
        for key in [credentials::key(registry), registry] {
            if let Some(kept) = AuthFile::read(&file.value)?.erase(key)? {
                session.say(&format!("forgot the login for {registry} {kept}"));
                found = true;
            }
        }
    }
    if !found {
        session.say(&format!("there was no login for {registry}"));
    }
    Ok(Exit::Done)
}
