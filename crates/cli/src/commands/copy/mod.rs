//! `airlift copy`: image by image, as specs, a list or a prefix say.

mod carry;
mod docker;
mod form;
mod plan;
mod prompt;

use std::path::PathBuf;

use airlift_oci::mirror::copy::Pattern;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::outcome::Outcome;
use crate::session::Session;
use crate::shard::Sharding;
use crate::whole::writable;
use form::Form;

/// Copy images from where they are to where they belong, one by one
///
/// What is to be copied comes in one of three forms. --specs reads a stream of JSON objects with
/// `src` and `dst`, and arrays of them; --list reads lines SOURCE DEST TAG; --to puts each IMAGE
/// named under a registry or a path in one. With none of them lines are read from standard input,
/// at a terminal with a prompt. Names are Docker's: `alpine` is docker.io/library/alpine:latest;
/// oci:DIR:TAG is an image layout. The input is checked as a whole before anything is asked of a
/// registry. What is in place already is not moved again.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift copy --specs specs.json\n  \
     skopeo list-tags docker://alpine | jq -f to-specs.jq | airlift copy --specs -\n  \
     airlift copy --list images.txt -d reg.example.com -j 10\n  \
     airlift copy --to reg.example.com/mirror hello-world area51/jenkins:lts\n  \
     airlift copy --to reg.example.com/mirror --all-tags --include '3.*' alpine",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Images to put under --to
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// Read copy specs from FILE: JSON objects and arrays of them; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "images", "to", "architectures", "os", "source_registry"])]
    specs: Option<PathBuf>,
    /// Read lines SOURCE DEST TAG from FILE; - is standard input
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with = "images")]
    list: Option<PathBuf>,
    /// Put the images under this registry; with lines, the registry of all destinations
    #[arg(short = 'd', long, value_name = "REGISTRY[/PREFIX]")]
    to: Option<String>,
    /// With lines: the registry of all sources
    #[arg(short = 's', long, value_name = "REGISTRY", conflicts_with = "images")]
    source_registry: Option<String>,
    /// Take only these architectures, `all` for any [default with lines: amd64,arm64]
    #[arg(short, long, visible_alias = "arch", value_name = "ARCHITECTURE", value_delimiter = ',')]
    architectures: Vec<String>,
    /// Take only these systems, `all` for any [default with --to: linux]
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    os: Vec<String>,
    /// With --to: every tag of each IMAGE, which then names a repository
    #[arg(long, requires = "images", conflicts_with_all = ["list", "specs"])]
    all_tags: bool,
    /// With --all-tags: only tags like this, as in a shell; repeatable
    #[arg(long, value_name = "PATTERN", requires = "all_tags")]
    include: Vec<Pattern>,
    /// With --all-tags: no tags like this; repeatable
    #[arg(long, value_name = "PATTERN", requires = "all_tags")]
    exclude: Vec<Pattern>,
    /// Images under way at once, 1 to 20
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    jobs: Option<u8>,
    /// With lines: where those that failed are written [default: mirror-failed.txt]
    #[arg(short, long, value_name = "FILE", value_parser = writable, conflicts_with_all = ["specs", "images"])]
    output: Option<PathBuf>,
    #[command(flatten)]
    sharding: Sharding,
    /// Show what would go where, and move nothing
    #[arg(long)]
    check: bool,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// Copies, or shows what that would do.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    match args.form()? {
        Form::Specs(path) => carry::run(args, session, plan::specs(path)?),
        Form::Lines(path) if form::is_prompt(path) => prompt::run(args, session),
        Form::Lines(path) => carry::run(args, session, plan::lines(args, path, session)?),
        Form::Images(prefix) => carry::run(args, session, plan::images(args, prefix)?),
    }
}
