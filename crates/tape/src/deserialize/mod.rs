//! The verb deserialize: archives from their media into a store, in one pass.
//!
//! Blobs go in as they pass; manifests are held until everything they name is there, then put
//! children first, the tag last. Every digest is checked on the medium, also of what the store has.
//! Large blobs of a plain file are passed over, and sent from where they stand: many at once, and
//! again where an upload breaks. They are checked on that way.

mod catalog;
mod complete;
mod damage;
mod error;
mod foreign;
mod ills;
mod intake;
mod keep_going;
mod named;
mod once;
mod order;
mod salvage;
mod stretch;
mod strict;
mod uploads;

use std::sync::Arc;

use airlift_oci::observe::{Observer, Totals};
use airlift_oci::store::Store;
use airlift_oci::types::{Digest, Tag};

pub use damage::{Damage, Lost, Partial};
pub use error::{DeserializeError, Missing, Spot};
pub use order::Disorder;
pub use salvage::PARTIAL_OF;

pub(crate) use catalog::{Catalog, Role, may_be_manifest};
pub(crate) use foreign::is_of_docker;
pub(crate) use intake::check_marker;

use crate::archive::Omitted;
use crate::defaults::CONCURRENCY;
use crate::medium::Medium;
use complete::Completion;
use intake::Intake;

/// How archives are read back.
#[derive(Clone)]
pub struct DeserializeOptions {
    /// Tag of the root at the destination; none: it is put by its digest alone.
    pub tag: Option<Tag>,
    /// Bytes held of blobs that are on their way into the store, and read ahead from the medium.
    pub memory: u64,
    /// Blobs put at once.
    pub concurrency: usize,
    /// Accept only what is accounted for: no content that nothing names, none twice in an archive,
    /// no `manifest.json` but the one that the transfer list has; in an archive without such a list,
    /// none that says of the images what they do not say themselves.
    pub strict: bool,
    /// Deliver what is whole of archives that are damaged or incomplete.
    pub keep_going: bool,
    /// Stores of the destination that may have what an archive leaves out.
    pub existing: Vec<Arc<dyn Store>>,
}

impl DeserializeOptions {
    /// More than this for uploads does not make them faster.
    const MOST_FOR_UPLOADS: u64 = 512 << 20;

    /// The part of the memory for blobs on their way into the store.
    fn for_uploads(&self) -> u64 {
        (self.memory / 4 * 3).min(Self::MOST_FOR_UPLOADS)
    }

    /// The part of the memory for what is read ahead.
    fn for_reading(&self) -> u64 {
        self.memory - self.for_uploads()
    }
}

impl Default for DeserializeOptions {
    fn default() -> Self {
        DeserializeOptions {
            tag: None,
            memory: 64 << 20,
            concurrency: CONCURRENCY,
            strict: false,
            keep_going: false,
            existing: Vec::new(),
        }
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The root of the last archive, which the tag names.
    pub root: Digest,
    /// Every root, in the order they were met, with the tag that its archive gives it.
    pub roots: Vec<(Digest, Option<Tag>)>,
    /// The gathered images that are whole, by their sources.
    pub images: Vec<(String, Digest)>,
    /// Manifests put.
    pub manifests: u64,
    /// Their bytes.
    pub manifest_bytes: u64,
    /// What became of the blobs.
    pub blobs: Totals,
    /// Bytes of the media, uncompressed.
    pub bytes: u64,
    /// What the archives say they leave out, and none of them holds; sorted by digest.
    pub omitted: Vec<Omitted>,
    /// What is damaged on the media, in order. Empty unless the run kept going.
    pub damage: Vec<Damage>,
    /// What was delivered when not everything could be. None: everything was.
    pub partial: Option<Partial>,
    /// The media were not given in the order in which they were written, so that the tag names what
    /// is not the newest.
    pub disorder: Option<Disorder>,
}

/// Reads `media`, in this order, into `sink`. Nothing is tagged unless everything is there.
///
/// A run that keeps going takes damage for what it is: it puts what is whole, and where the root
/// is a gathered index that is not, an index of the images that are whole, under the tag
/// `TAG-partial`. That anything is lost is no error then; [`Received::partial`] says it.
///
/// Dropped, it stops; blobs that are in the store by then stay there.
pub async fn deserialize(
    media: Vec<Medium>,
    sink: Arc<dyn Store>,
    options: &DeserializeOptions,
    observer: Arc<dyn Observer>,
) -> Result<Received, DeserializeError> {
    for medium in &media {
        medium.present()?;
    }
    let mut intake = Intake::new(sink.clone(), options, observer.clone());
    let count = media.len();
    for (index, medium) in media.into_iter().enumerate() {
        intake.medium(medium, index + 1 == count).await?;
    }
    let finished = intake.finish().await?;
    let completion = Completion { sink, options, observer, tally: finished.tally.clone() };
    completion.run(finished).await
}
