//! The registries of a benchmark, as processes of their own: ours, and Debian's.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use tokio::runtime::Runtime;

use super::delay::{self, Line};
use super::relay::Relay;
use crate::process::exists;
use crate::stage::{Registry, Stage};

/// A kind of registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// `airlift serve` over a directory.
    Airlift,
    /// Debian's package of distribution.
    #[value(name = "docker-registry")]
    Distribution,
}

impl Kind {
    /// The kinds that can be started here.
    pub(super) fn found() -> Vec<Kind> {
        let mut kinds = vec![Kind::Airlift];
        if exists("docker-registry") {
            kinds.push(Kind::Distribution);
        }
        kinds
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Airlift => "airlift serve",
            Kind::Distribution => "docker-registry",
        }
    }
}

/// A running registry, near or at the end of a line.
pub(super) struct Running {
    _process: Process,
    near: String,
    line: Option<Relay>,
}

enum Process {
    Airlift { _registry: Registry },
    Other { child: Child },
}

impl Running {
    /// Starts a registry over the directory `name` of the stage, which it makes or goes on with.
    pub(super) fn start(
        stage: &Stage,
        runtime: &Runtime,
        kind: Kind,
        name: &str,
        line: Option<Line>,
    ) -> anyhow::Result<Running> {
        let (process, near) = match kind {
            Kind::Airlift => {
                let registry = stage.serve_quietly(name)?;
                let near = registry.address().to_owned();
                (Process::Airlift { _registry: registry }, near)
            }
            Kind::Distribution => distribution(stage, name)?,
        };
        let line = line.map(|line| runtime.block_on(delay::start(near.clone(), line)));
        Ok(Running { _process: process, near, line: line.transpose()? })
    }

    /// Host and port, through the line if there is one.
    pub(super) fn address(&self) -> String {
        self.line.as_ref().map_or_else(|| self.near.clone(), Relay::address)
    }

    /// Host and port beside the line.
    pub(super) fn near(&self) -> &str {
        &self.near
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Process::Other { child } = self {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn distribution(stage: &Stage, name: &str) -> anyhow::Result<(Process, String)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = stage.path(&format!("{name}.yml"));
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {}}}}}\n\
         http: {{addr: '{free}'}}\n",
        stage.path(name).display()
    );
    fs::write(&config, text)?;
    let mut command = stage.other("docker-registry");
    command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("starting docker-registry failed")?;
    let process = Process::Other { child };
    let begun = Instant::now();
    while TcpStream::connect(free).is_err() {
        if begun.elapsed() > Duration::from_secs(20) {
            bail!("docker-registry does not listen at {free}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok((process, free.to_string()))
}
