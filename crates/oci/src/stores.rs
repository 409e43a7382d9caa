//! From a [`Location`] to an opened store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::registry::Client;
use crate::store::{ArchiveStore, ErrorKind, LayoutStore, Sink, Store, StoreError};
use crate::types::{Location, Name, Reference, Tag, Version};

/// Opens locations. Each repository, directory and file is opened once, however often it is named.
pub struct Stores {
    client: Client,
    opened: Mutex<HashMap<Key, Kept>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Registry(Name),
    Layout(PathBuf),
    Archive(PathBuf),
}

#[derive(Clone)]
enum Kept {
    Layout(Arc<LayoutStore>),
    Archive(Arc<ArchiveStore>),
    Other(Arc<dyn Store>),
}

/// A location, opened to be read.
#[derive(Clone)]
pub struct OpenedSource {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// What of it.
    pub version: Version,
    /// Domain and name, when other repositories of its registry can mount from it.
    pub mount_from: Option<(String, Name)>,
}

/// A location, opened to be written.
#[derive(Clone)]
pub struct OpenedDestination {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// The tag to be given; none for a location by digest.
    pub tag: Option<Tag>,
}

impl Stores {
    /// Opens locations by means of `client`.
    pub fn new(client: Client) -> Self {
        Stores { client, opened: Mutex::default() }
    }

    /// The client by which registries are reached.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a location to be read. A layout or archive must be there and hold the name; whether
    /// a registry has the image shows when it is asked for.
    pub async fn source(&self, location: &Location) -> Result<OpenedSource, StoreError> {
        match location {
            Location::Registry(reference) => Ok(self.registry_source(reference).await),
            Location::Layout { directory, tag } => {
                let layout = self.layout(directory, false).await?;
                let entry = layout.named(tag.as_deref())?;
                Ok(OpenedSource {
                    store: layout,
                    version: Version::Digest(entry.digest),
                    mount_from: None,
                })
            }
            Location::Archive { file, tag } => {
                let archive = self.archive(file).await?;
                let entry = archive.named(tag.as_deref())?;
                Ok(OpenedSource {
                    store: archive,
                    version: Version::Digest(entry.digest),
                    mount_from: None,
                })
            }
        }
    }

    /// Opens a location to be written, making a layout directory that is not there. Archives are
    /// refused: they are written by serialize.
    pub async fn destination(&self, location: &Location) -> Result<OpenedDestination, StoreError> {
        let tag = location.destination_tag();
        match location {
            Location::Registry(reference) => {
                Ok(OpenedDestination { store: self.repository(reference.name.clone()).await, tag })
            }
            Location::Layout { directory, tag: text } => {
                check_tag(location, text.as_deref())?;
                Ok(OpenedDestination { store: self.layout(directory, true).await?, tag })
            }
            Location::Archive { .. } => {
                let text =
                    "an archive cannot be a destination here; use `airlift serialize` to write one";
                Err(StoreError::new(location.to_string(), ErrorKind::Unsupported(text.to_owned())))
            }
        }
    }

    async fn registry_source(&self, reference: &Reference) -> OpenedSource {
        let store = self.repository(reference.name.clone()).await;
        let mount_from = Some((Sink::domain(store.as_ref()), reference.name.clone()));
        OpenedSource { store, version: reference.version(), mount_from }
    }

    async fn repository(&self, name: Name) -> Arc<dyn Store> {
        let mut opened = self.opened.lock().await;
        let open = || Kept::Other(self.client.repository(name.clone()));
        opened.entry(Key::Registry(name.clone())).or_insert_with(open).clone().store()
    }

    async fn layout(&self, directory: &Path, create: bool) -> Result<Arc<LayoutStore>, StoreError> {
        let key = Key::Layout(directory.to_owned());
        let mut opened = self.opened.lock().await;
        if let Some(Kept::Layout(known)) = opened.get(&key) {
            return Ok(known.clone());
        }
        let layout =
            if create { LayoutStore::create(directory)? } else { LayoutStore::open(directory)? };
        let layout = Arc::new(layout);
        opened.insert(key, Kept::Layout(layout.clone()));
        Ok(layout)
    }

    async fn archive(&self, file: &Path) -> Result<Arc<ArchiveStore>, StoreError> {
        let key = Key::Archive(file.to_owned());
        let mut opened = self.opened.lock().await;
        if let Some(Kept::Archive(known)) = opened.get(&key) {
            return Ok(known.clone());
        }
        let path = file.to_owned();
        let archive = tokio::task::spawn_blocking(move || ArchiveStore::open(&path)).await;
        let archive = archive
            .map_err(|error| StoreError::io("reading", file, std::io::Error::other(error)))?;
        let archive = Arc::new(archive?);
        opened.insert(key, Kept::Archive(archive.clone()));
        Ok(archive)
    }
}

impl Kept {
    fn store(self) -> Arc<dyn Store> {
        match self {
            Kept::Layout(store) => store,
            Kept::Archive(store) => store,
            Kept::Other(store) => store,
        }
    }
}

/// A layout's tag is an OCI tag when we write it, whatever other programs write.
fn check_tag(location: &Location, text: Option<&str>) -> Result<(), StoreError> {
    match text.map(str::parse::<Tag>) {
        Some(Err(error)) => {
            Err(StoreError::new(location.to_string(), ErrorKind::Configuration(error.to_string())))
        }
        _ => Ok(()),
    }
}
