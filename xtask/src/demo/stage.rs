//! Where the demo plays: the program, a directory that vanishes, registries as processes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::process::{self, cargo};

/// The program and a directory of its own.
pub(super) struct Stage {
    program: PathBuf,
    directory: tempfile::TempDir,
}

/// A registry in a process; stopped when dropped.
pub(super) struct Registry {
    child: Child,
    address: String,
}

impl Stage {
    /// Builds the program.
    pub(super) fn build() -> anyhow::Result<Self> {
        process::run(cargo().args(["build", "--package", "airlift"]))?;
        // Beside this program: where cargo puts both.
        let own = std::env::current_exe()?;
        let program = own.parent().unwrap_or(Path::new(".")).join("airlift");
        if !program.exists() {
            bail!("the build left no {}", program.display());
        }
        let directory = tempfile::Builder::new().prefix("airlift-demo-").tempdir()?;
        Ok(Stage { program, directory })
    }

    /// A path in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the program as a user would, showing what is typed and what it answers.
    pub(super) fn airlift(&self, arguments: &[&str]) -> anyhow::Result<()> {
        println!("$ airlift {}", arguments.join(" "));
        process::run(self.command().args(arguments))
            .with_context(|| format!("airlift {} failed", arguments.join(" ")))
    }

    /// Starts a registry over a directory named `name`.
    pub(super) fn serve(&self, name: &str) -> anyhow::Result<Registry> {
        let location = format!("oci:{name}");
        println!("$ airlift serve {location} --listen 127.0.0.1:0 &");
        let mut child = self
            .command()
            .args(["serve", &location, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut registry = Registry { child, address: String::new() };
        let Some((_, address)) = line.trim().split_once("http://") else {
            bail!("the registry {name} did not start");
        };
        println!("{}", line.trim());
        registry.address = address.to_owned();
        Ok(registry)
    }

    /// The program in the directory, with no configuration but its own.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.directory.path()).env("XDG_CONFIG_HOME", self.directory.path());
        for variable in ["AIRLIFT_CONFIG", "ACE_DT_CONFIG", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(variable);
        }
        command
    }
}

impl Registry {
    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
