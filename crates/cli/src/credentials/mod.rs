//! Credentials at rest: the files of docker and podman, and their helpers.

mod file;
mod helper;
mod prompt;

use std::path::PathBuf;

pub(crate) use file::AuthFile;
pub(crate) use prompt::{ask, ask_secret};

use crate::config::{Config, Environment};

/// The name under which docker keeps the credentials of its hub; podman reads it too.
const HUB: &str = "https://index.docker.io/v1/";

/// The key of a registry in a file of credentials.
pub(crate) fn key(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB,
        other => other,
    }
}

/// The file that a login is written to: the one in force, else docker's in the home directory.
pub(crate) fn target(config: &Config, environment: &Environment) -> anyhow::Result<PathBuf> {
    if let Some(file) = config.auth_files.first() {
        return Ok(file.value.clone());
    }
    let docker = match environment.get("DOCKER_CONFIG") {
        Some(directory) => Some(environment.expand(directory)),
        None => environment.home.as_ref().map(|home| home.join(".docker")),
    };
    match docker {
        Some(directory) => Ok(directory.join("config.json")),
        None => anyhow::bail!("there is no home directory: name a file with --auth-file"),
    }
}
