//! `airlift route`: which rule sends each item where.

use std::path::Path;

use airlift_oci::inventory::{Item, SourceLine};
use airlift_oci::mirror::ItemReport;
use airlift_oci::mirror::clone::read_sources;
use airlift_oci::observe;
use airlift_oci::types::Location;
use airlift_rules::Routing;
use clap::Args as Derive;

use crate::commands::{gather, scatter};
use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::inputs::{self, Opened};
use crate::interrupt::read_again;
use crate::session::Session;
use crate::table::Format;
use crate::{dispatch, output, runtime};

/// Show which rule sends each item where; move nothing
///
/// Rulesets: nest=REPOSITORY puts every image below REPOSITORY under its source's name.
/// all-prefix=FILE, first-prefix=FILE and longest-prefix=FILE read lines PREFIX,DESTINATION: a
/// source that begins with the prefix goes to the destination with the rest of its name; to every
/// matching line's, the first's, the longest's. digests=FILE reads lines DIGEST,DESTINATION.
/// go-template=FILE (Go's text/template with sprig's functions) and template=FILE (Tera) are run for
/// every image, each line of the output being a destination. Items that no rule matches and conflicts are shown too; with conflicts the exit code is 2. Of a
/// list of sources nothing is read unless the rules look at content: at digests, or in a template.
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
    let lines = lines(&args.from)?;
    if let Some(lines) = &lines
        && !ruleset.reads_content()
    {
        let items = dispatch::choose(dispatch::unread(lines), &selectors, None)?;
        let routing = Routing::plan(&ruleset, &items);
        // Whether two sources for one destination are a conflict depends on what they are.
        if routing.conflicts.is_empty() {
            output::text(&dispatch::table_unread(&routing, &items, args.output)?)?;
            return Ok(if routing.check().is_ok() { Exit::Done } else { Exit::Usage });
        }
    }
    let found = runtime::guarded(items(args, session, lines.as_deref()));
    let (items, failed) = found.map_err(read_again)?;
    for report in &failed {
        session.complain(&format!(
            "{}: {}",
            report.item,
            report.error.as_deref().unwrap_or("failed")
        ));
    }
    if items.is_empty() && !failed.is_empty() {
        return Ok(Exit::Failed);
    }
    let items = dispatch::choose(items, &selectors, None)?;
    let routing = Routing::plan(&ruleset, &items);
    output::text(&dispatch::table(&routing, &items, args.output)?)?;
    if routing.check().is_err() {
        return Ok(Exit::Usage);
    }
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Partial })
}

/// The list of sources, when `from` is one.
fn lines(from: &str) -> anyhow::Result<Option<Vec<SourceLine>>> {
    let path = Path::new(from);
    let is_list = path == Path::new("-") || (path.exists() && !path.is_dir());
    is_list.then(|| inputs::sources(path)).transpose()
}

/// The items, and what could not be read.
async fn items(
    args: &Args,
    session: &Session,
    lines: Option<&[SourceLine]>,
) -> anyhow::Result<(Vec<Item>, Vec<ItemReport>)> {
    let stores = session.stores(observe::silent())?;
    let Some(lines) = lines else {
        let location: Location = args.from.parse().map_err(|error| {
            let hint = "name a file with a list of sources, or REGISTRY/REPOSITORY:TAG";
            Usage::new(format!("{} is no file, and no location: {error}", args.from), hint)
        })?;
        let (_, items) = scatter::inventory(&location, &stores).await?;
        return Ok((items, Vec::new()));
    };
    let Opened { sources, mut failed } = inputs::open(lines, &stores).await;
    let executor = session.executor(observe::silent());
    let mut items = Vec::new();
    for (source, read) in read_sources(&executor, sources, &args.choice.platforms).await {
        match read {
            Ok(read) => items.push(read.item),
            Err(error) => {
                let mut report = ItemReport::new(&source.text);
                report.fail_by(&error);
                failed.push(report);
            }
        }
    }
    Ok((items, failed))
}
