//! What is in force: flags over environment over file, each value with where it came from.
//!
//! The files are ours (`airlift.yaml`) and ace-dt's; which are looked for is in [`locate`], their
//! keys are in [`mod@file`], where credentials and certificates are found in [`auth`] and [`certs`].

mod auth;
mod certs;
mod environment;
mod error;
mod file;
mod layers;
mod locate;
mod merge;
mod pacing;
mod proxies;
mod settings;
mod show;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub(crate) use airlift_rules::nearest;
pub(crate) use environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use show::show;

use crate::global::{Global, LogFormat, ProgressStyle};
use crate::logs::Level;
use certs::HostCertificates;
use file::{Endpoint, Registry};
use pacing::Limits;

/// A commented sample, as `airlift config --sample` prints it. A test reads it back.
pub(crate) const SAMPLE: &str = include_str!("sample.yaml");

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An option of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A configuration file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) => write!(f, "--{name}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Everything that is in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The file that was read, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// Most requests under way to one host; `None` leaves it to the client.
    pub(crate) concurrent_http: Setting<Option<u16>>,
    /// How fast a run may go, and how patient it is.
    pub(crate) limits: Limits,
    /// Directory for hints on where blobs are; `None`: no hints.
    pub(crate) cache: Setting<Option<PathBuf>>,
    /// How much is logged.
    pub(crate) verbosity: Setting<Level>,
    /// Form of the logs.
    pub(crate) log_format: Setting<LogFormat>,
    /// How progress is shown.
    pub(crate) progress: Setting<ProgressStyle>,
    /// Files with credentials, looked into in this order.
    pub(crate) auth_files: Vec<Setting<PathBuf>>,
    /// Variables that name proxies, without passwords.
    pub(crate) proxies: Vec<Setting<String>>,
    /// By host name.
    pub(crate) registries: BTreeMap<String, Registry>,
    /// By URL.
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
    /// Certificates found in `certs.d`, by host.
    pub(crate) certificates: BTreeMap<String, HostCertificates>,
    /// Keys of ace-dt's file that mean nothing here.
    pub(crate) unused: Vec<&'static str>,
}

impl Config {
    /// Finds and reads the file and lays flags and environment over it.
    pub(crate) fn load(global: &Global, environment: &Environment) -> Result<Self, ConfigError> {
        let found = locate::find(&global.config, environment)?;
        let (path, file) = match found {
            Some(path) => {
                let file = file::read(&path)?;
                (Some(path), file)
            }
            None => (None, file::File::default()),
        };
        merge::merge(global, environment, path, file)
    }
}

/// A configuration of nothing but `yaml`, for the tests of its users.
#[cfg(test)]
pub(crate) fn from_yaml(yaml: &str) -> Result<Config, ConfigError> {
    let file = file::parse(std::path::Path::new("airlift.yaml"), yaml.as_bytes())?;
    let environment = Environment::for_tests(std::path::Path::new("/nonexistent"), &[]);
    merge::merge(&Global::default(), &environment, None, file)
}
