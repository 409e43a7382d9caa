//! Other programs that do the same, as far as they are on `PATH`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use super::steps::{Bare, Sides, Step, steps};
use crate::process::exists;
use crate::stage::Stage;

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Airlift,
    AceDt,
    Skopeo,
}

impl Tool {
    /// What can be run here; ours first.
    pub(super) fn found() -> Vec<Tool> {
        let mut tools = vec![Tool::Airlift];
        tools.extend([Tool::AceDt, Tool::Skopeo].into_iter().filter(|tool| exists(tool.name())));
        tools
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::Airlift => "airlift",
            Tool::AceDt => "ace-dt",
            Tool::Skopeo => "skopeo",
        }
    }

    /// What it does of the steps.
    pub(super) fn steps(self, sides: &Sides) -> Vec<Step> {
        match self {
            Tool::Airlift | Tool::AceDt => steps(sides),
            Tool::Skopeo => {
                let to = format!("{}/mirror", sides.cloned);
                let words = ["--insecure-policy", "sync", "--all", "--src", "yaml", "--dest"];
                let more = ["docker", "--dest-tls-verify=false", "skopeo.yaml", &to];
                let words = words.iter().chain(&more).map(ToString::to_string).collect();
                vec![Step { name: "clone", bare: Some(Bare::GetPut), words }]
            }
        }
    }

    /// The command of a step.
    pub(super) fn command(self, stage: &Stage, step: &Step) -> Command {
        let mut command = match self {
            Tool::Airlift => stage.command(),
            Tool::AceDt | Tool::Skopeo => stage.other(self.name()),
        };
        command.args(&step.words);
        if self == Tool::AceDt {
            command.args(["--config", "ace-dt.yaml"]).env("XDG_CACHE_HOME", stage.path("cache"));
        }
        command
    }
}

/// Writes what the peers must be told: that these registries speak plain HTTP, and the sources.
pub(super) fn write(stage: &Stage, sides: &Sides, images: &[String]) -> anyhow::Result<()> {
    let all =
        [&sides.low, &sides.staging, &sides.high, &sides.other, &sides.cloned, &sides.unpacked];
    let mut ace = format!(
        "apiVersion: config.dt.act3-ace.io/v1alpha1\nkind: Configuration\ncachePath: {}\n\
         registryConfig:\n  registries:\n",
        stage.path("cache").display()
    );
    for address in all {
        let _ = write!(ace, "    {address}:\n      endpoints:\n        - http://{address}\n");
    }
    fs::write(stage.path("ace-dt.yaml"), ace)?;
    let mut skopeo = format!("\"{}\":\n  tls-verify: false\n  images:\n", sides.low);
    for (repository, tag) in images.iter().filter_map(|image| image.rsplit_once(':')) {
        let _ = writeln!(skopeo, "    {repository}: [\"{tag}\"]");
    }
    Ok(fs::write(stage.path("skopeo.yaml"), skopeo)?)
}
