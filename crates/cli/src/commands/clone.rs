//! `airlift clone`: gather and scatter with nothing between.

use std::path::PathBuf;

use airlift_oci::inventory::{Item, SourceLine};
use airlift_oci::mirror::clone::{CloneOptions, RoutedSource, clone, read_sources};
use airlift_oci::mirror::{Executor, ItemReport, ReadSource, Report, SourceImage};
use airlift_oci::stores::Stores;
use airlift_rules::{Ruleset, Selectors};
use clap::Args as Derive;

use crate::commands::gather;
use crate::exit::{Exit, exit_codes};
use crate::inputs::{self, Opened};
use crate::outcome::{Outcome, Run};
use crate::session::Session;
use crate::shard::Sharding;
use crate::table::Format;
use crate::{dispatch, output, runtime};

/// Send every source of a list to where a ruleset sends it
///
/// Gather and scatter in one, with nothing gathered between: each distinct blob is fetched once and
/// stored once in each registry. A source that fails is listed; the others are delivered.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift clone sources.list nest=reg.example.com/mirror\n  \
     airlift clone sources.list all-prefix=destinations.csv --check\n  \
     airlift clone sources.list nest=reg.example.com -p linux/amd64 -l team=core -r",
    exit_codes!()
))]
pub(crate) struct Args {
    /// File with one source a line, and its labels; - is standard input
    sources: PathBuf,
    /// KIND=ARGUMENT, as of scatter
    ruleset: String,
    /// Show what would go where, and move nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    choice: gather::Choice,
    #[command(flatten)]
    sharding: Sharding,
    /// Only sources whose labels match, as in Kubernetes; several mean any of them
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Vec<String>,
    /// Go on after a failure, which is done anyway
    #[arg(long = "continue", conflicts_with = "fail_fast")]
    go_on: bool,
    /// Begin no further image once one has failed
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// Clones, or shows what that would do.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let lines = chosen(args)?;
    let ruleset = inputs::ruleset(&args.ruleset)?;
    if args.go_on {
        session.say("--continue changes nothing: a failure never stops the other images");
    }
    // What two shards must not both claim, no shard finds in its own part.
    let whole = args.sharding.is_whole() || needs_whole(&ruleset, &lines);
    let part = args.sharding.part(lines.clone(), |line| &line.text, session);
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        let executor = session.executor(watch.observer());
        let opened = inputs::open(if whole { &lines } else { &part }, &stores).await;
        carry(args, &ruleset, &executor, &stores, opened).await
    });
    drop(watch);
    let labels = |text: &str| lines.iter().find(|line| line.text == text).map(|line| &line.labels);
    args.outcome.conclude_run(session, "clone", result, labels)
}

/// The lines whose labels match.
fn chosen(args: &Args) -> anyhow::Result<Vec<SourceLine>> {
    let selectors: Selectors = inputs::selectors(&args.selector)?;
    let mut lines = inputs::sources(&args.sources)?;
    lines.retain(|line| selectors.matches(&line.labels));
    if lines.is_empty() {
        let hint = "check the labels in the list of sources";
        return Err(crate::failure::Usage::new("no source is chosen by --selector", hint).into());
    }
    Ok(lines)
}

/// Whether it takes the content of all sources to know that no two of them claim one destination.
fn needs_whole(ruleset: &Ruleset, lines: &[SourceLine]) -> bool {
    ruleset.reads_content() || dispatch::route(ruleset, &dispatch::unread(lines)).is_err()
}

/// Reads, routes and sends.
async fn carry(
    args: &Args,
    ruleset: &Ruleset,
    executor: &Executor,
    stores: &Stores,
    opened: Opened,
) -> anyhow::Result<Run> {
    let Opened { sources, mut failed } = opened;
    let read = read_sources(executor, sources, &args.choice.platforms).await;
    let mut good: Vec<(SourceImage, ReadSource)> = Vec::new();
    for (source, read) in read {
        match read {
            Ok(read) => good.push((source, read)),
            Err(error) => {
                let mut report = ItemReport::new(&source.text);
                report.fail_by(&error);
                failed.push(report);
            }
        }
    }
    let items: Vec<Item> = good.iter().map(|(_, read)| read.item.clone()).collect();
    // Whatever is wrong with the whole is an error in every shard.
    dispatch::route(ruleset, &items)?;
    good.retain(|(source, _)| args.sharding.takes(&source.text));
    failed.retain(|report| args.sharding.takes(&report.item));
    let items: Vec<Item> = good.iter().map(|(_, read)| read.item.clone()).collect();
    let routing = dispatch::route(ruleset, &items)?;
    if args.check {
        output::text(&dispatch::table(&routing, &items, Format::Table)?)?;
        return Ok(Run::Dry(Opened::join(failed, dispatch::planned(&routing, &items)?)));
    }
    if args.fail_fast && !failed.is_empty() {
        return Ok(Run::Moved(Report { items: failed, index: None }));
    }
    let mut routed = Vec::with_capacity(good.len());
    for (position, (source, read)) in good.into_iter().enumerate() {
        let destinations = dispatch::destinations(&routing, position, &read.item, stores).await?;
        routed.push(RoutedSource { source, read, destinations });
    }
    let options = CloneOptions { referrers: args.choice.recursive, fail_fast: args.fail_fast };
    Ok(Run::Moved(Opened::join(failed, clone(executor, routed, &options).await)))
}
