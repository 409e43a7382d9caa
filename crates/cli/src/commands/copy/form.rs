//! Which of the forms a command line has, and what of each image it keeps.

use std::io::IsTerminal;
use std::path::Path;

use airlift_oci::mirror::copy::{Images, Keep, ListOptions, Prefix};

use super::Args;
use crate::failure::Usage;

/// What is to be copied, and how it is told.
pub(super) enum Form<'a> {
    /// A stream of JSON.
    Specs(&'a Path),
    /// Lines.
    Lines(&'a Path),
    /// Names, to go under a prefix.
    Images(Prefix),
}

/// Whether lines from `path` are asked for at a prompt.
pub(super) fn is_prompt(path: &Path) -> bool {
    path == Path::new("-") && std::io::stdin().is_terminal()
}

impl Args {
    /// The form.
    pub(super) fn form(&self) -> anyhow::Result<Form<'_>> {
        if let Some(path) = &self.specs {
            return Ok(Form::Specs(path));
        }
        if self.images.is_empty() {
            return Ok(Form::Lines(self.list.as_deref().unwrap_or(Path::new("-"))));
        }
        let Some(to) = &self.to else {
            return Err(Usage::new(
                "where the images are to go is not said",
                "add --to REGISTRY[/PREFIX], or use --specs or --list",
            )
            .into());
        };
        let prefix = to.parse().map_err(|error| {
            let message = airlift_oci::store::chain(&error);
            Usage::new(message, "such as reg.example.com/mirror or localhost:5000")
        })?;
        Ok(Form::Images(prefix))
    }

    /// How lines are read. `registry` is that of all destinations, if there is one.
    pub(super) fn list_options(&self, registry: Option<&str>) -> anyhow::Result<ListOptions> {
        let default = || vec!["amd64".to_owned(), "arm64".to_owned()];
        let architectures = chosen(&self.architectures).unwrap_or_else(default);
        let systems = chosen(&self.os).unwrap_or_default();
        let keep = Keep::Matching { architectures, systems };
        let options = ListOptions::new(self.source_registry.as_deref(), registry, keep);
        options.map_err(|error| {
            let hint = "a registry is HOST or HOST:PORT, such as reg.example.com or localhost:5000";
            Usage::new(error.to_string(), hint).into()
        })
    }

    /// What is kept of images under a prefix. What is named by digest can only stay what it is, so
    /// it is left alone unless a choice was asked for.
    pub(super) fn kept(&self) -> Images {
        let architectures = chosen(&self.architectures).unwrap_or_default();
        let asked = chosen(&self.os);
        let explicit = asked.is_some() || !architectures.is_empty();
        let systems = asked.unwrap_or_else(|| vec!["linux".to_owned()]);
        let keep = std::sync::Arc::new(Keep::Matching { architectures, systems });
        let keep_digests = if explicit { keep.clone() } else { std::sync::Arc::default() };
        Images { keep, keep_digests }
    }
}

/// What was asked for, the names parted by commas or blanks; `None` when nothing was, nothing in it
/// when that was `all`.
fn chosen(list: &[String]) -> Option<Vec<String>> {
    let names: Vec<String> =
        list.iter().flat_map(|names| names.split_whitespace()).map(ToOwned::to_owned).collect();
    if names.iter().any(|name| name == "all") {
        return Some(Vec::new());
    }
    (!names.is_empty()).then_some(names)
}
