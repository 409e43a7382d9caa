//! Repositories in memory: for tests and demonstrations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airlift_oci::store::{Ingest, MemoryStore, StoreError};
use airlift_oci::types::{Digest, Tag};
use async_trait::async_trait;

use super::{Repositories, Repository, RepositoryName};

/// Repositories in memory.
#[derive(Debug, Default)]
pub struct Memory {
    repositories: Mutex<BTreeMap<RepositoryName, Arc<MemoryStore>>>,
}

impl Memory {
    /// No repositories yet.
    pub fn new() -> Self {
        Memory::default()
    }

    /// The repository `name` as the store it is, made when there is none.
    pub fn store(&self, name: &RepositoryName) -> Arc<MemoryStore> {
        self.lock().entry(name.clone()).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RepositoryName, Arc<MemoryStore>>> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &RepositoryName) -> Option<Arc<MemoryStore>> {
        self.lock().get(name).cloned()
    }
}

#[async_trait]
impl Repositories for Memory {
    async fn get(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Repository>>, StoreError> {
        Ok(self.find(name).map(|store| store as Arc<dyn Repository>))
    }

    async fn create(&self, name: &RepositoryName) -> Result<Arc<dyn Repository>, StoreError> {
        Ok(self.store(name))
    }

    async fn list(&self) -> Result<Vec<RepositoryName>, StoreError> {
        Ok(self.lock().keys().cloned().collect())
    }

    async fn share(
        &self,
        digest: &Digest,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        let Some(from) = self.find(from) else { return Ok(false) };
        Ok(from.blob_size(digest).is_some() && self.store(to).share(digest, &from))
    }
}

#[async_trait]
impl Repository for MemoryStore {
    async fn ingest(&self) -> Result<Box<dyn Ingest>, StoreError> {
        Ok(MemoryStore::ingest(self))
    }

    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(MemoryStore::blob_size(self, digest))
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<bool, StoreError> {
        Ok(MemoryStore::remove_tag(self, tag))
    }

    async fn remove_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(MemoryStore::remove_manifest(self, digest))
    }

    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(MemoryStore::remove_blob(self, digest))
    }
}
