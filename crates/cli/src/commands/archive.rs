//! `airlift archive`: gather and serialize with nothing between.

mod begun_anew;

use std::path::PathBuf;

use airlift_oci::mirror::Report;
use airlift_oci::mirror::gather::GatherOptions;
use airlift_oci::types::{Location, Tag};
use clap::Args as Derive;

use self::begun_anew::Archive;
use crate::commands::gather::{Choice, VERSION};
use crate::commands::serialize::{Writing, destination, existing, summary};
use crate::exit::{Exit, exit_codes};
use crate::inputs::{self, Opened};
use crate::interrupt::go_on;
use crate::outcome::Outcome;
use crate::runtime;
use crate::session::Session;
use crate::shard::Sharding;

/// Write every source of a list onto a medium, with nothing staged between
///
/// The archive is the one that gather and serialize would have made, byte for byte, but no
/// registry and no disk is needed: content goes from the sources straight to the medium. A source
/// that fails is listed and left out; the others are written. When a blob of one turns out to be
/// lacking while they are, the archive is begun anew in its place without that one.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift archive sources.list sync-1.tar sync-1\n  \
     airlift archive sources.list /dev/nst0 -p linux/amd64 -r --buffer-size 4Gi",
    exit_codes!()
))]
pub(crate) struct Args {
    /// File with one source a line, and its labels; - is standard input
    sources: PathBuf,
    /// Where to: a file, a device, a pipe; - is standard output
    dest: PathBuf,
    /// Tag of the index in the archive
    #[arg(conflicts_with = "reference")]
    tag: Option<Tag>,
    /// The same, as ace-dt has it
    #[arg(long, value_name = "TAG")]
    reference: Option<Tag>,
    /// Annotations for the index: KEY=VALUE[,KEY=VALUE]..
    #[arg(short, long, value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    /// Name indexes in an annotation, for registries that refuse an index within an index
    #[arg(long)]
    index_fallback: bool,
    #[command(flatten)]
    sharding: Sharding,
    /// An image that the far side has: its blobs are left out; repeatable
    #[arg(long, value_name = "IMAGE", value_parser = inputs::location)]
    existing: Vec<Location>,
    #[command(flatten)]
    writing: Writing,
    /// Accepted for scripts written for ace-dt; nothing is cached
    #[arg(long, value_name = "DIR", hide = true)]
    cache: Option<PathBuf>,
    #[command(flatten)]
    outcome: Outcome,
}

/// Archives.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let lines = inputs::sources(&args.sources)?;
    let lines = args.sharding.part(lines, |line| &line.text, session);
    let options = GatherOptions {
        platforms: args.choice.platforms.clone(),
        referrers: args.choice.recursive,
        index_fallback: args.index_fallback,
        annotations: inputs::annotations(&args.annotations)?,
        version: VERSION.to_owned(),
        empty: lines.is_empty(),
    };
    let tag = args.tag.clone().or_else(|| args.reference.clone()).unwrap_or_else(Tag::latest);
    let medium = destination(&args.dest)?;
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        args.writing.check(&medium)?;
        let stores = session.stores(watch.observer())?;
        let Opened { sources, failed } = inputs::open(&lines, &stores).await;
        let existing = existing(&args.existing, args.choice.recursive, &stores).await?;
        let writing = args.writing.options(Some(tag), existing, args.choice.recursive)?;
        let executor = session.executor(watch.observer());
        let archive = Archive { executor, sources, options, writing, observer: watch.observer() };
        let (report, written) = archive.write(medium).await?;
        anyhow::Ok((Opened::join(failed, report), written))
    });
    drop(watch);
    let result = result.map_err(|error| go_on(error, || args.writing.resuming(&args.dest)));
    let result: anyhow::Result<Report> = result.map(|(report, written)| {
        if let Some(written) = written {
            session.say(&summary(&written));
        }
        report
    });
    let labels = |text: &str| lines.iter().find(|line| line.text == text).map(|line| &line.labels);
    args.outcome.conclude(session, "archive", result, labels)
}
