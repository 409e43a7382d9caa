//! `index.json` and `oci-layout` of a layout directory: read whole, written by rename under a lock.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::store::index::{is_plainly_a_manifest, tag_of};
use crate::store::{ErrorKind, StoreError};
use crate::types::{Annotations, Descriptor, Digest, Manifest, Tag, media};

/// The file that makes a directory a layout.
pub(super) const MARKER: &str = "oci-layout";
/// How files begin that are to be renamed.
pub(super) const TEMPORARY: &str = ".new-";
const MARKER_TEXT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    #[serde(default = "index_type")]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

fn index_type() -> String {
    media::OCI_INDEX.to_owned()
}

/// The index of one layout. Changes are serialized within the process by a mutex and between
/// processes by a lock on the marker file. What was read is kept until the file is another one.
#[derive(Debug, Clone)]
pub(super) struct IndexFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    writing: Mutex<()>,
    known: Mutex<Option<(Stamp, Arc<[Descriptor]>)>>,
}

/// What tells one version of the file from another: each is a file of its own, renamed into place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl IndexFile {
    pub(super) fn new(root: &Path) -> Self {
        let (writing, known) = (Mutex::new(()), Mutex::new(None));
        IndexFile(Arc::new(Shared { root: root.to_owned(), writing, known }))
    }

    /// Every entry, in order.
    pub(super) fn read(&self) -> Result<Arc<[Descriptor]>, StoreError> {
        let path = self.path();
        let failed = |source| StoreError::io("reading", &path, source);
        let mut file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok([].into()),
            Err(error) => return Err(failed(error)),
        };
        let meta = file.metadata().map_err(failed)?;
        let changed = (meta.mtime(), meta.mtime_nsec());
        let stamp = Stamp { inode: meta.ino(), size: meta.len(), changed };
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entries)) = known.as_ref().filter(|(of, _)| *of == stamp) {
            return Ok(entries.clone());
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let entries: Arc<[Descriptor]> = parse(&path, &text)?.manifests.into();
        *known = Some((stamp, entries.clone()));
        Ok(entries)
    }

    /// Adds a manifest, under `tag` if there is one, taking the tag from whatever had it.
    pub(super) async fn insert(
        &self,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        let mut entry = manifest.referrer_descriptor();
        if manifest.subject().is_none() {
            entry.annotations.clear();
            entry.artifact_type = manifest.descriptor().artifact_type.clone();
        }
        // What a manifest calls itself is not what this layout calls it.
        entry.annotations.remove(media::REF_NAME);
        if let Some(tag) = tag {
            entry.annotations.insert(media::REF_NAME.to_owned(), tag.to_string());
        }
        self.change(move |root, entries| insert(root, entries, entry)).await?;
        Ok(())
    }

    /// Takes a tag from whatever has it. Whether anything had.
    pub(super) async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        let tag = tag.clone();
        self.change(move |root, entries| {
            release(root, entries, |entry| tag_of(entry) == Some(tag.as_str()))
        })
        .await
    }

    /// Removes every entry of a digest. Whether there were any.
    pub(super) async fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let digest = digest.clone();
        self.change(move |_, entries| {
            let before = entries.len();
            entries.retain(|entry| entry.digest != digest);
            entries.len() != before
        })
        .await
    }

    fn path(&self) -> PathBuf {
        self.0.root.join("index.json")
    }

    /// Changes the entries, away from the threads that must not wait for a disk. `edit` says
    /// whether it changed anything.
    async fn change(
        &self,
        edit: impl FnOnce(&Path, &mut Vec<Descriptor>) -> bool + Send + 'static,
    ) -> Result<bool, StoreError> {
        let index = self.clone();
        let change = tokio::task::spawn_blocking(move || index.change_now(edit)).await;
        change.map_err(|error| {
            StoreError::io("writing", &self.path(), std::io::Error::other(error))
        })?
    }

    /// As [`IndexFile::change`], at once: blocks.
    pub(super) fn change_now(
        &self,
        edit: impl FnOnce(&Path, &mut Vec<Descriptor>) -> bool,
    ) -> Result<bool, StoreError> {
        let root = &self.0.root;
        let _in_process = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let marker = root.join(MARKER);
        let lock = std::fs::File::open(&marker)
            .map_err(|source| StoreError::io("opening", &marker, source))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|source| StoreError::io("locking", &marker, source.into()))?;
        let path = self.path();
        let mut index = match std::fs::read(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Index::empty(),
            Err(error) => return Err(StoreError::io("reading", &path, error)),
        };
        let changed = edit(root, &mut index.manifests);
        if changed {
            let written = serde_json::to_vec(&index).map_err(std::io::Error::from);
            written
                .and_then(|text| replace(root, &path, &text))
                .map_err(|source| StoreError::io("writing", &path, source))?;
        }
        Ok(changed)
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Index, StoreError> {
    serde_json::from_slice(text).map_err(|error| {
        let text = format!("{} is no image index: {error}", path.display());
        StoreError::new("", ErrorKind::Protocol(text))
    })
}

/// Adds an entry. Whether anything changed.
fn insert(root: &Path, entries: &mut Vec<Descriptor>, entry: Descriptor) -> bool {
    let Some(tag) = tag_of(&entry) else {
        let known = entries.iter().any(|old| old.digest == entry.digest);
        if !known {
            entries.push(entry);
        }
        return !known;
    };
    let moved = release(root, entries, |old| tag_of(old) == Some(tag) && *old != entry);
    if entries.contains(&entry) {
        return moved;
    }
    // An entry without a tag was there only so that the manifest is listed, which it is now.
    entries.retain(|old| old.digest != entry.digest || tag_of(old).is_some());
    entries.push(entry);
    true
}

/// Takes the tags from entries. What must be listed to be found stays, without a tag.
fn release(
    root: &Path,
    entries: &mut Vec<Descriptor>,
    which: impl Fn(&Descriptor) -> bool,
) -> bool {
    let (mut gone, kept): (Vec<_>, Vec<_>) = entries.drain(..).partition(which);
    *entries = kept;
    for entry in &mut gone {
        entry.annotations.remove(media::REF_NAME);
        let listed = entries.iter().any(|other| other.digest == entry.digest);
        if !listed && must_be_listed(root, entry) {
            entries.push(entry.clone());
        }
    }
    !gone.is_empty()
}

/// Whether nobody would find a manifest, or know its type, if it were not in the index.
fn must_be_listed(root: &Path, entry: &Descriptor) -> bool {
    let digest = &entry.digest;
    let path = root.join("blobs").join(digest.algorithm().as_str()).join(digest.hex());
    let Ok(raw) = std::fs::read(path) else { return false };
    Manifest::parse_as(&entry.media_type, digest.clone(), raw.into())
        .is_ok_and(|manifest| manifest.subject().is_some() || !is_plainly_a_manifest(&manifest))
}

impl Index {
    fn empty() -> Self {
        let (manifests, annotations) = (Vec::new(), Annotations::new());
        Index { schema_version: 2, media_type: index_type(), manifests, annotations }
    }
}

/// Refuses a directory that is no layout.
pub(super) fn check_marker(root: &Path) -> Result<(), StoreError> {
    let path = root.join(MARKER);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.contains("imageLayoutVersion") => Ok(()),
        Ok(_) => {
            let text = format!(
                "{} does not say imageLayoutVersion: this is no OCI image layout",
                path.display()
            );
            Err(StoreError::new("", ErrorKind::Protocol(text)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!(
                "{} is not there, or is no OCI image layout: it has no file named {MARKER}",
                root.display()
            );
            Err(StoreError::new("", ErrorKind::Configuration(text)))
        }
        Err(error) => Err(StoreError::io("reading", &path, error)),
    }
}

/// Makes an empty layout. Whatever another process made of it in the meantime stays.
pub(super) fn create(root: &Path) -> Result<(), StoreError> {
    let blobs = root.join("blobs").join("sha256");
    create_directories(&blobs)?;
    let index = serde_json::to_vec(&Index::empty()).unwrap_or_default();
    for (name, text) in [("index.json", index.as_slice()), (MARKER, MARKER_TEXT.as_bytes())] {
        let path = root.join(name);
        let written = temporary(root, text).and_then(|file| {
            let new = file.persist_noclobber(&path).map_err(|error| error.error);
            match new {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                new => new.map(drop),
            }
        });
        written
            .and_then(|()| sync_directory(root))
            .map_err(|source| StoreError::io("writing", &path, source))?;
    }
    Ok(())
}

/// Makes directories so that they are there after a loss of power.
pub(super) fn create_directories(path: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    for directory in missing.into_iter().rev() {
        let made = match std::fs::create_dir(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        made.and_then(|()| sync_directory(parent.unwrap_or(Path::new("."))))
            .map_err(|source| StoreError::io("creating", directory, source))?;
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::File::open(directory)?.sync_data()
}

fn replace(root: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    temporary(root, text)?.persist(path).map_err(|error| error.error)?;
    sync_directory(root)
}

/// A file that is whole and synced, but has no name to stay under yet.
fn temporary(root: &Path, text: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(root)?;
    file.write_all(text)?;
    // A temporary file is private to its owner; a layout is for whoever may read the directory.
    rustix::fs::fchmod(file.as_file(), rustix::fs::Mode::from_raw_mode(0o644))?;
    file.as_file().sync_data()?;
    Ok(file)
}
