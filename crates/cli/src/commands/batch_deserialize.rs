//! `airlift batch-deserialize`: the archives of a directory, in the order of their numbers.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use airlift_oci::mirror::{ItemReport, Report};
use airlift_oci::observe::{Observer, Totals};
use airlift_oci::store::chain;
use airlift_oci::stores::Stores;
use airlift_oci::types::{Location, Reference};
use airlift_tape::batch::{ARRIVED_FILE, ArchiveName, Arrived, Record, timestamp};
use airlift_tape::{DeserializeOptions, Medium, deserialize};
use anyhow::Context;
use clap::Args as Derive;

use crate::commands::batch_serialize::check_directory;
use crate::exit::{Exit, exit_codes};
use crate::failure::{self, Usage};
use crate::outcome::Outcome;
use crate::session::Session;
use crate::{inputs, runtime};

/// Read the archives of a directory into one repository
///
/// Every archive NNNNNN-NAME.tar of SYNC-DIRECTORY that is not in the record yet is read into IMAGE's
/// repository, in the order of the numbers, and tagged NAME. The record gets its line as soon as an
/// archive is there. After one that fails, later ones of the same name wait for it; others go on.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift batch-deserialize sync/ reg.high.example.com/scatter\n  \
     airlift batch-deserialize /media/disc oci:landed --sync-filename /var/lib/airlift/syncs.csv",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Directory of the archives
    sync_directory: PathBuf,
    /// The repository, without a tag: REGISTRY/REPOSITORY or oci:DIR
    #[arg(value_parser = inputs::location)]
    image: Location,
    /// Name of the record in the directory, or a path elsewhere, as for a disc that is read only
    #[arg(long, value_name = "FILE", default_value = ARRIVED_FILE)]
    sync_filename: PathBuf,
    /// Changes nothing: an archive brings what it holds
    #[arg(short, long, hide = true)]
    recursive: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// Deserializes what is new.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let began = Instant::now();
    check_untagged(&args.image)?;
    check_directory(&args.sync_directory)?;
    let archives = archives(args)?;
    let mut record = Record::<Arrived>::open(&args.sync_directory.join(&args.sync_filename))?;
    let known: HashSet<String> = record.rows().iter().map(|row| row.file.clone()).collect();
    let watch = session.watch()?;
    let mut damaged = false;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        let mut report = Report::default();
        let mut waiting: BTreeMap<String, String> = BTreeMap::new();
        for (file, name) in archives.iter().filter(|(file, _)| !known.contains(file)) {
            let mut item = ItemReport::new(file);
            let place = tagged(&args.image, name)?;
            item.destinations = vec![place.to_string()];
            if let Some(first) = waiting.get(&name.name) {
                item.fail(format!("not read, because {first} of the same name failed"));
                report.items.push(item);
                continue;
            }
            match read(args, file, &place, &stores, watch.observer()).await {
                Ok((digest, totals)) => {
                    let when = timestamp(SystemTime::now(), began.elapsed());
                    let artifact = place.to_string();
                    record.append(Arrived { file: file.clone(), artifact, when })?;
                    item.digest = Some(digest);
                    item.succeed(totals);
                }
                Err(error) => {
                    damaged |= failure::exit(&error) == Exit::Damaged;
                    item.fail(chain(error.as_ref()));
                    waiting.insert(name.name.clone(), file.clone());
                }
            }
            report.items.push(item);
        }
        Ok(report)
    });
    drop(watch);
    let exit = args.outcome.conclude(session, "batch-deserialize", result, |_| None)?;
    Ok(if damaged { Exit::Damaged } else { exit })
}

fn check_untagged(image: &Location) -> anyhow::Result<()> {
    let plain = match image {
        Location::Registry(reference) => reference.tag.is_none() && reference.digest.is_none(),
        Location::Layout { tag, .. } => tag.is_none(),
        Location::Archive { .. } => false,
    };
    if plain {
        return Ok(());
    }
    let message = format!("{image} cannot be used: each archive is tagged with its own name");
    Err(Usage::new(message, "name the repository alone: REGISTRY/REPOSITORY or oci:DIR").into())
}

/// The archives in the order of their numbers. Other files are none of ours; an archive whose name
/// says neither number nor tag is an error before anything moves.
fn archives(args: &Args) -> anyhow::Result<Vec<(String, ArchiveName)>> {
    let failed = || format!("reading {} failed", args.sync_directory.display());
    let mut archives = Vec::new();
    for entry in std::fs::read_dir(&args.sync_directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let Some(file) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !ArchiveName::is_archive(&file) || entry.path().is_dir() {
            continue;
        }
        let name = ArchiveName::parse(&file)
            .map_err(|error| Usage::new(error.to_string(), "rename the file, or move it away"))?;
        archives.push((file, name));
    }
    archives.sort_by(|(_, a), (_, b)| a.cmp(b));
    Ok(archives)
}

/// The repository with an archive's name as tag.
fn tagged(image: &Location, name: &ArchiveName) -> anyhow::Result<Location> {
    let tag = name.tag()?;
    Ok(match image {
        Location::Registry(reference) => {
            Location::Registry(Reference { tag: Some(tag), ..reference.clone() })
        }
        Location::Layout { directory, .. } => {
            Location::Layout { directory: directory.clone(), tag: Some(tag.to_string()) }
        }
        Location::Archive { .. } => image.clone(),
    })
}

async fn read(
    args: &Args,
    file: &str,
    place: &Location,
    stores: &Stores,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<(airlift_oci::types::Digest, Totals)> {
    let destination = stores.destination(place).await?;
    let options = DeserializeOptions { tag: destination.tag, ..DeserializeOptions::default() };
    let medium = Medium::File(args.sync_directory.join(file));
    let received = deserialize(vec![medium], destination.store, &options, observer).await?;
    let mut totals = received.blobs;
    totals.moved += received.manifests;
    totals.bytes += received.manifest_bytes;
    Ok((received.root, totals))
}
