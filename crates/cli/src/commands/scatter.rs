//! `airlift scatter`: every gathered image to where the rules send it.

use std::path::PathBuf;

use airlift_oci::inventory::{Inventory, Item};
use airlift_oci::mirror::scatter::{ScatterOptions, scatter};
use airlift_oci::store::Source;
use airlift_oci::stores::{OpenedSource, Stores};
use airlift_oci::types::Location;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::outcome::{Outcome, Run};
use crate::session::Session;
use crate::table::Format;
use crate::{dispatch, inputs, output, runtime};

/// Send every gathered image to where a ruleset sends it
///
/// RULESET is KIND=ARGUMENT: nest=REPOSITORY puts every image below REPOSITORY under its source's
/// name; all-prefix=FILE, first-prefix=FILE, longest-prefix=FILE and digests=FILE read a table of
/// two columns; go-template=FILE and template=FILE run a template for every image. `airlift route`
/// shows what a ruleset does. Two images for one destination are an error before anything moves; an
/// image that no rule matches is skipped and reported.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift scatter reg.example.com/scatter:sync-45 nest=reg.example.com/mirror\n  \
     airlift scatter reg.example.com/scatter:sync-45 longest-prefix=destinations.csv --check\n  \
     airlift scatter reg.example.com/scatter:sync-45 nest=reg.example.com -l team=core -r",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The gathered index: REGISTRY/REPOSITORY:TAG, oci:DIR:TAG or oci-archive:FILE
    #[arg(value_parser = inputs::location)]
    image: Location,
    /// KIND=ARGUMENT
    ruleset: String,
    #[command(flatten)]
    choice: Choice,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// Which items are sent, and whether.
#[derive(Debug, Clone, Default, Derive)]
pub(crate) struct Choice {
    /// Show what would go where, and move nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Only items whose labels match, as in Kubernetes; several mean any of them
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Vec<String>,
    /// Only the sources listed in FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) subset: Option<PathBuf>,
}

impl Choice {
    /// The items that are chosen.
    pub(crate) fn of(&self, items: Vec<Item>) -> anyhow::Result<Vec<Item>> {
        let selectors = inputs::selectors(&self.selector)?;
        let list = self.subset.as_deref().map(inputs::sources).transpose()?;
        dispatch::choose(items, &selectors, list.as_deref())
    }
}

/// Scatters, or shows what that would do.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let ruleset = inputs::ruleset(&args.ruleset)?;
    inputs::selectors(&args.choice.selector)?;
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        let (opened, items) = inventory(&args.image, &stores).await?;
        let items = args.choice.of(items)?;
        let routing = dispatch::route(&ruleset, &items)?;
        inputs::spared(&args.image, &routing, &items)?;
        if args.choice.check {
            output::text(&dispatch::table(&routing, &items, Format::Table)?)?;
            return Ok(Run::Dry(dispatch::planned(&routing, &items)?));
        }
        let routed = dispatch::open(&routing, items, &stores).await?;
        let options = ScatterOptions { referrers: args.recursive };
        let executor = session.executor(watch.observer());
        let report = scatter(&executor, opened.store, opened.mount_from, routed, &options).await;
        anyhow::Ok(Run::Moved(report))
    });
    drop(watch);
    args.outcome.conclude_run(session, "scatter", result, |_| None)
}

/// A gathered index, opened and read.
pub(crate) async fn inventory(
    image: &Location,
    stores: &Stores,
) -> anyhow::Result<(OpenedSource, Vec<Item>)> {
    let opened = stores.source(image).await?;
    let index = Source::fetch(opened.store.as_ref(), &opened.version).await?;
    let inventory = Inventory::read(&index)?;
    Ok((opened, inventory.items))
}
