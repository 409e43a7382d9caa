//! `airlift serialize`: a gathered index, or any image, onto a medium.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::store::Source;
use airlift_oci::stores::Stores;
use airlift_oci::types::{Digest, Location, Tag};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination;
use airlift_tape::ledger::Ledger;
use airlift_tape::{Compression, DEFAULT_MEMORY, Resume, SerializeOptions, Written, serialize};
use anyhow::Context;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::interrupt::go_on;
use crate::leaving::Leaving;
use crate::ledger_parts::LedgerParts;
use crate::session::Session;
use crate::size::{human, parse, parse_positive};
use crate::whole::{writable, write_whole};
use crate::{failure, inputs, runtime, written};

/// Write an image with everything that it names onto a medium
///
/// The archive is a tar that is an OCI image layout; skopeo, podman, docker and ace-dt read it. Its
/// bytes depend on the content alone: the same image gives the same archive. A file appears under its
/// name when it is whole. Blobs that an EXISTING image has are left out: the far side has them.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift serialize reg.example.com/gather:sync-45 /dev/nst0 --buffer-size 4Gi\n  \
     airlift serialize reg.example.com/gather:sync-45 sync-45.tar -r\n  \
     airlift serialize reg.example.com/gather:sync-45 - reg.example.com/gather:sync-44 > delta.tar",
    exit_codes!()
))]
pub(crate) struct Args {
    /// What is written: REGISTRY/REPOSITORY:TAG, oci:DIR:TAG or oci-archive:FILE
    #[arg(value_parser = inputs::location)]
    image: Location,
    /// Where to: a file, a device, a pipe; - is standard output
    dest: PathBuf,
    /// Images that the far side has: their blobs are left out
    #[arg(value_parser = inputs::location)]
    existing: Vec<Location>,
    /// Take signatures, SBOMs and other referrers along, and theirs
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    writing: Writing,
    /// Write a JSON report of the archive, and of what was left out, to FILE
    #[arg(long, value_name = "FILE", value_parser = writable)]
    report: Option<PathBuf>,
}

/// How an archive is written.
#[derive(Debug, Clone, Derive)]
pub(crate) struct Writing {
    /// The archive is written in blocks of this size, a multiple of 512: 1Mi on a tape, 10Ki elsewhere
    #[arg(short, long, value_name = "SIZE", value_parser = parse_positive)]
    pub(crate) block_size: Option<usize>,
    /// Size of the buffer before the device; 0 is the default: 64Mi, of which a plain file takes 48Mi
    #[arg(short = 'm', long, value_name = "SIZE", default_value = "0", value_parser = parse)]
    pub(crate) buffer_size: u64,
    /// At the start and after a stall, wait until this percentage of the buffer is filled: 80 on a
    /// tape, 0 elsewhere
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) hwm: Option<u8>,
    /// Keep a ledger of what is safely on the medium in FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Go on with what an interrupted run left at DEST: after what the ledger of --checkpoint says
    /// is there, or, without one, after what reading the medium back finds
    #[arg(long, conflicts_with = "resume_from_checkpoint")]
    pub(crate) resume: bool,
    /// Go on with what the ledger FILE of an interrupted run says is at DEST
    #[arg(long, value_name = "FILE", requires = "resume_from_offset")]
    pub(crate) resume_from_checkpoint: Option<PathBuf>,
    /// Bytes on the medium that count, at most
    #[arg(long, value_name = "BYTES", requires = "resume_from_checkpoint")]
    pub(crate) resume_from_offset: Option<u64>,
    /// Leave out what the ledger FILE says is on another medium before BYTES; repeatable, or several
    /// separated by commas
    #[arg(long, value_name = "FILE:BYTES", value_parser = LedgerParts::parse)]
    pub(crate) existing_from_checkpoint: Vec<LedgerParts>,
    /// Compress: zstd or gzip, with a level if need be (zstd:9, gzip:6)
    #[arg(long, value_name = "NAME[:LEVEL]", default_value = "none")]
    pub(crate) compression: Compression,
    /// Write manifest.json too, for docker load and ctr
    #[arg(long)]
    pub(crate) manifest_json: bool,
    /// Overwrite what is there
    #[arg(long)]
    pub(crate) force: bool,
}

impl Writing {
    /// Refuses a destination that cannot be one, before anything is read.
    pub(crate) fn check(&self, destination: &Destination) -> anyhow::Result<()> {
        let resume = self.resume || self.resume_from_checkpoint.is_some();
        Ok(destination.check(self.force, resume)?)
    }

    /// How to go on with a run that was interrupted.
    pub(crate) fn resuming(&self, dest: &Path) -> String {
        let again = "run the same command again with --resume instead of --force".to_owned();
        match Destination::at(dest) {
            Ok(Destination::Stdout | Destination::Pipe(_)) => {
                "what went into a pipe is not gone on with: run the same command again".to_owned()
            }
            _ if self.force => again,
            _ => "run the same command again with --resume: it goes on after what is there"
                .to_owned(),
        }
    }

    /// The options of the verb.
    pub(crate) fn options(
        &self,
        tag: Option<Tag>,
        mut existing: BTreeMap<Digest, String>,
        referrers: bool,
    ) -> anyhow::Result<SerializeOptions> {
        for (path, offset) in self.existing_from_checkpoint.iter().flat_map(LedgerParts::each) {
            existing.append(&mut Ledger::read(path)?.existing(path, *offset));
        }
        let resume = match (&self.resume_from_checkpoint, self.resume_from_offset) {
            (Some(ledger), Some(offset)) => Resume::From { ledger: ledger.clone(), offset },
            _ if self.resume => Resume::Auto,
            _ => Resume::No,
        };
        Ok(SerializeOptions {
            archive: ArchiveOptions {
                tag,
                manifest_json: self.manifest_json,
                existing,
                ..ArchiveOptions::default()
            },
            block: self.block_size.map(|size| size as u64),
            compression: self.compression,
            resume,
            referrers,
            memory: if self.buffer_size == 0 { DEFAULT_MEMORY } else { self.buffer_size },
            high_water: self.hwm,
            checkpoint: self.checkpoint.clone(),
            force: self.force,
            ..SerializeOptions::default()
        })
    }
}

/// Serializes.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let destination = destination(&args.dest)?;
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        args.writing.check(&destination)?;
        let stores = session.stores(watch.observer())?;
        let opened = stores.source(&args.image).await?;
        let root = Source::fetch(opened.store.as_ref(), &opened.version).await?;
        let existing = existing(&args.existing, args.recursive, &stores).await?;
        let options =
            args.writing.options(args.image.destination_tag(), existing, args.recursive)?;
        let written =
            serialize(opened.store, root, destination, &options, watch.observer()).await?;
        anyhow::Ok(written)
    });
    drop(watch);
    let result = result.map_err(|error| go_on(error, || args.writing.resuming(&args.dest)));
    let exit = result.as_ref().map_or_else(failure::exit, |_| Exit::Done);
    let mut leaving = Leaving::of(session);
    if let Some(path) = &args.report {
        let document = written::json(&args.image, &args.dest, &result, exit, session);
        let document = serde_json::to_string_pretty(&document)? + "\n";
        leaving.file(|| write_whole(path, document.as_bytes()));
    }
    session.say(&summary(&result?));
    Ok(leaving.exit(exit))
}

/// The destination of an archive.
pub(crate) fn destination(path: &Path) -> anyhow::Result<Destination> {
    if path == Path::new("-") && std::io::stdout().is_terminal() {
        let hint = "redirect standard output to a file or into a pipe, or name a file as DEST";
        return Err(Usage::new("an archive is not for a terminal", hint).into());
    }
    Destination::at(path).map_err(|error| {
        let hint = "name a drive that is there, or a file; is the drive on?";
        Usage::new(format!("opening {} failed: {error}", path.display()), hint).into()
    })
}

/// What a run came to, for people.
pub(crate) fn summary(written: &Written) -> String {
    if written.found {
        return format!("serialize: nothing to do, all of the {} were there", human(written.bytes));
    }
    let omitted = match written.omitted.len() {
        0 => String::new(),
        omitted => format!(", {omitted} blobs left out"),
    };
    let stops = match written.flow.stalls {
        0 => String::new(),
        1 => "; the buffer ran empty once".to_owned(),
        stalls => format!("; the buffer ran empty {stalls} times"),
    };
    format!(
        "serialize: {} written, {} manifests and {} blobs{omitted}{stops}",
        human(written.bytes),
        written.manifests,
        written.blobs
    )
}

/// The blobs of the images that the far side has, and of which image each is.
pub(crate) async fn existing(
    images: &[Location],
    referrers: bool,
    stores: &Stores,
) -> anyhow::Result<BTreeMap<Digest, String>> {
    let mut blobs = BTreeMap::new();
    for image in images {
        let opened = stores.source(image).await?;
        let source: Arc<dyn Source> = opened.store;
        let root = source.fetch(&opened.version).await?;
        let options = WalkOptions { referrers, ..WalkOptions::default() };
        let graph = walk(&source, root, &options)
            .await
            .with_context(|| format!("reading the existing image {image} failed"))?;
        for blob in graph.blobs() {
            blobs.entry(blob.digest.clone()).or_insert_with(|| image.to_string());
        }
    }
    Ok(blobs)
}
