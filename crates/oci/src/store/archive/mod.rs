//! An OCI image layout in a tar file, or what `docker save` made of images, read only and in place: by
//! the offsets of its entries.

mod blob_path;
mod docker;
mod fault;
mod scan;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::FileType;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::fault::Fault;
pub use self::scan::Omitted;
use super::checked::Checked;
use super::extent::{self, Extent};
use super::index::{is_plainly_a_manifest, pick, tag_of, tags_of};
use super::{Blob, Content, ErrorKind, Hints, Put, Sink, Source, StoreError};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestError, Tag, Version};

/// A store in an archive.
#[derive(Debug)]
pub struct ArchiveStore {
    file: PathBuf,
    extent: Arc<dyn Extent>,
    entries: Vec<Descriptor>,
    root: Option<Descriptor>,
    blobs: HashMap<Digest, Stretch>,
    omitted: Vec<Omitted>,
    /// Once somebody asked.
    referrers: OnceCell<Referrers>,
    /// What need not be checked again.
    checked: Option<Arc<Checked>>,
}

/// What a place is called that gives its bytes once, in their order; `None`: it is none.
fn passing(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_char_device() {
        Some("a device without places")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        None
    }
}

/// Descriptors by the digest of their subject and their own.
type Referrers = HashMap<Digest, BTreeMap<Digest, Descriptor>>;

#[derive(Debug, Clone, Copy)]
struct Stretch {
    offset: u64,
    size: u64,
}

impl ArchiveStore {
    /// Opens an archive that is not compressed. Blocks: reads its front when a transfer manifest
    /// tells where everything is, else all its headers.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::open(file, source);
        let kind = std::fs::metadata(file).map_err(failed)?.file_type();
        // Opened, it would show only when it is read.
        if kind.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        // Before it is opened: that waits for whoever writes into a pipe.
        if let Some(kind) = passing(kind) {
            return Err(StoreError::new(
                file.display().to_string(),
                ErrorKind::Configuration(format!(
                    "it is {kind}, in which nothing can be found by its offset: deserialize it into oci:DIR"
                )),
            ));
        }
        let opened = std::fs::File::open(file).map_err(failed)?;
        ArchiveStore::over(file, Arc::new(opened))
    }

    /// Opens the archive that `extent` holds, in whatever form `file` does. Blocks as
    /// [`ArchiveStore::open`].
    pub fn over(file: &Path, extent: Arc<dyn Extent>) -> Result<Self, StoreError> {
        let damaged = |text| StoreError::new(file.display().to_string(), ErrorKind::Archive(text));
        let found = scan::scan(&extent).map_err(|fault| match fault {
            Fault::Io(source) => StoreError::io("reading the archive", file, source),
            Fault::Archive(text) => damaged(text),
            Fault::Stub(bytes) => {
                StoreError::new(file.display().to_string(), ErrorKind::Stub { bytes })
            }
        })?;
        if found.indexes == 0 {
            let images = docker::images(&found.others, &found.blobs, extent)
                .map_err(|source| StoreError::io("reading the archive", file, source))?;
            if let Some(docker::Images { entries, blobs, extent }) = images {
                let (file, omitted) = (file.to_owned(), Vec::new());
                return Ok(ArchiveStore {
                    file,
                    extent,
                    entries,
                    root: None,
                    blobs,
                    omitted,
                    referrers: OnceCell::new(),
                    checked: None,
                });
            }
            return Err(damaged("it holds no index.json, so it is no image archive".to_owned()));
        }
        let scan::Found { entries, root, blobs, omitted, .. } = found;
        let (file, referrers) = (file.to_owned(), OnceCell::new());
        let checked = None;
        Ok(ArchiveStore { file, extent, entries, root, blobs, omitted, referrers, checked })
    }

    /// Checks the digest of an entry when it is read whole for the first time, and again only once
    /// the file changed, where that can be told: for a server, whose clients check what they get.
    #[must_use]
    pub fn checking_once(mut self) -> Self {
        self.checked = Some(Arc::default());
        self
    }

    /// What belongs to the archive and was left out of it, as far as it says so itself.
    pub fn omitted(&self) -> &[Omitted] {
        &self.omitted
    }

    /// Every descriptor in `index.json`, in its order.
    pub fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The entry that an operator means by `name`; without one what the archive is of, or the only
    /// entry.
    pub fn named(&self, name: Option<&str>) -> Result<Descriptor, StoreError> {
        match (name, &self.root) {
            (None, Some(root)) => Ok(root.clone()),
            _ => pick(&self.place(), &self.entries, name),
        }
    }

    /// Size of a blob or manifest in bytes, when it is there.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).map(|stretch| stretch.size)
    }

    /// Every manifest with a subject, by its subject: found in one pass, however many ask.
    async fn all_referrers(&self) -> Result<Referrers, StoreError> {
        let mut all = Referrers::new();
        let mut seen = HashSet::new();
        for entry in &self.entries {
            if !self.blobs.contains_key(&entry.digest) || !seen.insert(&entry.digest) {
                continue;
            }
            let manifest = self.read(&entry.digest, &entry.media_type).await?;
            if let Some(subject) = manifest.subject() {
                let of_subject = all.entry(subject.digest.clone()).or_default();
                of_subject.insert(entry.digest.clone(), manifest.referrer_descriptor());
            }
        }
        Ok(all)
    }

    fn missing(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::new(self.place(), ErrorKind::NotFound(what.to_string()))
    }

    fn read_only<T>(&self) -> Result<T, StoreError> {
        let text = "an archive can only be read; choose a registry or oci:DIR as destination";
        Err(StoreError::new(self.place(), ErrorKind::Unsupported(text.to_owned())))
    }

    async fn read(&self, digest: &Digest, media_type: &str) -> Result<Manifest, StoreError> {
        let stretch = self.blobs.get(digest).ok_or_else(|| self.missing(digest))?;
        let refuse = |error: ManifestError| StoreError::new(self.place(), error.into());
        if stretch.size > MAX_MANIFEST {
            return Err(refuse(ManifestError::TooLarge(stretch.size)));
        }
        let content = Descriptor::new("", digest.clone(), stretch.size);
        let raw = self.open(&content, 0).await?.read_all().await?;
        Manifest::parse_as(media_type, digest.clone(), raw).map_err(refuse)
    }
}

#[async_trait]
impl Source for ArchiveStore {
    fn place(&self) -> String {
        format!("oci-archive:{}", self.file.display())
    }

    async fn resolve(&self, version: &Version) -> Result<Descriptor, StoreError> {
        Ok(self.fetch(version).await?.descriptor().bare())
    }

    async fn fetch(&self, version: &Version) -> Result<Manifest, StoreError> {
        let entry = self.entries.iter().find(|entry| match version {
            Version::Tag(tag) => tag_of(entry) == Some(tag.as_str()),
            Version::Digest(digest) => entry.digest == *digest,
        });
        match (entry, version) {
            (Some(entry), _) => self.read(&entry.digest, &entry.media_type).await,
            (None, Version::Digest(digest)) => match self.read(digest, "").await {
                Ok(manifest) if is_plainly_a_manifest(&manifest) => Ok(manifest),
                Err(error) if !matches!(error.kind(), ErrorKind::Manifest(_)) => Err(error),
                _ => Err(self.missing(version)),
            },
            (None, Version::Tag(_)) => Err(self.missing(version)),
        }
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<Blob, StoreError> {
        let stretch =
            self.blobs.get(&descriptor.digest).ok_or_else(|| self.missing(&descriptor.digest))?;
        let (start, left) =
            (stretch.offset.saturating_add(offset), stretch.size.saturating_sub(offset));
        let chunks =
            extent::stretch(self.extent.clone(), &self.file.to_string_lossy(), start, left);
        let blob = Blob::new(descriptor.clone(), offset, self.place(), chunks);
        Ok(match &self.checked {
            Some(checked) => checked.once(blob, self.extent.stamp()),
            None => blob,
        })
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let referrers = self.referrers.get_or_try_init(|| self.all_referrers()).await?;
        let found = referrers.get(subject);
        Ok(found.map(|found| found.values().cloned().collect()).unwrap_or_default())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(tags_of(&self.entries))
    }
}

#[async_trait]
impl Sink for ArchiveStore {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool, StoreError> {
        Ok(self
            .blobs
            .get(&descriptor.digest)
            .is_some_and(|stretch| stretch.size == descriptor.size))
    }

    async fn put(&self, _content: &dyn Content, _hints: &Hints) -> Result<Put, StoreError> {
        self.read_only()
    }

    async fn put_manifest(
        &self,
        _manifest: &Manifest,
        _tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        self.read_only()
    }

    fn domain(&self) -> String {
        self.place()
    }
}
