//! `airlift batch-serialize`: many gathered artifacts as numbered archives, each a delta.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::mirror::{ItemReport, Report};
use airlift_oci::observe::{Observer, Totals};
use airlift_oci::store::{Source, StoreError, chain};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Digest, Location, Manifest, Version};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::batch::{ArchiveName, BatchLine, Record, SENT_FILE, Sent, parse_list};
use airlift_tape::device::{Destination, DeviceError};
use airlift_tape::{Compression, Resume, SerializeError, SerializeOptions, Written, serialize};
use anyhow::Context;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::outcome::Outcome;
use crate::runtime;
use crate::session::Session;

/// Write many gathered artifacts as numbered archives into one directory
///
/// BATCH-LIST is a CSV file: a header, then NAME,ARTIFACT a line. Each artifact that is not in the
/// record yet becomes SYNC-DIRECTORY/NNNNNN-NAME.tar, without the blobs that earlier archives of the
/// same name hold. The record gets its line when the archive is whole, so that a run that was
/// interrupted goes on where it stopped. Of a name the last line of the list counts.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift batch-serialize batch.csv sync/\n  \
     airlift batch-serialize batch.csv /media/disc --tracker-filename low-side.csv -r",
    exit_codes!()
))]
pub(crate) struct Args {
    /// CSV file with a header and a line NAME,ARTIFACT for each artifact
    batch_list: PathBuf,
    /// Directory of the archives and their record
    sync_directory: PathBuf,
    /// Name of the record in the directory, or a path elsewhere
    #[arg(long, value_name = "FILE", default_value = SENT_FILE)]
    tracker_filename: PathBuf,
    /// Compress: zstd or gzip, with a level if need be (zstd:9, gzip:6)
    #[arg(long, value_name = "NAME[:LEVEL]", default_value = "none")]
    compression: Compression,
    /// Write manifest.json too, for docker load and ctr
    #[arg(long)]
    manifest_json: bool,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    outcome: Outcome,
}

/// Serializes what is new.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let lines = list(&args.batch_list)?;
    check_directory(&args.sync_directory)?;
    let record = Record::<Sent>::open(&args.sync_directory.join(&args.tracker_filename))?;
    let next = next_number(&args.sync_directory, &record)?;
    let unrecorded = unrecorded(&args.sync_directory, &record)?;
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let stores = session.stores(watch.observer())?;
        let mut batch =
            Batch { args, stores, observer: watch.observer(), record, next, unrecorded };
        let mut report = Report::default();
        for line in &lines {
            let mut item = ItemReport::new(&line.artifact);
            match batch.line(line, &mut item).await {
                Ok(totals) => item.succeed(totals),
                Err(error) => item.fail(chain(error.as_ref())),
            }
            report.items.push(item);
        }
        Ok(report)
    });
    drop(watch);
    args.outcome.conclude(session, "batch-serialize", result, |_| None)
}

fn list(path: &Path) -> anyhow::Result<Vec<BatchLine>> {
    let hint = "a header, then NAME,ARTIFACT a line";
    let name = path.display().to_string();
    let text = airlift_oci::store::read_small(path)
        .map_err(|error| Usage::new(format!("reading {name} failed: {error}"), hint))?;
    Ok(parse_list(&name, &text).map_err(|error| Usage::new(error.to_string(), hint))?)
}

/// Both directions need a directory that is there: a misspelt one is not to be made.
pub(crate) fn check_directory(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let message = format!("{} is no directory", path.display());
    Err(Usage::new(message, "make it first, or name the one with the archives").into())
}

/// The number after the highest that a record or a file has: nothing is written over.
fn next_number(directory: &Path, record: &Record<Sent>) -> anyhow::Result<u64> {
    let recorded = record.rows().iter().filter_map(|row| ArchiveName::parse(&row.file).ok());
    let found = archives(directory)?;
    let highest = recorded.chain(found).map(|name| name.number).max().unwrap_or_default();
    highest.checked_add(1).context("the numbers of the archives are used up")
}

/// The last archive, when the record does not know it: what a run leaves that ends between the two.
fn unrecorded(directory: &Path, record: &Record<Sent>) -> anyhow::Result<Option<ArchiveName>> {
    let last = archives(directory)?.into_iter().max();
    let known = |name: &ArchiveName| {
        let mut recorded =
            record.rows().iter().filter_map(|row| ArchiveName::parse(&row.file).ok());
        recorded.any(|recorded| recorded.number >= name.number)
    };
    Ok(last.filter(|last| !known(last)))
}

/// The archives in the directory whose names can be read.
fn archives(directory: &Path) -> anyhow::Result<Vec<ArchiveName>> {
    let failed = || format!("reading {} failed", directory.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        names.extend(name.to_str().and_then(|name| ArchiveName::parse(name).ok()));
    }
    Ok(names)
}

struct Batch<'a> {
    args: &'a Args,
    stores: Stores,
    observer: Arc<dyn Observer>,
    record: Record<Sent>,
    next: u64,
    unrecorded: Option<ArchiveName>,
}

/// What becomes an archive, and where it is.
type Artifact = (Arc<dyn Source>, Manifest);

impl Batch<'_> {
    /// Writes one artifact, unless its name was sent with the same content already.
    async fn line(&mut self, line: &BatchLine, item: &mut ItemReport) -> anyhow::Result<Totals> {
        let opened = self.stores.source(&line.location).await?;
        let root = Source::fetch(opened.store.as_ref(), &opened.version).await?;
        item.digest = Some(root.digest().clone());
        let earlier = self.earlier(&line.name);
        if let Some(sent) = earlier.iter().find(|sent| sent.digest == *root.digest()) {
            item.destinations = vec![sent.file.clone()];
            return Ok(Totals::default());
        }
        let existing = self.existing(&earlier).await?;
        let ending = match self.args.compression {
            Compression::None => ".tar",
            Compression::Zstd(_) => ".tar.zst",
            Compression::Gzip(_) => ".tar.gz",
        };
        let options = self.options(&line.location, existing);
        let artifact: Artifact = (opened.store, root.clone());
        let adopted = self.adopt(&line.name, ending, &artifact, &options).await?;
        let (file, totals) = if let Some(adopted) = adopted {
            adopted
        } else {
            let name = ArchiveName { number: self.next, name: line.name.clone(), ending };
            let file = name.to_string();
            item.destinations = vec![file.clone()];
            let totals = self.write(&artifact, &file, options).await?;
            self.next += 1;
            (file, totals)
        };
        item.destinations = vec![file.clone()];
        let (artifact, digest) = (line.artifact.clone(), root.digest().clone());
        self.record.append(Sent { file, artifact, digest })?;
        Ok(totals)
    }

    /// What was sent under a name before.
    fn earlier(&self, name: &str) -> Vec<Sent> {
        let named = |sent: &&Sent| ArchiveName::parse(&sent.file).is_ok_and(|n| n.name == name);
        self.record.rows().iter().filter(named).cloned().collect()
    }

    /// The blobs of earlier archives, and of which each is. They are read from where they were
    /// gathered, as they were then. One that is gone there costs room, not correctness.
    async fn existing(&self, earlier: &[Sent]) -> anyhow::Result<BTreeMap<Digest, String>> {
        let mut blobs = BTreeMap::new();
        for sent in earlier {
            match self.blobs(sent).await {
                Ok(digests) => {
                    for digest in digests {
                        blobs.entry(digest).or_insert_with(|| sent.file.clone());
                    }
                }
                Err(error) if error.is_not_found() => {
                    let text = format!(
                        "{}@{} of {} is gone; its blobs are written again",
                        sent.artifact, sent.digest, sent.file
                    );
                    self.observer.event(&airlift_oci::observe::Event::Warning { text: &text });
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("reading {}, which {} holds, failed", sent.artifact, sent.file)
                    });
                }
            }
        }
        Ok(blobs)
    }

    async fn blobs(&self, sent: &Sent) -> Result<Vec<Digest>, StoreError> {
        let wrong = |error: airlift_oci::types::LocationError| {
            let kind = airlift_oci::store::ErrorKind::Configuration(error.to_string());
            StoreError::new(sent.artifact.clone(), kind)
        };
        let location: Location = sent.artifact.parse().map_err(wrong)?;
        let source: Arc<dyn Source> = self.stores.source(&location).await?.store;
        let root = source.fetch(&Version::Digest(sent.digest.clone())).await?;
        let options = WalkOptions { referrers: self.args.recursive, ..WalkOptions::default() };
        let graph = walk(&source, root, &options).await?;
        Ok(graph.blobs().iter().map(|blob| blob.digest.clone()).collect())
    }

    /// The archive that an earlier run wrote whole, ending before its record could say so, when it is
    /// the very one that this artifact would become. Anything else there is left as it is.
    async fn adopt(
        &mut self,
        name: &str,
        ending: &'static str,
        artifact: &Artifact,
        options: &SerializeOptions,
    ) -> anyhow::Result<Option<(String, Totals)>> {
        let is_it = |left: &mut ArchiveName| left.name == name && left.ending == ending;
        let Some(left) = self.unrecorded.take_if(is_it) else { return Ok(None) };
        let file = left.to_string();
        match self.serialize(artifact, &file, options).await {
            Err(SerializeError::Resume(_) | SerializeError::Device(DeviceError::Exists(_))) => {
                Ok(None)
            }
            written => Ok(Some((file, totals(&written?)))),
        }
    }

    fn options(&self, location: &Location, existing: BTreeMap<Digest, String>) -> SerializeOptions {
        SerializeOptions {
            archive: ArchiveOptions {
                tag: location.destination_tag(),
                manifest_json: self.args.manifest_json,
                existing,
                ..ArchiveOptions::default()
            },
            referrers: self.args.recursive,
            compression: self.args.compression,
            resume: Resume::Auto,
            ..SerializeOptions::default()
        }
    }

    async fn serialize(
        &self,
        (source, root): &Artifact,
        file: &str,
        options: &SerializeOptions,
    ) -> Result<Written, SerializeError> {
        let to = Destination::File(self.args.sync_directory.join(file));
        serialize(source.clone(), root.clone(), to, options, self.observer.clone()).await
    }

    async fn write(
        &self,
        artifact: &Artifact,
        file: &str,
        options: SerializeOptions,
    ) -> anyhow::Result<Totals> {
        let mut written = self.serialize(artifact, file, &options).await;
        // The number is this run's alone: what an interrupted one left there of something else
        // is of no use to anybody.
        if let Err(SerializeError::Resume(_)) = written {
            let anew = SerializeOptions { resume: Resume::No, force: true, ..options };
            written = self.serialize(artifact, file, &anew).await;
        }
        Ok(totals(&written?))
    }
}

fn totals(written: &Written) -> Totals {
    Totals {
        moved: written.blobs + written.manifests,
        bytes: written.bytes,
        mounted: 0,
        skipped: written.omitted.len() as u64,
    }
}
