//! The seam: one repository's content behind two traits, wherever it lives.
//!
//! [`Source`] and [`Sink`] are object safe and hold every power that a verb uses; what a kind of
//! store cannot do is a default method that says so, never a downcast. A store is one repository,
//! because that is the unit in which registries grant access, mount blobs and list tags.
//! The conformance suite in `tests/tests/store.rs` runs over every implementation.

mod archive;
mod blob;
mod checked;
mod content;
mod damage;
mod error;
mod extent;
mod index;
mod ingest;
mod layout;
mod line;
mod memory;
mod small;

use std::ops::Range;

use async_trait::async_trait;

pub use archive::{ArchiveStore, Omitted};
pub use blob::Blob;
pub use checked::{Checked, Stamp};
pub use content::{Content, InMemory, Remote};
pub use damage::Damage;
pub use error::{ErrorKind, StoreError, Trouble, chain};
pub(crate) use error::{named, passes};
pub use extent::{Extent, stretch};
pub use ingest::{Ingest, drain};
pub use layout::{Collection, Garbage, LayoutStore, create_directories};
pub use line::Line;
pub use memory::MemoryStore;
pub use small::{read_small, read_small_from};

use crate::observe::How;
use crate::types::{Descriptor, Digest, Manifest, Name, Tag, Version};

/// Where content is read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Where this is, for messages: `registry.example.com/a/b`, `oci:DIR`, `FILE`.
    fn place(&self) -> String;

    /// The manifest that `version` names now, without its content. Its media type is known, its
    /// annotations and platform are not.
    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError>;

    /// The manifest that `version` names now, verified: against the digest that was asked for, or
    /// the one that the store claims. At most [`crate::types::MAX_MANIFEST`] bytes.
    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError>;

    /// Opens a blob at `offset`. Not for manifests: registries keep those apart.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError>;

    /// Opens the bytes of `range` of a blob: as [`Source::open`], but what lies behind them is not
    /// asked for where the store can do without. Of a part the size is checked and not the digest.
    async fn open_range(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Blob, StoreError> {
        Ok(self.open(descriptor, range.start).await?.until(range.end))
    }

    /// The manifest of a descriptor found in another manifest: as [`Source::fetch`], and its size
    /// and type are the descriptor's.
    async fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        let manifest = self.fetch(&Version::Digest(descriptor.digest.clone())).await?;
        check_size(&self.place(), descriptor, &manifest)?;
        Ok(manifest)
    }

    /// The manifests that have `subject` as their subject, with artifact type and annotations,
    /// sorted by digest, each once. Empty when there are none. It is an error, not an empty
    /// answer, when the store cannot tell.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError>;

    /// Every tag, sorted.
    async fn tags(&self) -> Result<Vec<Tag>, StoreError>;

    /// What is known of the way to this place at present. It changes as more is read.
    fn line(&self) -> Line {
        Line::default()
    }
}

/// Where content is written to.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Whether the blob or manifest is there. `false` is an answer, not an error.
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError>;

    /// Stores a blob, however the store does it best: it may find it there, mount it from the
    /// repository hinted at, or open the content and take its bytes. When this returns `Ok` the
    /// blob is durable and verified. Putting a blob twice is fine. After an error nothing is
    /// visible under the digest that was not before.
    async fn put(&self, content: &dyn Content, hints: &Hints) -> Result<Put, StoreError>;

    /// Stores a manifest, and lets `tag` name it, in one step. Everything that it names must be
    /// there before. When the manifest has a subject, [`Source::referrers`] of the subject lists it
    /// afterwards, on every kind of registry. Idempotent.
    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError>;

    /// Takes a blob over from another repository of the same domain. `false`: not possible, and
    /// nothing changed.
    async fn mount(&self, descriptor: &Descriptor, from: &Name) -> Result<bool, StoreError> {
        let _ = (descriptor, from);
        Ok(false)
    }

    /// Tells that a manifest is on its way, and what it names, from a medium that passes once: the
    /// content of what was announced comes before [`Sink::put_manifest`] of it. `root` says that
    /// nothing names it but the medium itself, `tags` by which tags the medium knows it. Only for
    /// a sink that must know where content belongs before it comes.
    async fn announce(
        &self,
        manifest: &Manifest,
        root: bool,
        tags: &[Tag],
    ) -> Result<(), StoreError> {
        let _ = (manifest, root, tags);
        Ok(())
    }

    /// What shares blobs with this store by mounts: the registry's host. Stores of different
    /// domains share nothing.
    fn domain(&self) -> String;

    /// The name by which another store of the same domain would mount from this one.
    fn name(&self) -> Option<&Name> {
        None
    }
}

/// A source and a sink at once.
pub trait Store: Source + Sink {}

impl<T: Source + Sink> Store for T {}

/// What is known before a blob is put.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// A repository of the same domain that has the blob.
    pub mount_from: Option<Name>,
    /// Whether the blob may be there already.
    pub presence: Presence,
}

/// Whether a blob may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Not known: the store may look first when that is cheaper than sending the bytes.
    #[default]
    Unknown,
    /// Known not to be there, so that looking would be a wasted request.
    Absent,
}

/// What [`Sink::put`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was there.
    Existed,
    /// It was taken over from another repository.
    Mounted,
    /// Its bytes were sent.
    Written,
}

impl From<Put> for How {
    fn from(put: Put) -> Self {
        match put {
            Put::Existed => How::Skipped,
            Put::Mounted => How::Mounted,
            Put::Written => How::Moved,
        }
    }
}

fn check_size(place: &str, descriptor: &Descriptor, manifest: &Manifest) -> Result<(), StoreError> {
    let found = manifest.descriptor().size;
    if found == descriptor.size {
        return Ok(());
    }
    let (digest, expected) = (descriptor.digest.clone(), descriptor.size);
    Err(StoreError::new(place, ErrorKind::Size { digest, expected, found }))
}
