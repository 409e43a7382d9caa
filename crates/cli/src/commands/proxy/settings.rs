//! The proxy's settings: its file, the variables, and the files that those name.

use std::path::Path;

use airlift_serve::Tls;
use airlift_serve::access::Access;
use airlift_serve::proxy::config::{Format, Level, Logging, PREFIX, ServerTls, Span};
use airlift_serve::proxy::{Config, ConfigError};
use anyhow::Context;

use super::Args;
use crate::config::{Environment, nearest};
use crate::failure::Usage;
use crate::global::{Global, LogFormat};
use crate::logs;
use crate::screen::Screen;

/// What is read when nothing is named.
const USUAL: &str = "config.yaml";

/// Settings, ready to be taken into force.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) access: Access,
}

impl Settings {
    /// Reads everything anew.
    pub(super) fn read(args: &Args, environment: &Environment) -> anyhow::Result<Self> {
        let (place, text) = match &args.config {
            Some(path) => (path.display().to_string(), text(path)?),
            None if Path::new(USUAL).exists() => (USUAL.to_owned(), text(Path::new(USUAL))?),
            None => ("the environment".to_owned(), String::new()),
        };
        let variables = environment.beginning(PREFIX);
        let mut config = Config::read(&place, &text, variables).map_err(explained)?;
        if let Some(grace) = args.grace {
            config.server.grace = Span(grace);
        }
        let htpasswd = config.users.file.as_deref().map(self::text).transpose()?;
        let access = config.access(htpasswd.as_deref()).map_err(explained)?;
        Ok(Settings { config, access })
    }
}

/// An error of settings with what was probably meant.
pub(super) fn explained(error: ConfigError) -> anyhow::Error {
    let (word, known) = error.known();
    let near = nearest(word, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        // Values are few; keys have a page.
        None if (1..=4).contains(&known.len()) => format!("it can be {}", known.join(", ")),
        None => "docs/proxy.md lists every key".to_owned(),
    };
    Usage::new(airlift_oci::store::chain(&error), hint).into()
}

fn text(path: &Path) -> anyhow::Result<String> {
    crate::inputs::file_text(path).map_err(|error| {
        let message = format!("reading {} failed: {error}", path.display());
        Usage::new(message, "name a file that can be read, or set MIRROR_ variables").into()
    })
}

/// The certificate towards clients.
pub(super) fn tls(files: &ServerTls) -> anyhow::Result<Option<Tls>> {
    let (Some(cert), Some(key)) = (&files.cert, &files.key) else { return Ok(None) };
    let tls = Tls::from_pem(text(cert)?.as_bytes(), text(key)?.as_bytes());
    let place = || format!("serving TLS with {} and {} failed", cert.display(), key.display());
    Ok(Some(tls.with_context(place)?))
}

/// Begins to log as the settings say, or the command line where it says something.
pub(super) fn log(logging: Logging, global: &Global, screen: &Screen) -> anyhow::Result<()> {
    let format = global.log_format.unwrap_or(match logging.format {
        Format::Json => LogFormat::Json,
        Format::Console => LogFormat::Text,
    });
    logs::init(level(logging, global)?, format, screen);
    Ok(())
}

/// How much is logged, by the settings, or the command line where it says something.
pub(super) fn level(logging: Logging, global: &Global) -> anyhow::Result<logs::Level> {
    if !global.verbose.is_empty() {
        let level = logs::Level::of(&global.verbose);
        return Ok(level.map_err(|text| Usage::new(text, "-v, -vv or -v=LEVEL"))?);
    }
    Ok(match logging.level {
        Level::Debug => logs::Level::Debug,
        Level::Info => logs::Level::Info,
        Level::Warn => logs::Level::Warn,
        Level::Error => logs::Level::Error,
    })
}
