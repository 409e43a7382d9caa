//! `airlift inspect`: what an image, an artifact or a medium holds, as a tree.

mod left_out;
mod survey;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift_oci::mirror::inspect::{InspectOptions, Inspection, inspect};
use airlift_oci::observe;
use airlift_oci::store::{ErrorKind, Store, StoreError};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Location, Version};
use airlift_tape::Medium;
use clap::{Args as Derive, ValueEnum};

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::interrupt::read_again;
use crate::session::Session;
use crate::size::human;
use crate::{medium, output, runtime};

/// Show what an image, a gathered artifact or an archive holds
///
/// A tree of images, platforms, manifests and blobs with their sizes and what the images share. Only
/// manifests are read; of an archive in a file, only what is needed of it. What can only be read
/// forwards (a pipe, a tape, a compressed file) is read through once. Blobs that a delta leaves out
/// are shown with where they are expected; a blob that is missing without a word is damage.
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift inspect reg.example.com/gather:sync-45 -r\n  \
     airlift inspect sync-45.tar --output json\n  \
     airlift inspect /dev/nst0\n  \
     airlift inspect oci-archive:sync-45.tar:docker.io/library/nginx:1.27",
    exit_codes!()
))]
pub(crate) struct Args {
    /// An archive's file, a device, - for standard input; or REGISTRY/REPOSITORY:TAG, oci:DIR:TAG,
    /// oci-archive:FILE:NAME
    #[arg(value_name = "MEDIUM|IMAGE")]
    from: String,
    /// Follow signatures, SBOMs and other referrers
    #[arg(short, long)]
    recursive: bool,
    /// Show every blob
    #[arg(short, long)]
    blobs: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A tree for people.
    #[default]
    Tree,
    /// JSON.
    Json,
}

/// Inspects and prints. Blobs that are neither there nor left out on purpose
/// make it damage.
pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let subject = subject(&args.from)?;
    let inspection = runtime::guarded(async {
        let stores = session.stores(observe::silent())?;
        look(subject, args.recursive, &stores).await
    })
    .map_err(read_again)?;
    match args.output {
        Form::Json => output::line(&serde_json::to_string_pretty(&inspection)?)?,
        Form::Tree => {
            output::text(&tree::draw(&inspection, args.blobs))?;
            output::line(&summary(&inspection))?;
        }
    }
    if inspection.totals.left_out > 0 {
        session.say(&format!(
            "{} blobs and manifests ({}) are left out: the far side is expected to have them",
            inspection.totals.left_out,
            human(inspection.totals.left_out_bytes)
        ));
    }
    if inspection.totals.missing == 0 {
        return Ok(Exit::Done);
    }
    session.complain(&format!(
        "{} blobs and manifests ({}) are named and not there",
        inspection.totals.missing,
        human(inspection.totals.missing_bytes)
    ));
    Ok(Exit::Damaged)
}

/// What is looked at.
enum Subject {
    /// Something that can be read at any place.
    Location(Location),
    /// Something that can be read forwards only.
    Stream(Medium),
}

/// What a word means: a medium that is here, else a location.
fn subject(text: &str) -> anyhow::Result<Subject> {
    let path = Path::new(text);
    if text == "-" {
        return Ok(Subject::Stream(Medium::Stdin));
    }
    if path.exists() && !path.is_dir() {
        return Ok(if medium::is_plain_file(path)? {
            Subject::Location(Location::Archive { file: PathBuf::from(text), tag: None })
        } else {
            Subject::Stream(Medium::at(path))
        });
    }
    let location = text.parse().map_err(|error| {
        let hint = "name an archive's file, REGISTRY/REPOSITORY:TAG or oci:DIR:TAG";
        if path.is_dir() {
            return Usage::new(format!("{text} is a directory, and no location"), hint);
        }
        Usage::new(format!("{text} is no file, and no location: {error}"), hint)
    })?;
    Ok(Subject::Location(location))
}

/// What it means that an archive lacks the manifest that is looked at, which its `index.json` names.
fn headless(error: StoreError, place: String) -> StoreError {
    if !error.is_not_found() {
        return error;
    }
    let text = format!(
        "{}: the archive names it, and holds only part of what belongs to it; give `airlift verify` \
         the other parts too, in their order",
        error.into_kind()
    );
    StoreError::new(place, ErrorKind::Archive(text))
}

async fn look(subject: Subject, referrers: bool, stores: &Stores) -> anyhow::Result<Inspection> {
    let mut options = InspectOptions { referrers, ..InspectOptions::default() };
    let archived = matches!(
        &subject,
        Subject::Stream(_) | Subject::Location(Location::Archive { tag: None, .. })
    );
    let (store, version): (Arc<dyn Store>, _) = match subject {
        Subject::Location(location) => {
            let opened = stores.source(&location).await?;
            options.presence = location.reference().is_none();
            if let Location::Archive { .. } = location {
                options.left_out = left_out::of(opened.store.as_ref(), &opened.version).await?;
            }
            (opened.store, opened.version)
        }
        Subject::Stream(medium) => {
            let (survey, received) = survey::survey(medium).await?;
            options.presence = true;
            options.left_out = left_out::listed(received.omitted);
            (Arc::new(survey), Version::Digest(received.root))
        }
    };
    let found = inspect(&store, &version, &options).await;
    Ok(found.map_err(|error| if archived { headless(error, store.place()) } else { error })?)
}

fn summary(inspection: &Inspection) -> String {
    let totals = &inspection.totals;
    format!(
        "{} images, {} manifests, {} referrers, {} blobs; {}, of which {} shared",
        totals.images,
        totals.manifests,
        totals.referrers,
        totals.blobs,
        human(totals.bytes),
        human(totals.shared)
    )
}
