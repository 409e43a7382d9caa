//! What an operator can set: one YAML file, and a variable of the environment for every key.
//!
//! [`Config::read`] takes the file's text and the variables as pairs; it opens nothing itself. What
//! cannot be is refused before anything listens: unknown keys, names of registries that are not
//! there, times that are none. Secrets appear in no error and no `Debug`.

mod check;
mod environment;
mod error;
mod keys;
mod scalar;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use airlift_oci::store::chain;
use serde::Deserialize;

use crate::access::Access;

pub use self::error::ConfigError;
pub use self::keys::PREFIX;
pub use self::scalar::{Hidden, Span};

/// The settings of a proxy. Every key has a default but the URL of one registry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub server: Server,
    /// The registries behind it, by name. `hot` is asked first and then `cold`; others are asked
    /// where a route says so.
    pub registry: BTreeMap<String, Registry>,
    /// Which names go to which registries: the first that matches counts.
    pub routes: Vec<Route>,
    /// How blobs reach the client, where a registry says nothing else.
    pub mode: Mode,
    /// How long it is remembered where a blob is.
    pub remember: Remember,
    /// How long a registry may take.
    pub timeouts: Timeouts,
    /// When a registry is left alone.
    pub breaker: Breaker,
    /// Whether what a later registry had is copied to the first.
    pub warming: Warming,
    /// Where pushes go.
    pub push: Push,
    /// Who may do what.
    pub users: Users,
    /// What is logged.
    pub logging: Logging,
}

/// Where the proxy listens, and what it allows connections.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address; all of the machine's when nothing is said.
    pub address: IpAddr,
    /// The port; 0 is any free one.
    pub port: u16,
    /// Connections served at once; further ones wait.
    pub connections: usize,
    /// How long transfers may go on after the proxy was told to stop.
    pub grace: Span,
    /// Whether `/metrics` is there.
    pub metrics: bool,
    /// TLS towards clients.
    pub tls: ServerTls,
}

/// TLS towards clients: both files, or neither.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTls {
    /// The certificates, the server's own first, PEM.
    pub cert: Option<PathBuf>,
    /// The key, PEM.
    pub key: Option<PathBuf>,
}

/// One registry behind the proxy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// `https://HOST[:PORT][/PATH]`.
    pub url: String,
    /// The user; empty for none.
    pub username: String,
    /// Its password.
    pub password: Hidden,
    /// Headers of every request to it.
    #[serde(deserialize_with = "scalar::headers")]
    pub headers: BTreeMap<String, Hidden>,
    /// How its blobs reach the client.
    pub mode: Option<Mode>,
    /// Other hosts that its answers may send the proxy itself to: `HOST`, or `*.DOMAIN` for all
    /// below a domain.
    pub storage: Vec<String>,
    /// TLS towards it.
    pub tls: Tls,
}

/// TLS towards a registry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Further authorities, PEM.
    pub ca: Vec<PathBuf>,
    /// A client certificate, PEM.
    pub cert: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Take any certificate.
    pub insecure: bool,
}

/// Names that go to certain registries.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// What a repository's name begins with, compared as text.
    pub prefix: String,
    /// The registries, in the order in which they are asked.
    pub registries: Vec<String>,
    /// What stands there instead of the prefix when a registry is asked.
    pub replace: Option<String>,
}

/// How a blob reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By a redirect where the client can follow it, else through the proxy.
    #[default]
    Auto,
    /// By a redirect.
    Redirect,
    /// Through the proxy.
    Relay,
}

/// How long something is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Remember(pub Span);

/// How long a registry may take.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Span,
    /// From a request to its answer; of what is not a blob, to the answer's end.
    pub answer: Span,
    /// Of a body, without a byte.
    pub stall: Span,
}

/// When a registry is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// For how long at first; doubled up to eight times that while it does not recover.
    pub pause: Span,
}

/// Copying to the first registry what a later one had.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Warming {
    /// Whether.
    pub enabled: bool,
    /// Images that may wait; one more is not copied.
    pub queue: usize,
    /// Images copied at once.
    pub images: usize,
}

/// Where pushes go.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// The registry; empty: nothing can be pushed.
    pub registry: String,
    /// Whether whoever reaches the proxy may push.
    pub anyone: bool,
}

/// Who may do what. Without a file and rules whoever reaches the proxy may pull.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Users {
    /// An htpasswd file with bcrypt hashes.
    pub file: Option<PathBuf>,
    /// Rights: `WHO:RIGHT[:PATTERN]`.
    pub rules: Vec<String>,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// How much.
    pub level: Level,
    /// In which form.
    pub format: Format,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every request to a registry too.
    Debug,
    /// Every request of a client too.
    #[default]
    Info,
    /// What should be looked at.
    Warn,
    /// What failed.
    Error,
}

/// In which form is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For a person.
    #[serde(alias = "text")]
    Console,
}

impl Config {
    /// The address that is listened on.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.server.address, self.server.port)
    }

    /// Who may do what, by the rules and the text of the htpasswd file.
    pub fn access(&self, htpasswd: Option<&str>) -> Result<Access, ConfigError> {
        let wrong = |key: &str, error: &(dyn std::error::Error + 'static)| {
            ConfigError::invalid(format!("users.{key}"), chain(error))
        };
        let users = htpasswd.map(crate::access::Users::parse).transpose();
        let users = users.map_err(|error| wrong("file", &error))?;
        let rules = self.users.rules.iter().map(|rule| rule.parse()).collect::<Result<_, _>>();
        let rules = rules.map_err(|error: crate::access::RuleError| wrong("rules", &error))?;
        Access::new(users, rules).map_err(|error| wrong("rules", &error))
    }
}

impl Default for Server {
    fn default() -> Self {
        Server {
            address: Ipv4Addr::UNSPECIFIED.into(),
            port: 5000,
            connections: 10_000,
            grace: Span::seconds(30),
            metrics: true,
            tls: ServerTls::default(),
        }
    }
}

impl Default for Remember {
    fn default() -> Self {
        Remember(Span::seconds(30))
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect: Span::seconds(2), answer: Span::seconds(5), stall: Span::seconds(30) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { failures: 3, pause: Span::seconds(5) }
    }
}

impl Default for Warming {
    fn default() -> Self {
        Warming { enabled: false, queue: 256, images: 2 }
    }
}
