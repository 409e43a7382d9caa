//! An OCI image layout in a directory (image-spec, image-layout.md).
//!
//! `blobs/ALGORITHM/HEX` holds manifests and blobs alike; `index.json` names the tagged manifests,
//! the referrers, and those manifests whose type cannot be told from their content. Bytes are
//! written to `ingest/` and appear under their digest by a rename after they were synced.

mod collect;
mod directories;
mod durable;
mod edits;
mod index;
mod ingest;
mod left;
mod links;
mod names;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

pub use self::collect::{Collection, Garbage};
pub use self::directories::create_directories;
use self::index::IndexFile;
use self::ingest::FileIngest;
use self::names::{Made, Names};
use super::checked::Checked;
use super::extent::Extent;
use super::index::{is_plainly_a_manifest, pick, tag_of, tags_of};
use super::{
    Blob, Content, ErrorKind, Hints, Ingest, Put, Sink, Source, StoreError, drain, extent,
};
use crate::types::{
    Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestError, Tag, Version, media,
};

/// A store in an image layout directory.
#[derive(Debug)]
pub struct LayoutStore {
    root: PathBuf,
    index: IndexFile,
    names: Arc<Names>,
    /// The subjects of manifests, as far as they were asked for.
    subjects: Mutex<HashMap<Digest, Option<Digest>>>,
    /// What need not be checked again.
    checked: Option<Arc<Checked>>,
}

impl LayoutStore {
    /// Opens the layout at `root`, which must be one.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        index::check_marker(root)?;
        let (index, names, subjects) = (IndexFile::new(root), Arc::default(), Mutex::default());
        Ok(LayoutStore { root: root.to_owned(), index, names, subjects, checked: None })
    }

    /// Checks the digest of a file's content when it is written or read whole for the first time, and
    /// again only once the file changed: for a server, whose clients check what they get. `checked`
    /// is what its layouts know of their files.
    #[must_use]
    pub fn checking_once(mut self, checked: &Arc<Checked>) -> Self {
        self.checked = Some(checked.clone());
        self
    }

    /// Opens the layout at `root`, making an empty one when there is none.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        if !root.join(index::MARKER).exists() {
            index::create(root)?;
        }
        LayoutStore::open(root)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Starts taking in a blob.
    pub async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        let (names, checked) = (self.names.clone(), self.checked.clone());
        Ok(Box::new(FileIngest::start(&self.root, names, checked).await?))
    }

    /// The file that holds the content of `digest`, whether or not it is there.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.root, digest)
    }

    /// Whether a blob or manifest is there, for somebody who relies on it from now on: a collection
    /// of garbage leaves it alone as if it had just been written.
    pub fn claim(&self, digest: &Digest) -> bool {
        links::claim(&self.path(digest))
    }

    /// Size of a blob or manifest in bytes, when it is there.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        let meta = std::fs::metadata(self.path(digest)).ok().filter(std::fs::Metadata::is_file);
        meta.map(|meta| meta.len())
    }

    /// Takes over a blob from another layout by a hard link. `false`: the other does not have it,
    /// or the file system has no such link for it.
    pub async fn share(&self, digest: &Digest, from: &LayoutStore) -> Result<bool, StoreError> {
        let (old, new) = (from.path(digest), self.path(digest));
        let directory = self.root.join("blobs").join(digest.algorithm().as_str());
        let (digest, checked) = (digest.clone(), self.checked.clone());
        let made = self.names.make(&directory, move |directory| {
            create_directories(directory)?;
            match checked {
                Some(checked) => checked.linking(&digest, &old, || links::link(&old, &new)),
                None => links::link(&old, &new),
            }
        });
        Ok(made.await? != Made::Not)
    }

    /// Removes what writers left behind that were killed, and brings back what a collection that was
    /// killed had not removed yet; how many files it was. What is being
    /// written, by whatever process, stays.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        collect::bring_back(&self.root)?;
        left::sweep(&self.root).map_err(|error| StoreError::io("cleaning", &self.root, error))
    }

    /// Every descriptor in `index.json`, in its order.
    pub fn entries(&self) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.index.read()?.to_vec())
    }

    /// The entry that an operator means by `name`: the tag; without one the only entry, or `latest`.
    pub fn named(&self, name: Option<&str>) -> Result<Descriptor, StoreError> {
        pick(&self.place(), &self.index.read()?, name)
    }

    /// Removes a tag; what it named stays. `false`: there was none.
    pub async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.index.untag(tag).await
    }

    /// Removes a manifest with every tag that names it. `false`: there was none.
    pub async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.index.remove(digest).await?;
        self.remove_blob(digest)
    }

    /// Removes a blob. `false`: there was none.
    pub fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.path(digest);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("removing", &path, error)),
        }
    }

    /// An error that is one of room, told with how much is needed and left.
    fn without_room(&self, size: u64, error: StoreError) -> StoreError {
        let free = rustix::fs::statvfs(&self.root).ok();
        let free = free.map(|free| free.f_bavail.saturating_mul(free.f_frsize));
        error.into_full(&self.place(), size, free)
    }

    fn missing(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::new(self.place(), ErrorKind::NotFound(what.to_string()))
    }

    /// The descriptor that `version` names: from the index, else from the content itself.
    fn lookup(&self, version: &Version) -> Result<Descriptor, StoreError> {
        let entries = self.index.read()?;
        let found = entries.iter().find(|entry| match version {
            Version::Tag(tag) => tag_of(entry) == Some(tag.as_str()),
            Version::Digest(digest) => entry.digest == *digest,
        });
        match (found, version) {
            (Some(entry), _) => Ok(entry.clone()),
            (None, Version::Digest(digest)) => {
                let size = self.blob_size(digest).ok_or_else(|| self.missing(version))?;
                Ok(Descriptor::new("", digest.clone(), size))
            }
            (None, Version::Tag(_)) => Err(self.missing(version)),
        }
    }

    /// The subject of a manifest that the index lists. Read once: content does not change.
    async fn subject(&self, entry: &Descriptor) -> Result<Option<Digest>, StoreError> {
        if let Some(known) = self.known().get(&entry.digest) {
            return Ok(known.clone());
        }
        let subject = match self.read_manifest(entry).await {
            Ok(manifest) => manifest.subject().map(|subject| subject.digest.clone()),
            // Entries may name what is no manifest, or is not here.
            Err(error) if !media::is_manifest(&entry.media_type) || error.is_not_found() => {
                tracing::debug!(%error, "an entry of the index is no manifest");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.known().insert(entry.digest.clone(), subject.clone());
        Ok(subject)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Option<Digest>>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_manifest(&self, entry: &Descriptor) -> Result<Manifest, StoreError> {
        let size = self.blob_size(&entry.digest).ok_or_else(|| self.missing(&entry.digest))?;
        let refuse = |error: ManifestError| StoreError::new(self.place(), error.into());
        if size > MAX_MANIFEST {
            return Err(refuse(ManifestError::TooLarge(size)));
        }
        let content = Descriptor::new("", entry.digest.clone(), size);
        let raw = self.open(&content, 0).await?.read_all().await?;
        Manifest::parse_as(&entry.media_type, entry.digest.clone(), raw).map_err(refuse)
    }
}

/// Where the content of `digest` is in the layout at `root`.
fn blob_path(root: &Path, digest: &Digest) -> PathBuf {
    root.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
}

#[async_trait]
impl Source for LayoutStore {
    fn place(&self) -> String {
        format!("oci:{}", self.root.display())
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        Ok(self.fetch(version).await?.descriptor().bare())
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let entry = self.lookup(version)?;
        let listed = !entry.media_type.is_empty();
        match self.read_manifest(&entry).await {
            // Content that is not listed and parses by accident of being JSON is no manifest.
            Ok(manifest) if listed || is_plainly_a_manifest(&manifest) => Ok(manifest),
            Err(error) if listed || !matches!(error.kind(), ErrorKind::Manifest(_)) => Err(error),
            _ => Err(self.missing(version)),
        }
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let path = self.path(&descriptor.digest);
        match tokio::fs::File::open(&path).await {
            Ok(file) => {
                let file = Arc::new(file.into_std().await);
                let stamp = self.checked.is_some().then(|| Extent::stamp(&*file)).flatten();
                // One byte more, to see that there are more.
                let left = descriptor.size.saturating_sub(offset).saturating_add(1);
                let chunks = extent::stretch(file, &path.to_string_lossy(), offset, left);
                let blob = Blob::new(descriptor.clone(), offset, self.place(), chunks);
                Ok(match &self.checked {
                    Some(checked) => checked.once(blob, stamp),
                    None => blob,
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(self.missing(&descriptor.digest))
            }
            Err(error) => Err(StoreError::io("opening", &path, error)),
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut found = std::collections::BTreeMap::new();
        for entry in self.index.read()?.iter() {
            if !found.contains_key(&entry.digest)
                && self.subject(entry).await?.as_ref() == Some(subject)
            {
                let manifest = self.read_manifest(entry).await?;
                found.insert(entry.digest.clone(), manifest.referrer_descriptor());
            }
        }
        Ok(found.into_values().collect())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(tags_of(&self.index.read()?))
    }
}

#[async_trait]
impl Sink for LayoutStore {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        let size = self.blob_size(&descriptor.digest);
        Ok(size == Some(descriptor.size) && self.claim(&descriptor.digest))
    }

    async fn put(&self, content: &dyn Content, _hints: &Hints) -> Result<Put, StoreError> {
        let descriptor = content.descriptor();
        if self.has(descriptor).await? {
            return Ok(Put::Existed);
        }
        let blob = content.open(0).await?;
        let taken = async {
            let mut ingest = self.ingest().await?;
            drain(blob, ingest.as_mut()).await?;
            ingest.finish(&descriptor.digest).await
        };
        taken.await.map_err(|error| self.without_room(descriptor.size, error))?;
        Ok(Put::Written)
    }

    async fn put_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.put(manifest, &Hints::default()).await?;
        let listed = manifest.subject().is_some() || !is_plainly_a_manifest(manifest);
        if tag.is_some() || listed {
            self.index.insert(manifest, tag).await?;
        }
        Ok(())
    }

    fn domain(&self) -> String {
        self.place()
    }
}
