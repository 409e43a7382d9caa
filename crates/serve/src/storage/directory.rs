//! Repositories in a directory: `DIR/REPOSITORY/` is one OCI image layout each.
//!
//! A mount between repositories is a hard link. A directory that is a layout itself is served as
//! the repository named after it. Names obey the specification's grammar, and no component may be
//! one of the names that a layout needs for itself, so no repository can lie in another's content.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use airlift_oci::store::{
    Checked, Collection, ErrorKind, Ingest, LayoutStore, StoreError, chain, create_directories,
};
use airlift_oci::types::{Digest, Tag};
use async_trait::async_trait;

use super::{Repositories, Repository, RepositoryName};

/// The file that makes a directory a layout.
const MARKER: &str = "oci-layout";
/// What a layout holds: no repository may be called so.
const RESERVED: [&str; 4] = ["blobs", "ingest", "index.json", MARKER];

/// Repositories in a directory.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// The name of `root` itself, when it is a layout.
    own: Option<RepositoryName>,
    open: Mutex<HashMap<RepositoryName, Arc<LayoutStore>>>,
    /// Repositories that are being made, each by one at a time.
    making: Mutex<HashMap<RepositoryName, Arc<tokio::sync::Mutex<()>>>>,
    /// Files that need not be checked again.
    checked: Arc<Checked>,
}

impl Directory {
    /// Opens `root`, made when there is no such directory. A layout whose directory has no name
    /// that a repository could have is served as `repository`.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        create_directories(root)?;
        let root = root.canonicalize().map_err(|error| StoreError::io("resolving", root, error))?;
        let own = if root.join(MARKER).exists() { Some(own_name(&root)?) } else { None };
        let (open, making, checked) = Default::default();
        Ok(Directory { root, own, open, making, checked })
    }

    /// The name under which the directory itself is served, when it is a layout.
    pub fn own_name(&self) -> Option<&RepositoryName> {
        self.own.as_ref()
    }

    /// Collects the garbage of every repository: [`LayoutStore::collect`]. Blocks.
    pub fn collect(
        &self,
        age: Duration,
        dry_run: bool,
    ) -> Result<Vec<(RepositoryName, Collection)>, StoreError> {
        let mut collections = Vec::new();
        for name in self.names()? {
            if let Some(store) = self.find(&name)? {
                collections.push((name, store.collect(age, dry_run)?));
            }
        }
        Ok(collections)
    }

    /// The names of all repositories, sorted.
    fn names(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let mut names =
            walk(&self.root).map_err(|error| StoreError::io("listing", &self.root, error))?;
        names.extend(self.own.clone());
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RepositoryName, Arc<LayoutStore>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &RepositoryName) -> PathBuf {
        if self.own.as_ref() == Some(name) {
            self.root.clone()
        } else {
            self.root.join(name.as_str())
        }
    }

    /// The store of `name`, when there is one. Kept open, so that writers of one repository share
    /// its lock.
    fn find(&self, name: &RepositoryName) -> Result<Option<Arc<LayoutStore>>, StoreError> {
        let path = self.path(name);
        if is_reserved(name) || !path.join(MARKER).is_file() {
            self.lock().remove(name);
            return Ok(None);
        }
        let mut open = self.lock();
        if let Some(store) = open.get(name) {
            return Ok(Some(store.clone()));
        }
        let store = Arc::new(LayoutStore::open(&path)?.checking_once(&self.checked));
        match store.sweep() {
            Ok(0) => {}
            Ok(files) => tracing::info!(%name, files, "removed what cut-off uploads had left"),
            // No reason not to serve what is there: the directory may be read only.
            Err(error) => tracing::warn!(%name, error = chain(&error), "could not clean up"),
        }
        open.insert(name.clone(), store.clone());
        Ok(Some(store))
    }

    async fn make(&self, name: &RepositoryName) -> Result<Arc<LayoutStore>, StoreError> {
        if is_reserved(name) {
            let text = format!(
                "a repository in a directory cannot have a component named {}",
                RESERVED.join(", ")
            );
            return Err(StoreError::new(name.as_str(), ErrorKind::Unsupported(text)));
        }
        let mut found = self.find(name)?;
        // What is there may not be durable yet: then somebody is still making it.
        if let Some(store) = found.take_if(|_| !self.is_being_made(name)) {
            return Ok(store);
        }
        let turn = self.making(name).lock_owned().await;
        // Whoever came first has made it by now.
        found = self.find(name)?;
        if found.is_none() {
            // Away from the threads that must not wait for a disk; to its end, even if nobody waits
            // for the answer any more.
            let path = self.path(name);
            let made = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                LayoutStore::create(&path)
            });
            let made = made.await;
            let lost =
                |error| StoreError::io("creating", &self.path(name), io::Error::other(error));
            made.map_err(lost)??;
            found = self.find(name)?;
        }
        found.ok_or_else(|| StoreError::new(name.as_str(), ErrorKind::NotFound(name.to_string())))
    }

    fn is_being_made(&self, name: &RepositoryName) -> bool {
        let making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        making.get(name).is_some_and(|turn| Arc::strong_count(turn) > 1)
    }

    /// The right to make `name`.
    fn making(&self, name: &RepositoryName) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        making.retain(|_, lock| Arc::strong_count(lock) > 1);
        making.entry(name.clone()).or_default().clone()
    }
}

fn is_reserved(name: &RepositoryName) -> bool {
    name.as_str().split('/').any(|component| RESERVED.contains(&component))
}

fn own_name(root: &Path) -> Result<RepositoryName, StoreError> {
    let name = root.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let fallback = || "repository".parse();
    let found = name.and_then(|name| name.parse().ok()).filter(|name| !is_reserved(name));
    found.map_or_else(fallback, Ok).map_err(|error: airlift_oci::types::ReferenceError| {
        StoreError::new(root.display().to_string(), ErrorKind::Configuration(error.to_string()))
    })
}

/// Every directory under `root` that is a layout, as names. Links are not followed.
fn walk(root: &Path) -> std::io::Result<Vec<RepositoryName>> {
    let mut found = Vec::new();
    let mut left = vec![String::new()];
    while let Some(prefix) = left.pop() {
        for entry in std::fs::read_dir(root.join(&prefix))? {
            let entry = entry?;
            let Ok(component) = entry.file_name().into_string() else { continue };
            if !entry.file_type()?.is_dir() || RESERVED.contains(&component.as_str()) {
                continue;
            }
            let path = if prefix.is_empty() { component } else { format!("{prefix}/{component}") };
            let Ok(name) = path.parse::<RepositoryName>() else { continue };
            if entry.path().join(MARKER).is_file() {
                found.push(name);
            }
            left.push(path);
        }
    }
    Ok(found)
}

#[async_trait]
impl Repositories for Directory {
    async fn get(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Repository>>, StoreError> {
        Ok(self.find(name)?.map(|store| store as Arc<dyn Repository>))
    }

    async fn create(&self, name: &RepositoryName) -> Result<Arc<dyn Repository>, StoreError> {
        Ok(self.make(name).await?)
    }

    async fn list(&self) -> Result<Vec<RepositoryName>, StoreError> {
        self.names()
    }

    async fn share(
        &self,
        digest: &Digest,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        match self.find(from)? {
            Some(from) if from.blob_size(digest).is_some() => {
                self.make(to).await?.share(digest, &from).await
            }
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Repository for LayoutStore {
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        LayoutStore::ingest(self).await
    }

    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(LayoutStore::blob_size(self, digest))
    }

    async fn claim(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(LayoutStore::claim(self, digest))
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError> {
        LayoutStore::remove_tag(self, tag).await
    }

    async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        LayoutStore::remove_manifest(self, digest).await
    }

    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        LayoutStore::remove_blob(self, digest)
    }
}
