//! `airlift gather`: every source of a list into one repository.

use std::path::PathBuf;

use airlift_oci::inventory::SourceLine;
use airlift_oci::mirror::gather::{GatherOptions, gather};
use airlift_oci::mirror::{Report, join};
use airlift_oci::types::{Location, Platform};
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::inputs::{self, Opened};
use crate::outcome::Outcome;
use crate::output;
use crate::runtime;
use crate::session::Session;
use crate::shard::Sharding;

/// Copy every source of a list into one repository
///
/// Nothing touches the disk: content goes from each source straight to IMAGE's repository, and an
/// index of everything gathered is put at IMAGE's tag. What is there already is not moved again. A
/// source that fails is listed; the others are gathered all the same. On success the reference
/// of the index, with its digest, is printed.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift gather sources.list reg.example.com/gather:sync-45\n  \
     airlift gather sources.list oci:staging:sync-45 -p linux/amd64 -p linux/arm64 -r\n  \
     airlift gather sources.list reg.example.com/gather:sync-45 -a ticket=4711,approved=yes\n  \
     airlift gather sources.list reg.example.com/gather:sync-45-0 --shard 0/4\n  \
     airlift gather shards.list reg.example.com/gather:sync-45 --join",
    exit_codes!()
))]
pub(crate) struct Args {
    /// File with one source a line, and its labels; - is standard input
    sources: PathBuf,
    /// Where to: REGISTRY/REPOSITORY:TAG or oci:DIR:TAG
    #[arg(value_parser = inputs::location)]
    image: Location,
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
    /// SOURCES are gathered artifacts, such as those of several shards: take what they hold, as if
    /// it had been gathered in one go
    #[arg(long, conflicts_with_all = ["platforms", "shard"])]
    join: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// What is taken of each source.
#[derive(Debug, Clone, Default, Derive)]
pub(crate) struct Choice {
    /// Take only these platforms: OS/ARCHITECTURE[/VARIANT], of Windows also with :VERSION; repeatable
    #[arg(short, long, value_name = "PLATFORM", value_delimiter = ',', value_parser = inputs::platform)]
    pub(crate) platforms: Vec<Platform>,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

/// What gathered indexes say they were made by.
pub(crate) const VERSION: &str = concat!("airlift/", env!("CARGO_PKG_VERSION"));

/// Gathers.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let lines = inputs::sources(&args.sources)?;
    let tag = inputs::destination_tag(&args.image)?;
    inputs::distinct(&lines, &args.image)?;
    if args.join {
        unlabelled(&lines)?;
    }
    let lines = args.sharding.part(lines, |line| &line.text, session);
    let options = GatherOptions {
        platforms: args.choice.platforms.clone(),
        referrers: args.choice.recursive,
        index_fallback: args.index_fallback,
        annotations: inputs::annotations(&args.annotations)?,
        version: VERSION.to_owned(),
        empty: lines.is_empty(),
    };
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        let Opened { sources, failed } = inputs::open(&lines, &stores).await;
        let destination = stores.destination(&args.image).await?;
        let executor = session.executor(watch.observer());
        let store = destination.store;
        let report = if args.join {
            join(&executor, sources, store, &tag, &options).await?
        } else {
            gather(&executor, sources, store, &tag, &options).await?
        };
        anyhow::Ok(Opened::join(failed, report))
    });
    drop(watch);
    print(&args.image, result.as_ref().ok())?;
    if args.join {
        // What is joined is joined whole: what is there already costs next to nothing.
        let again = |_: &Report| lines.iter().map(|line| line.text.clone() + "\n").collect();
        return args.outcome.conclude_as(session, "gather", result, again);
    }
    let labels = |text: &str| lines.iter().find(|line| line.text == text).map(|line| &line.labels);
    args.outcome.conclude(session, "gather", result, labels)
}

/// Refuses labels of artifacts: what they hold has labels of its own.
fn unlabelled(lines: &[SourceLine]) -> anyhow::Result<()> {
    match lines.iter().find(|line| !line.labels.is_empty()) {
        None => Ok(()),
        Some(line) => Err(Usage::new(
            format!("{} is to be joined and has labels", line.text),
            "give labels to sources when they are gathered; what is joined keeps them",
        )
        .into()),
    }
}

/// Prints what was made, for scripts.
fn print(image: &Location, report: Option<&Report>) -> anyhow::Result<()> {
    match report.and_then(|report| report.index.as_ref()) {
        Some(digest) => output::line(&format!("{image}@{digest}")),
        None => Ok(()),
    }
}
