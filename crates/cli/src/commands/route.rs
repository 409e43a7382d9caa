//! `airlift route`: which rule sends each item where.

use std::path::Path;

use airlift_oci::inventory::Item;
use airlift_oci::mirror::clone::read_sources;
use airlift_oci::observe;
use airlift_oci::store::chain;
use airlift_oci::types::Location;
use airlift_rules::Routing;
use clap::Args as Derive;

use crate::commands::{gather, scatter};
use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::session::Session;
use crate::table::Format;
use crate::{dispatch, inputs, output, runtime};

/// Show which rule sends each item where; move nothing
///
/// Rulesets: nest=REPOSITORY puts every image below REPOSITORY under its source's name.
/// all-prefix=FILE, first-prefix=FILE and longest-prefix=FILE read lines PREFIX,DESTINATION: a
/// source that begins with the prefix goes to the destination with the rest of its name; to every
/// matching line's, the first's, the longest's. digests=FILE reads lines DIGEST,DESTINATION.
/// Items that no rule matches and conflicts are shown too; with conflicts the exit code is 2.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift route sources.list longest-prefix=destinations.csv\n  \
     airlift route reg.example.com/scatter:sync-45 nest=reg.example.com/mirror -o json",
    exit_codes!()
))]
pub(crate) struct Args {
    /// A file with a list of sources, or the location of a gathered index
    #[arg(value_name = "SOURCES|IMAGE")]
    from: String,
    /// KIND=ARGUMENT
    ruleset: String,
    /// Form of the listing
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    choice: gather::Choice,
    /// Only items whose labels match, as in Kubernetes; several mean any of them
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Vec<String>,
}

/// Routes and prints.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let ruleset = inputs::ruleset(&args.ruleset)?;
    let selectors = inputs::selectors(&args.selector)?;
    let (items, failed) = runtime::guarded(items(args, session))?;
    for problem in &failed {
        tracing::error!("{problem}");
    }
    let items = dispatch::choose(items, &selectors, None)?;
    let routing = Routing::plan(&ruleset, &items);
    output::text(&dispatch::table(&routing, &items, args.output)?)?;
    if routing.check().is_err() {
        return Ok(Exit::Usage);
    }
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Partial })
}

/// The items, and what could not be read.
async fn items(args: &Args, session: &Session) -> anyhow::Result<(Vec<Item>, Vec<String>)> {
    let stores = session.stores(observe::silent())?;
    let path = Path::new(&args.from);
    if path != Path::new("-") && !path.is_file() {
        let location: Location = args.from.parse().map_err(|error| {
            let hint = "name a file with a list of sources, or REGISTRY/REPOSITORY:TAG";
            Usage::new(format!("{} is no file, and no location: {error}", args.from), hint)
        })?;
        let (_, items) = scatter::inventory(&location, &stores).await?;
        return Ok((items, Vec::new()));
    }
    let sources = inputs::open(&inputs::sources(path)?, &stores).await?;
    let executor = session.executor(observe::silent());
    let (mut items, mut failed) = (Vec::new(), Vec::new());
    for (_, read) in read_sources(&executor, sources, &args.choice.platforms).await {
        match read {
            Ok(read) => items.push(read.item),
            Err(error) => failed.push(chain(&error)),
        }
    }
    if items.is_empty() {
        return Err(anyhow::anyhow!("no source could be read: {}", failed.join("; ")));
    }
    Ok((items, failed))
}
