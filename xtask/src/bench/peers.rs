//! Other programs that do the same, as far as they are on `PATH`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::json;

use super::steps::{Bare, Sides, Step, steps};
use crate::process::exists;
use crate::stage::Stage;

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Airlift,
    AceDt,
    Skopeo,
    Crane,
    Regctl,
    Regsync,
    Oras,
}

use Tool::{AceDt, Airlift, Crane, Oras, Regctl, Regsync, Skopeo};

/// Images that tools which copy one image at a time copy at once, by `xargs`.
const AT_ONCE: &str = "4";

impl Tool {
    /// What can be run here; ours first.
    pub(super) fn found() -> Vec<Tool> {
        let mut tools = vec![Airlift];
        let others = [AceDt, Skopeo, Crane, Regctl, Regsync, Oras];
        tools.extend(others.into_iter().filter(|tool| exists(tool.name())));
        tools
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Airlift => "airlift",
            AceDt => "ace-dt",
            Skopeo => "skopeo",
            Crane => "crane",
            Regctl => "regctl",
            Regsync => "regsync",
            Oras => "oras",
        }
    }

    /// What it does of the steps.
    pub(super) fn steps(self, sides: &Sides) -> Vec<Step> {
        let words = match self {
            Airlift | AceDt => return steps(sides),
            Skopeo => {
                let to = format!("{}/mirror", sides.cloned);
                let sync = "--insecure-policy sync --all --src yaml --dest docker";
                format!("{sync} --dest-tls-verify=false skopeo.yaml {to}")
            }
            Regsync => "once --config regsync.yaml".to_owned(),
            Crane => pairs("crane copy --insecure"),
            Regctl => pairs("regctl image copy"),
            Oras => pairs("oras cp --from-plain-http --to-plain-http"),
        };
        let words = words.split(' ').map(str::to_owned).collect();
        vec![Step { name: "clone", bare: Some(Bare::GetPut), file: None, after: None, words }]
    }

    /// The command of a step.
    pub(super) fn command(self, stage: &Stage, step: &Step) -> Command {
        let mut command = match self {
            Airlift => stage.command(),
            AceDt | Skopeo | Regsync => stage.other(self.name()),
            Crane | Regctl | Oras => stage.other("xargs"),
        };
        command.args(&step.words);
        match self {
            AceDt => {
                command.args(["--config", "ace-dt.yaml"]);
            }
            Regctl => {
                command.env("REGCTL_CONFIG", stage.path("regctl.json"));
            }
            _ => {}
        }
        command
    }
}

/// The words for `xargs` to copy all images by a command that takes one, from where and to where.
fn pairs(command: &str) -> String {
    format!("--arg-file pairs.list --max-args 2 --max-procs {AT_ONCE} {command}")
}

/// Writes what the peers must be told: that these registries speak plain HTTP, and the sources.
pub(super) fn write(stage: &Stage, sides: &Sides, images: &[String]) -> anyhow::Result<()> {
    let Sides { low, cloned, .. } = sides;
    let all = [low, &sides.staging, &sides.high, &sides.other, cloned, &sides.unpacked];
    let mut ace = format!(
        "apiVersion: config.dt.act3-ace.io/v1alpha1\nkind: Configuration\ncachePath: {}\n\
         registryConfig:\n  registries:\n",
        stage.path("cache").display()
    );
    for address in all {
        let _ = write!(ace, "    {address}:\n      endpoints:\n        - http://{address}\n");
    }
    fs::write(stage.path("ace-dt.yaml"), ace)?;
    let mut skopeo = format!("\"{low}\":\n  tls-verify: false\n  images:\n");
    for (repository, tag) in images.iter().filter_map(|image| image.rsplit_once(':')) {
        let _ = writeln!(skopeo, "    {repository}: [\"{tag}\"]");
    }
    fs::write(stage.path("skopeo.yaml"), skopeo)?;
    let pair = |image: &String| (format!("{low}/{image}"), format!("{cloned}/mirror/{image}"));
    let lines: Vec<String> = images
        .iter()
        .map(|image| {
            let (from, to) = pair(image);
            format!("{from} {to}\n")
        })
        .collect();
    fs::write(stage.path("pairs.list"), lines.concat())?;
    let plain = json!({ "tls": "disabled" });
    let hosts = json!({ "hosts": { low.as_str(): plain, cloned.as_str(): plain } });
    fs::write(stage.path("regctl.json"), hosts.to_string())?;
    let creds = [low, cloned].map(|host| json!({ "registry": host, "tls": "disabled" }));
    let sync = images.iter().map(|image| {
        let (source, target) = pair(image);
        json!({ "source": source, "target": target, "type": "image" })
    });
    let regsync = json!({
        "version": 1, "creds": creds, "defaults": { "parallel": 4 },
        "sync": sync.collect::<Vec<_>>(),
    });
    // JSON is YAML.
    Ok(fs::write(stage.path("regsync.yaml"), regsync.to_string())?)
}
