//! Several locations as one registry.
//!
//! Every repository of every location is there. Where two have one of the same name it holds what
//! either has, the location that was named first having precedence for tags. New repositories are
//! made in the first location that can be written to, and what is pushed to a repository that only
//! a medium has is stored there too.

use std::sync::Arc;

use airlift_oci::store::StoreError;
use airlift_oci::types::Digest;
use async_trait::async_trait;

use super::fixed::read_only;
use super::stack::Stack;
use super::{Repositories, Repository, RepositoryName};

/// Several locations.
#[derive(Default)]
pub struct Merged {
    writable: Vec<Arc<dyn Repositories>>,
    fixed: Vec<Arc<dyn Repositories>>,
}

impl Merged {
    /// No locations yet.
    pub fn new() -> Self {
        Merged::default()
    }

    /// Adds a location that can be written to.
    pub fn add_writable(&mut self, location: Arc<dyn Repositories>) {
        self.writable.push(location);
    }

    /// Adds a location that can only be read.
    pub fn add_fixed(&mut self, location: Arc<dyn Repositories>) {
        self.fixed.push(location);
    }

    /// The repositories of a name: the first that can be written to, and all others.
    async fn find(
        &self,
        name: &RepositoryName,
    ) -> Result<(Option<Arc<dyn Repository>>, Vec<Arc<dyn Repository>>), StoreError> {
        let (mut writable, mut others) = (None, Vec::new());
        for location in &self.writable {
            match location.get(name).await? {
                Some(found) if writable.is_none() => writable = Some(found),
                found => others.extend(found),
            }
        }
        for location in &self.fixed {
            others.extend(location.get(name).await?);
        }
        Ok((writable, others))
    }
}

#[async_trait]
impl Repositories for Merged {
    async fn get(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Repository>>, StoreError> {
        let (writable, mut others) = self.find(name).await?;
        Ok(match (writable, others.len()) {
            (Some(writable), 0) => Some(writable),
            (Some(writable), _) => Some(Arc::new(Stack::over(writable, others))),
            (None, 0 | 1) => others.pop(),
            (None, _) => Some(Arc::new(Stack::of(others))),
        })
    }

    async fn create(&self, name: &RepositoryName) -> Result<Arc<dyn Repository>, StoreError> {
        let (writable, others) = self.find(name).await?;
        let writable = match (writable, self.writable.first()) {
            (Some(writable), _) => writable,
            (None, Some(location)) => location.create(name).await?,
            (None, None) => return Err(read_only(name.as_str())),
        };
        if others.is_empty() {
            return Ok(writable);
        }
        Ok(Arc::new(Stack::over(writable, others)))
    }

    async fn list(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let mut names = Vec::new();
        for location in self.writable.iter().chain(&self.fixed) {
            names.extend(location.list().await?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Within a location that can be written to; across locations the client sends the bytes.
    async fn share(
        &self,
        digest: &Digest,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        if self.writable.is_empty() {
            return Err(read_only(to.as_str()));
        }
        for location in &self.writable {
            // Not into another location than the one that pushes to this name go to.
            if location.get(to).await?.is_none() && !Arc::ptr_eq(location, &self.writable[0]) {
                continue;
            }
            if location.share(digest, from, to).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
