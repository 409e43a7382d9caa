//! `airlift login`: check a user and password with a registry and keep them.

use airlift_oci::observe;
use airlift_oci::registry::{Client, Credential, Secret};
use airlift_oci::types::Name;
use anyhow::Context;
use clap::Args as Derive;

use crate::credentials::{self, AuthFile};
use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::runtime;
use crate::session::Session;

/// Check a user and password with a registry, and keep them
///
/// They are kept where docker and podman keep theirs, in the file that `airlift config` shows first,
/// or with the credential helper that the file names. Nothing is kept that the registry refuses.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift login registry.example.com\n  \
     airlift login registry.example.com --username robot --password-stdin < token",
    exit_codes!()
))]
pub(crate) struct Args {
    /// HOST or HOST:PORT
    registry: String,
    /// The user; asked for when it is not given
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Keep them without asking the registry
    #[arg(long)]
    no_check: bool,
}

/// Checks and keeps.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let registry = registry(&args.registry)?;
    let user = match &args.username {
        Some(user) => user.clone(),
        None => credentials::ask("Username: ")?,
    };
    let secret = password(args)?;
    if user.is_empty() || user.contains(':') || secret.is_empty() {
        let hint = "a user has no colon in it, and neither is empty";
        return Err(Usage::new("this is no user and password", hint).into());
    }
    if !args.no_check {
        check(registry, &user, &secret, session)?;
    }
    let path = credentials::target(&session.config, &session.environment)?;
    let kept = AuthFile::read(&path)?.store(credentials::key(registry), &user, &secret)?;
    session.say(&format!("logged in to {registry} as {user}; kept {kept}"));
    Ok(Exit::Done)
}

/// The registry of an argument, which may be written as a URL.
pub(crate) fn registry(text: &str) -> anyhow::Result<&str> {
    let host = text.split_once("://").map_or(text, |(_, host)| host).trim_end_matches('/');
    match Name::new(host, "x") {
        Ok(_) => Ok(host),
        Err(_) => Err(Usage::new(
            format!("`{text}` is no registry"),
            "name its host, with a port when it has one: registry.example.com:5000",
        )
        .into()),
    }
}

fn password(args: &Args) -> anyhow::Result<String> {
    if !args.password_stdin {
        return credentials::ask_secret("Password: ");
    }
    let text = airlift_oci::store::read_small_from(std::io::stdin());
    let text = text.and_then(|text| {
        String::from_utf8(text).map_err(|_| std::io::ErrorKind::InvalidData.into())
    });
    let text = text.context("reading the password failed")?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks the registry whether it lets this user in.
fn check(registry: &str, user: &str, secret: &str, session: &Session) -> anyhow::Result<()> {
    let mut settings = session.config.settings()?;
    let password = Secret::new(secret);
    let credential = Credential::Basic { username: user.to_owned(), password };
    settings.credentials.fixed.insert(registry.to_owned(), credential);
    settings.credentials.fixed_origin = "this login".to_owned();
    runtime::guarded(async {
        let client = Client::new(settings, observe::silent())?;
        client.check(registry).await.context("the registry did not take the login")
    })
}
