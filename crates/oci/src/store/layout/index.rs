//! `index.json` and `oci-layout` of a layout directory: read whole, written by rename under a lock.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::store::index::tag_of;
use crate::store::{ErrorKind, StoreError};
use crate::types::{Annotations, Descriptor, Manifest, Tag, media};

/// The file that makes a directory a layout.
pub(super) const MARKER: &str = "oci-layout";
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
/// processes by a lock on the marker file.
#[derive(Debug)]
pub(super) struct IndexFile {
    root: PathBuf,
    writing: Mutex<()>,
}

impl IndexFile {
    pub(super) fn new(root: &Path) -> Self {
        IndexFile { root: root.to_owned(), writing: Mutex::new(()) }
    }

    /// Every entry, in order.
    pub(super) fn read(&self) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.load()?.manifests)
    }

    /// Adds a manifest, under `tag` if there is one, taking the tag from whatever had it.
    pub(super) fn insert(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
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
        self.change(|entries| {
            let before = entries.len();
            let known = entries.contains(&entry);
            entries.retain(|old| {
                tag.is_none() || tag_of(old) != tag.map(Tag::as_str) || *old == entry
            });
            let untagged_is_known =
                tag.is_none() && entries.iter().any(|old| old.digest == entry.digest);
            if !known && !untagged_is_known {
                entries.push(entry);
            }
            !known || entries.len() != before
        })?;
        Ok(())
    }

    /// Removes entries. Whether there were any.
    pub(super) fn remove(&self, gone: impl Fn(&Descriptor) -> bool) -> Result<bool, StoreError> {
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| !gone(entry));
            entries.len() != before
        })
    }

    fn path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    fn load(&self) -> Result<Index, StoreError> {
        let path = self.path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Index::empty()),
            Err(error) => return Err(StoreError::io("reading", &path, error)),
        };
        serde_json::from_slice(&text).map_err(|error| {
            let text = format!("{} is no image index: {error}", path.display());
            StoreError::new("", ErrorKind::Protocol(text))
        })
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Descriptor>) -> bool) -> Result<bool, StoreError> {
        let _in_process = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let marker = self.root.join(MARKER);
        let lock = std::fs::File::open(&marker)
            .map_err(|source| StoreError::io("opening", &marker, source))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|source| StoreError::io("locking", &marker, source.into()))?;
        let mut index = self.load()?;
        let changed = edit(&mut index.manifests);
        if changed {
            let path = self.path();
            write_index(&self.root, &path, &index)
                .map_err(|source| StoreError::io("writing", &path, source))?;
        }
        Ok(changed)
    }
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
            let text =
                format!("{} is no OCI image layout: it has no file named {MARKER}", root.display());
            Err(StoreError::new("", ErrorKind::NotFound(text)))
        }
        Err(error) => Err(StoreError::io("reading", &path, error)),
    }
}

/// Makes an empty layout.
pub(super) fn create(root: &Path) -> Result<(), StoreError> {
    let blobs = root.join("blobs").join("sha256");
    std::fs::create_dir_all(&blobs).map_err(|source| StoreError::io("creating", &blobs, source))?;
    let index = root.join("index.json");
    if !index.exists() {
        write_index(root, &index, &Index::empty())
            .map_err(|source| StoreError::io("writing", &index, source))?;
    }
    let marker = root.join(MARKER);
    replace(root, &marker, MARKER_TEXT.as_bytes())
        .map_err(|source| StoreError::io("writing", &marker, source))
}

fn write_index(root: &Path, path: &Path, index: &Index) -> std::io::Result<()> {
    replace(root, path, &serde_json::to_vec(index)?)
}

fn replace(root: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(root)?;
    file.write_all(text)?;
    file.as_file().sync_data()?;
    // A temporary file is private to its owner; a layout is for whoever may read the directory.
    rustix::fs::fchmod(file.as_file(), rustix::fs::Mode::from_raw_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(root)?.sync_data()
}
