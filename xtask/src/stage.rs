//! Where commands are tried: the program, a directory that vanishes, registries as processes.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::process::{self, cargo};

/// The program and a directory of its own.
pub(crate) struct Stage {
    program: PathBuf,
    directory: tempfile::TempDir,
}

/// A registry in a process; stopped when dropped.
pub(crate) struct Registry {
    child: Child,
    address: String,
}

impl Stage {
    /// Builds the program as it is while it is worked on.
    pub(crate) fn build() -> anyhow::Result<Self> {
        Stage::of("debug", &["build", "--package", "airlift"])
    }

    /// Builds the program as it is shipped.
    pub(crate) fn build_release() -> anyhow::Result<Self> {
        Stage::of("release", &["build", "--release", "--package", "airlift"])
    }

    fn of(profile: &str, build: &[&str]) -> anyhow::Result<Self> {
        process::run(cargo().args(build))?;
        // Cargo puts this program and that one into neighbouring directories.
        let own = std::env::current_exe()?;
        let profiles = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        let program = profiles.join(profile).join("airlift");
        if !program.exists() {
            bail!("the build left no {}", program.display());
        }
        let directory = tempfile::Builder::new().prefix("airlift-").tempdir()?;
        apart(directory.path());
        Ok(Stage { program, directory })
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Gives back the room that a directory takes, and its name; its files stay, empty and elsewhere, until
    /// the stage vanishes. A file system may pass over what was removed in the last minutes, one by
    /// one, each time it makes a file (ext4 without a journal): whatever came next would pay for it.
    pub(crate) fn retire(&self, name: &str) -> anyhow::Result<()> {
        let retired = self.path("retired");
        fs::create_dir_all(&retired)?;
        let place = retired.join(fs::read_dir(&retired)?.count().to_string());
        fs::rename(self.path(name), &place)?;
        let mut left = vec![place];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    left.push(entry.path());
                } else {
                    fs::File::options().write(true).open(entry.path())?.set_len(0)?;
                }
            }
        }
        Ok(())
    }

    /// Runs the program as a user would, showing what is typed and what it answers.
    pub(crate) fn airlift(&self, arguments: &[&str]) -> anyhow::Result<()> {
        println!("$ airlift {}", arguments.join(" "));
        process::run(self.command().args(arguments))
            .with_context(|| format!("airlift {} failed", arguments.join(" ")))
    }

    /// Starts a registry over a directory named `name`, showing how.
    pub(crate) fn serve(&self, name: &str) -> anyhow::Result<Registry> {
        println!("$ airlift serve oci:{name} --listen 127.0.0.1:0 &");
        let registry = self.serve_quietly(name)?;
        println!("registry oci:{name} at http://{}", registry.address);
        Ok(registry)
    }

    /// Starts a registry over a directory named `name`.
    pub(crate) fn serve_quietly(&self, name: &str) -> anyhow::Result<Registry> {
        let location = format!("oci:{name}");
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
        registry.address = address.to_owned();
        Ok(registry)
    }

    /// The program in the directory, with no configuration but its own.
    pub(crate) fn command(&self) -> Command {
        self.other(&self.program)
    }

    /// Another program in the directory.
    pub(crate) fn other(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env("XDG_CONFIG_HOME", self.directory.path());
        command.env("XDG_CACHE_HOME", self.path("cache"));
        for variable in ["AIRLIFT_CONFIG", "ACE_DT_CONFIG", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(variable);
        }
        command
    }
}

/// Has ext4 put what is made in the directory into different parts of the disk, so that what one
/// registry removes does not slow down the next one, as [`Stage::retire`] says. Others have no such
/// thing, and need none.
fn apart(directory: &Path) {
    let mut command = Command::new("chattr");
    command.arg("+T").arg(directory).stdout(Stdio::null()).stderr(Stdio::null());
    let _not_everywhere = command.status();
}

impl Registry {
    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
