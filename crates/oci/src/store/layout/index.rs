//! `index.json` and `oci-layout` of a layout directory: read whole, written by rename under a lock.
//!
//! Every change writes the whole file anew, so changes that are asked for while one is being written
//! go into the next file together: ten thousand tags that are put many at a time cost a small part of
//! so many files. Each is answered only once the file that has it is durable.

use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::directories::create_directories;
use super::durable::{Stamp, replace, sync_directory, temporary};
use super::edits::{insert, release};
use crate::store::index::tag_of;
use crate::store::{ErrorKind, StoreError, chain};
use crate::types::{Annotations, Descriptor, Digest, Manifest, Tag, media};

/// The file that makes a directory a layout.
pub(super) const MARKER: &str = "oci-layout";
const MARKER_TEXT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Changes that wait for the next file.
    waiting: Mutex<Vec<Change>>,
    /// Whoever has it writes for all that wait.
    turn: tokio::sync::Mutex<()>,
    writing: Mutex<()>,
    known: Mutex<Option<(Stamp, Arc<Index>)>>,
    /// Files written so far.
    #[cfg(test)]
    written: std::sync::atomic::AtomicUsize,
}

type Edit = Box<dyn FnOnce(&Path, &mut Vec<Descriptor>) -> bool + Send>;

/// A change that waits. Nobody waits for the answer any more: then it is left undone.
struct Change {
    edit: Edit,
    answer: oneshot::Sender<Result<bool, StoreError>>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

/// The entries of an index, in order.
pub(super) struct Entries(Arc<Index>);

impl Deref for Entries {
    type Target = [Descriptor];

    fn deref(&self) -> &[Descriptor] {
        &self.0.manifests
    }
}

impl IndexFile {
    pub(super) fn new(root: &Path) -> Self {
        IndexFile(Arc::new(Shared {
            root: root.to_owned(),
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            writing: Mutex::default(),
            known: Mutex::default(),
            #[cfg(test)]
            written: std::sync::atomic::AtomicUsize::default(),
        }))
    }

    /// Every entry, in order.
    pub(super) fn read(&self) -> Result<Entries, StoreError> {
        Ok(Entries(self.current()?))
    }

    /// The file as it is now.
    fn current(&self) -> Result<Arc<Index>, StoreError> {
        let path = self.path();
        let failed = |source| StoreError::io("reading", &path, source);
        let mut file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Arc::new(Index::empty()));
            }
            Err(error) => return Err(failed(error)),
        };
        let stamp = Stamp::of(&file).map_err(failed)?;
        let mut known = lock(&self.0.known);
        if let Some((_, index)) = known.as_ref().filter(|(of, _)| *of == stamp) {
            return Ok(index.clone());
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let index = Arc::new(parse(&path, &text)?);
        *known = Some((stamp, index.clone()));
        Ok(index)
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

    /// Changes the entries, together with whatever else is to be changed by then. `edit` says
    /// whether it changed anything. Dropped before it is done, the change is made or it is not.
    async fn change(
        &self,
        edit: impl FnOnce(&Path, &mut Vec<Descriptor>) -> bool + Send + 'static,
    ) -> Result<bool, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        lock(&self.0.waiting).push(Change { edit: Box::new(edit), answer });
        let turn = tokio::select! {
            biased;
            answer = &mut answered => return self.told(answer),
            turn = self.0.turn.lock() => turn,
        };
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        // Away from the threads that must not wait for a disk.
        let index = self.clone();
        let commit = tokio::task::spawn_blocking(move || index.commit()).await;
        drop(turn);
        commit.map_err(|error| self.failed(std::io::Error::other(error)))?;
        self.told(answered.await)
    }

    /// What became of a change; whoever wrote for it may have been broken off.
    fn told(
        &self,
        answer: Result<Result<bool, StoreError>, oneshot::error::RecvError>,
    ) -> Result<bool, StoreError> {
        answer.unwrap_or_else(|error| Err(self.failed(std::io::Error::other(error))))
    }

    fn failed(&self, source: std::io::Error) -> StoreError {
        StoreError::io("writing", &self.path(), source)
    }

    /// Makes every change that waits, in the order in which they came, and answers each.
    fn commit(&self) {
        let (mut answers, mut taken) = (Vec::new(), false);
        let done = self.change_now(|root, entries| {
            taken = true;
            let changes = std::mem::take(&mut *lock(&self.0.waiting));
            for Change { edit, answer } in changes {
                if !answer.is_closed() {
                    answers.push((edit(root, entries), answer));
                }
            }
            answers.iter().any(|(changed, _)| *changed)
        });
        if !taken {
            // The file could not even be read.
            let changes = std::mem::take(&mut *lock(&self.0.waiting));
            answers.extend(changes.into_iter().map(|change| (false, change.answer)));
        }
        let failure = done.err().map(|error| chain(&error));
        for (changed, answer) in answers {
            let result = match &failure {
                None => Ok(changed),
                Some(text) => Err(self.failed(std::io::Error::other(text.clone()))),
            };
            // Whoever waited may be gone by now.
            let _ = answer.send(result);
        }
    }

    /// Changes the entries at once, in a file of their own: blocks.
    pub(super) fn change_now(
        &self,
        edit: impl FnOnce(&Path, &mut Vec<Descriptor>) -> bool,
    ) -> Result<bool, StoreError> {
        let root = &self.0.root;
        let _in_process = lock(&self.0.writing);
        let marker = root.join(MARKER);
        let file = std::fs::File::open(&marker)
            .map_err(|source| StoreError::io("opening", &marker, source))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|source| StoreError::io("locking", &marker, source.into()))?;
        let mut index = Index::clone(&*self.current()?);
        if !edit(root, &mut index.manifests) {
            return Ok(false);
        }
        let text = serde_json::to_vec(&index).map_err(|error| self.failed(error.into()))?;
        let stamp = replace(root, &self.path(), &text).map_err(|error| self.failed(error))?;
        *lock(&self.0.known) = Some((stamp, Arc::new(index)));
        #[cfg(test)]
        self.0.written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(true)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse(path: &Path, text: &[u8]) -> Result<Index, StoreError> {
    serde_json::from_slice(text).map_err(|error| {
        let text = format!("{} is no image index: {error}", path.display());
        StoreError::new("", ErrorKind::Protocol(text))
    })
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
    let directory = root.display();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) if text.contains("imageLayoutVersion") => return Ok(()),
        Ok(_) => format!(
            "{} does not say imageLayoutVersion: this is no OCI image layout",
            path.display()
        ),
        Err(error) => match error.kind() {
            std::io::ErrorKind::NotADirectory => format!(
                "{directory} is a file, not an image layout's directory; an archive is named oci-archive:{directory}"
            ),
            std::io::ErrorKind::NotFound if root.is_dir() => format!(
                "{directory} is no OCI image layout: it has no file named {MARKER}; name the directory that has one, or an archive in it as oci-archive:FILE"
            ),
            std::io::ErrorKind::NotFound => {
                format!("{directory} is not there; check the name of the image layout's directory")
            }
            _ => return Err(StoreError::open(&path, error)),
        },
    };
    Err(StoreError::new("", ErrorKind::Configuration(text)))
}

/// Makes an empty layout. Whatever another process made of it in the meantime stays.
pub(super) fn create(root: &Path) -> Result<(), StoreError> {
    let blobs = root.join("blobs").join("sha256");
    create_directories(&blobs)?;
    let index = serde_json::to_vec(&Index::empty()).unwrap_or_default();
    // The marker last: what has one is a layout.
    for (name, text) in [("index.json", index.as_slice()), (MARKER, MARKER_TEXT.as_bytes())] {
        let path = root.join(name);
        let written = temporary(root, text).and_then(|file| {
            let new = file.persist_noclobber(&path).map_err(|error| error.error);
            match new {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                new => new.map(drop),
            }
        });
        written.map_err(|source| StoreError::io("writing", &path, source))?;
    }
    sync_directory(root).map_err(|source| StoreError::io("writing", root, source))
}

#[cfg(test)]
mod tests;
