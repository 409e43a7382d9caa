//! From an input to copies that were checked together.

use std::fs::File;
use std::io::{ErrorKind, Read, stdin};
use std::path::Path;

use airlift_oci::mirror::copy::{
    ListError, Prefix, Spec, SpecsError, TagFilter, Violations, read_list, read_specs, under_prefix,
};
use airlift_oci::registry::Credential;
use airlift_oci::types::Reference;

use super::{Args, docker};
use crate::failure::Usage;
use crate::session::Session;

/// What one run is to copy.
pub(super) enum Plan {
    /// These.
    Ready(Vec<Spec>),
    /// Lines, with the credentials that the environment has for their destination.
    Lines(Vec<Spec>, Option<(String, Credential)>),
    /// What the tags of these repositories name, as far as the filter takes them.
    Tags {
        /// Where the images go.
        prefix: Prefix,
        /// The repositories.
        repositories: Vec<Reference>,
        /// Which tags.
        filter: TagFilter,
    },
}

/// Copy specs.
pub(super) fn specs(path: &Path) -> anyhow::Result<Plan> {
    let (name, input) = open(path)?;
    read_specs(&name, input).map(Plan::Ready).map_err(|error| match error {
        SpecsError::Violations(violations) => violated(&violations),
        error => anyhow::Error::new(error),
    })
}

/// Lines of a list.
pub(super) fn lines(args: &Args, path: &Path, session: &Session) -> anyhow::Result<Plan> {
    let registry = docker::destination_registry(args, session);
    let options = args.list_options(registry.as_deref())?;
    let (name, input) = open(path)?;
    let specs = read_list(&name, input, &options).map_err(|error| match error {
        ListError::Violations(violations) => violated(&violations),
        error => anyhow::Error::new(error),
    })?;
    let credentials = docker::credentials(session, registry.as_deref(), &specs);
    Ok(Plan::Lines(specs, credentials))
}

/// Images under a prefix.
pub(super) fn images(args: &Args, prefix: Prefix) -> anyhow::Result<Plan> {
    if !args.all_tags {
        return placed(&prefix, args.images.iter().map(String::as_str), args).map(Plan::Ready);
    }
    let repositories = args.images.iter().map(|text| repository(text)).collect::<Result<_, _>>()?;
    let filter = TagFilter { include: args.include.clone(), exclude: args.exclude.clone() };
    Ok(Plan::Tags { prefix, repositories, filter })
}

/// The images, each at its place under the prefix.
pub(super) fn placed<'a>(
    prefix: &Prefix,
    images: impl IntoIterator<Item = &'a str>,
    args: &Args,
) -> anyhow::Result<Vec<Spec>> {
    under_prefix(prefix, images, &args.kept()).map_err(|violations| violated(&violations))
}

fn repository(text: &str) -> anyhow::Result<Reference> {
    let hint = "with --all-tags name repositories, such as alpine or quay.io/ceph/ceph";
    match Reference::parse_docker(text) {
        Ok(reference) if reference.tag.is_none() && reference.digest.is_none() => Ok(reference),
        Ok(_) => Err(Usage::new(format!("{text} names one image, not a repository"), hint).into()),
        Err(error) => Err(Usage::new(error.to_string(), hint).into()),
    }
}

pub(super) fn violated(violations: &Violations) -> anyhow::Error {
    Usage::new(violations.to_string(), "put these right; nothing was asked of any registry").into()
}

fn open(path: &Path) -> anyhow::Result<(String, Box<dyn Read>)> {
    if path == Path::new("-") {
        return Ok(("standard input".to_owned(), Box::new(stdin().lock())));
    }
    let name = path.display().to_string();
    // A directory can be opened, and fails only when it is read.
    let file = File::open(path).and_then(|file| {
        let is_directory = file.metadata()?.is_dir();
        if is_directory { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
    });
    let file = file.map_err(|error| {
        Usage::new(format!("reading {name} failed: {error}"), "name a file that can be read")
    })?;
    Ok((name, Box::new(file)))
}
