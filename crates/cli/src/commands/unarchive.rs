//! `airlift unarchive`: deserialize and scatter with nothing between.

mod router;

use std::path::PathBuf;
use std::sync::Arc;

use airlift_oci::mirror::delivery::Delivery;
use airlift_oci::mirror::scatter::{ScatterOptions, scatter};
use airlift_oci::observe::Observer;
use airlift_oci::store::Store;
use airlift_oci::stores::Stores;
use airlift_oci::types::{Location, Tag};
use airlift_rules::Ruleset;
use airlift_tape::{DeserializeOptions, Medium, deserialize, ready};
use clap::Args as Derive;

use crate::commands::scatter::{Choice, inventory};
use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::outcome::{Outcome, Run};
use crate::session::Session;
use crate::size::parse;
use crate::table::Format;
use crate::{dispatch, inputs, medium, output, received, runtime};
use router::Router;

/// Send every image of an archive to where a ruleset sends it
///
/// Deserialize and scatter in one, with no repository between and nothing on the disk. A plain file is
/// read in place. A pipe, a tape or a compressed file is read once, forwards: each blob goes to the
/// first destination that needs it and is mounted in the others. An image that fails is listed; the
/// others are delivered.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift unarchive sync-45.tar nest=reg.high.example.com/mirror\n  \
     airlift unarchive /dev/nst0 longest-prefix=destinations.csv sync-45 -r\n  \
     zstd -dc sync-45.tar.zst | airlift unarchive - nest=reg.high.example.com --check",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The archive: a file, a device, a pipe; - is standard input
    source: PathBuf,
    /// KIND=ARGUMENT, as of scatter
    ruleset: String,
    /// The tag that the archive must have
    #[arg(value_parser = tag)]
    tag: Option<Tag>,
    #[command(flatten)]
    choice: Choice,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    recursive: bool,
    /// Memory for what is read ahead; 0 is the default
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = parse)]
    block_size: u64,
    /// Read all of the archive, and refuse one with anything that is not accounted for: content that
    /// nothing names, or that stands there twice
    #[arg(long)]
    strict: bool,
    /// Read on behind damage, and deliver the images that are whole
    #[arg(long)]
    keep_going: bool,
    /// Changes nothing: ace-dt tags its cache with it, and there is none here
    #[arg(long, value_name = "TAG", hide = true)]
    reference: Option<String>,
    #[command(flatten)]
    outcome: Outcome,
}

fn tag(text: &str) -> Result<Tag, String> {
    text.parse().map_err(|error: airlift_oci::types::ReferenceError| error.to_string())
}

/// Unarchives, or shows what that would do.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let ruleset = inputs::ruleset(&args.ruleset)?;
    inputs::selectors(&args.choice.selector)?;
    let in_place = args.source != std::path::Path::new("-")
        && !args.strict
        && !args.keep_going
        && medium::is_plain_file(&args.source)
            .map_err(|error| Usage::new(format!("{error:#}"), "name an archive that is there"))?;
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        if in_place {
            let read = from_file(args, session, &ruleset, &stores, watch.observer()).await;
            read.map(|run| (run, false))
        } else {
            from_stream(args, session, ruleset, stores, watch.observer()).await
        }
    });
    drop(watch);
    let damaged = matches!(result, Ok((_, true)));
    let result = result.map(|(run, _)| run);
    let exit = args.outcome.conclude_run(session, "unarchive", result, |_| None)?;
    Ok(if damaged && exit != Exit::Done { Exit::Damaged } else { exit })
}

/// A file: the archive is a repository like any other, and is scattered.
async fn from_file(
    args: &Args,
    session: &Session,
    ruleset: &Ruleset,
    stores: &Stores,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Run> {
    let tag = args.tag.as_ref().map(ToString::to_string);
    let location = Location::Archive { file: args.source.clone(), tag };
    let (opened, items) = inventory(&location, stores).await?;
    let items = args.choice.of(items)?;
    let routing = dispatch::route(ruleset, &items)?;
    if args.choice.check {
        output::text(&dispatch::table(&routing, &items, Format::Table)?)?;
        return Ok(Run::Dry(dispatch::planned(&routing, &items)?));
    }
    let routed = dispatch::open(&routing, items, stores).await?;
    let options = ScatterOptions { referrers: args.recursive };
    let executor = session.executor(observer);
    let report = scatter(&executor, opened.store, opened.mount_from, routed, &options).await;
    Ok(Run::Moved(report))
}

/// Anything else: one pass. Says whether the archive is damaged, too.
async fn from_stream(
    args: &Args,
    session: &Session,
    ruleset: Ruleset,
    stores: Stores,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<(Run, bool)> {
    let router = Arc::new(Router::new(ruleset, stores, args.choice.clone()));
    let delivery = Arc::new(Delivery::new(router.clone(), args.recursive, args.tag.clone()));
    let sink: Arc<dyn Store> = delivery.clone();
    let mut options = DeserializeOptions { strict: args.strict, ..DeserializeOptions::default() };
    options.memory = options.memory.max(args.block_size);
    options.keep_going = args.keep_going;
    let media = ready(vec![Medium::at(&args.source)], args.keep_going).await?;
    let read = deserialize(media, sink, &options, observer).await;
    if let Some((table, plan)) = router.plan() {
        output::text(&table)?;
        return Ok((Run::Dry(plan), false));
    }
    if let Some(error) = router.failure() {
        return Err(error);
    }
    let read = read?;
    for line in received::complaints(&read) {
        session.complain(&line);
    }
    let report = delivery.finish().await;
    if args.keep_going && report.items.is_empty() {
        anyhow::bail!("the gathered index is damaged or missing, so no image has a destination");
    }
    Ok((Run::Moved(report), !read.damage.is_empty()))
}
