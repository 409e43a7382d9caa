//! `airlift diff`: what an artifact holds, and what is new in it.

use std::path::PathBuf;
use std::str::FromStr;

use airlift_oci::mirror::SourceImage;
use airlift_oci::mirror::diff::{Diff, DiffOptions, DiffRow, diff};
use airlift_oci::observe;
use airlift_oci::stores::Stores;
use airlift_oci::types::Location;
use clap::{Args as Derive, ValueEnum};

use crate::exit::{Exit, exit_codes};
use crate::interrupt::read_again;
use crate::session::Session;
use crate::size::human;
use crate::table::{Format, Table};
use crate::whole::{writable, write_whole};
use crate::{inputs, output, runtime};

/// List what a gathered artifact holds, and what of it is new
///
/// Without EXISTING, every image of the artifact. With EXISTING images, only those that none of them
/// is or holds, and the bytes that none of them has. Sizes are counted once: the rows' NEW add up.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift diff reg.example.com/gather:sync-45\n  \
     airlift diff reg.example.com/gather:sync-45 reg.example.com/gather:sync-44 -o table,csv=new.csv",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The gathered artifact
    #[arg(value_parser = inputs::location)]
    image: Location,
    /// Images and artifacts that are there already
    #[arg(value_parser = inputs::location)]
    existing: Vec<Location>,
    /// Show the images of an artifact that was gathered itself
    #[arg(long)]
    expand: bool,
    /// Count signatures, SBOMs and other referrers too
    #[arg(short, long)]
    recursive: bool,
    /// Form of the listing: table, json, csv or markdown, each with =FILE if need be; repeatable
    #[arg(
        short,
        long,
        value_name = "FORMAT[=FILE]",
        value_delimiter = ',',
        default_value = "table"
    )]
    output: Vec<Sheet>,
}

/// One listing: its form, and the file that it goes to.
#[derive(Debug, Clone)]
struct Sheet {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for Sheet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a file is missing after the `=`".to_owned()),
            Some((format, file)) => (format, Some(writable(file)?)),
            None => (text, None),
        };
        let format = Format::from_str(format, true)
            .map_err(|_| format!("`{format}` is none of table, json, csv, markdown"))?;
        Ok(Sheet { format, file })
    }
}

/// Compares and prints.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let found = runtime::guarded(async {
        let stores = session.stores(observe::silent())?;
        let image = open(&args.image, &stores).await?;
        let mut existing = Vec::new();
        for location in &args.existing {
            existing.push(open(location, &stores).await?);
        }
        let options = DiffOptions { expand: args.expand, referrers: args.recursive };
        anyhow::Ok(diff(&image, &existing, &options).await?)
    })
    .map_err(read_again)?;
    for sheet in &args.output {
        let text = render(&found, sheet.format)?;
        match &sheet.file {
            Some(file) => write_whole(file, text.as_bytes())?,
            None => output::text(&text)?,
        }
    }
    session.say(&summary(&found));
    Ok(Exit::Done)
}

/// An image as what is compared.
async fn open(location: &Location, stores: &Stores) -> anyhow::Result<SourceImage> {
    let opened = stores.source(location).await?;
    Ok(SourceImage {
        text: location.to_string(),
        labels: airlift_oci::inventory::Labels::new(),
        store: opened.store,
        mount_from: opened.mount_from,
        version: opened.version,
    })
}

fn render(diff: &Diff, format: Format) -> anyhow::Result<String> {
    if format == Format::Json {
        return Ok(serde_json::to_string_pretty(&diff.rows)? + "\n");
    }
    let exact = format == Format::Csv;
    // The first two columns are those of ace-dt.
    let mut table = Table::new(if exact {
        ["reference", "digest", "platform", "size", "new"]
    } else {
        ["REFERENCE", "DIGEST", "PLATFORM", "SIZE", "NEW"]
    });
    for row in &diff.rows {
        let DiffRow { digest, reference, platform, size, new } = row;
        let bytes = |bytes: u64| if exact { bytes.to_string() } else { human(bytes) };
        table.row([
            reference.clone(),
            digest.to_string(),
            platform.clone().unwrap_or_default(),
            bytes(*size),
            bytes(*new),
        ]);
    }
    Ok(table.render(format))
}

fn summary(diff: &Diff) -> String {
    format!(
        "diff: {} of {} images are new; {} of {}",
        diff.rows.len(),
        diff.images,
        human(diff.new_bytes),
        human(diff.bytes)
    )
}
