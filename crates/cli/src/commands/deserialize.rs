//! `airlift deserialize`: archives from their media into a repository.

use std::path::PathBuf;

use airlift_oci::types::Location;
use airlift_tape::{DeserializeOptions, Medium, Received, deserialize, ready};
use clap::Args as Derive;

use crate::commands::verify;
use crate::exit::{Exit, exit_codes};
use crate::leaving::Leaving;
use crate::session::Session;
use crate::size::parse;
use crate::whole::{writable, write_whole};
use crate::{failure, inputs, output, received, runtime};

/// Read archives back into a repository
///
/// One pass over each medium: blobs go in as they pass, manifests when everything they name is there,
/// the tag last. Every byte of the medium is checked, also of what the repository has already.
/// When anything is damaged or missing nothing is tagged and the exit code is 4. With --keep-going
/// the images that are whole are delivered all the same: TAG-partial names them, ready to be
/// scattered, and every image that is lost is listed with the damage.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift deserialize /dev/nst0 reg.high.example.com/scatter:sync-45\n  \
     airlift deserialize base.tar delta.tar oci:landed:sync-45\n  \
     airlift deserialize /dev/nst0 oci:landed:sync-45 --keep-going --failed again.list\n  \
     ssh low cat sync-45.tar | airlift deserialize - reg.high.example.com/scatter:sync-45",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The media in the order in which they were written: files, devices, pipes; - is standard input
    #[arg(required = true)]
    source: Vec<PathBuf>,
    /// Where to: REGISTRY/REPOSITORY:TAG or oci:DIR:TAG
    #[arg(value_parser = inputs::location)]
    image: Location,
    #[command(flatten)]
    reading: Reading,
    /// Write a JSON report of every image to FILE; with --dry-run, that of verify
    #[arg(long, value_name = "FILE", value_parser = writable)]
    report: Option<PathBuf>,
    /// Write the sources of the images that are lost to FILE, ready to be gathered again
    #[arg(long, value_name = "FILE", value_parser = writable, conflicts_with = "dry_run")]
    failed: Option<PathBuf>,
    /// Changes nothing: an archive brings what it holds
    #[arg(short, long, hide = true)]
    recursive: bool,
}

/// How archives are read.
#[derive(Debug, Clone, Derive)]
pub(crate) struct Reading {
    /// Memory for what is read ahead; 0 is the default
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = parse)]
    pub(crate) block_size: u64,
    /// Refuse an archive with anything that is not accounted for: content that nothing names, or that
    /// stands there twice, and a manifest.json that the transfer list does not have, or that says of
    /// another program's archive what its images do not
    #[arg(long)]
    pub(crate) strict: bool,
    /// Read on behind damage, and deliver the images that are whole
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Read the media whole and check them, as verify does; send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A repository that may have what an archive leaves out; repeatable
    #[arg(long, value_name = "IMAGE", value_parser = inputs::location)]
    pub(crate) existing: Vec<Location>,
}

/// Deserializes.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let tag = inputs::destination_tag(&args.image)?;
    if args.reading.dry_run {
        let least = DeserializeOptions::default().memory;
        let memory = Some(args.reading.block_size).filter(|asked| *asked > least);
        let found = verify::read(&args.source, memory, session)?;
        let mut leaving = Leaving::of(session);
        if let Some(path) = &args.report {
            let document = verify::document(&found)?;
            leaving.file(|| write_whole(path, document.as_bytes()));
        }
        output::text(&verify::text(&found))?;
        return Ok(leaving.exit(verify::exit(&found)));
    }
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let media = args.source.iter().map(|path| Medium::at(path)).collect();
        // Nothing is made for what cannot be read.
        let media = ready(media, args.reading.keep_going).await?;
        let stores = session.stores(watch.observer())?;
        let mut existing = Vec::with_capacity(args.reading.existing.len());
        for image in &args.reading.existing {
            existing.push(stores.source(image).await?.store);
        }
        let destination = stores.destination(&args.image).await?;
        let mut options = DeserializeOptions { tag: Some(tag), ..DeserializeOptions::default() };
        options.memory = options.memory.max(args.reading.block_size);
        options.strict = args.reading.strict;
        options.keep_going = args.reading.keep_going;
        options.existing = existing;
        let received = deserialize(media, destination.store, &options, watch.observer()).await?;
        anyhow::Ok(received)
    });
    drop(watch);
    conclude(args, session, result)
}

/// Ends a run: says what became of it and writes the files that were asked for.
fn conclude(
    args: &Args,
    session: &Session,
    result: anyhow::Result<Received>,
) -> anyhow::Result<Exit> {
    let exit = match &result {
        Ok(received) if received.partial.is_some() => Exit::Damaged,
        Ok(_) => Exit::Done,
        Err(error) => failure::exit(error),
    };
    let mut leaving = Leaving::of(session);
    if let Some(path) = &args.report {
        let document = serde_json::to_string_pretty(&received::json(&result, exit))? + "\n";
        leaving.file(|| write_whole(path, document.as_bytes()));
    }
    let received = result?;
    if let Some(path) = &args.failed {
        leaving.file(|| write_whole(path, received::lost(&received).as_bytes()));
    }
    for line in received::complaints(&received) {
        session.complain(&line);
    }
    if let Some(line) = received::delivered(&args.image, &received) {
        output::line(&line)?;
    }
    for line in received::summary(&args.image, &received) {
        session.say(&line);
    }
    Ok(leaving.exit(exit))
}
