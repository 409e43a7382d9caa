//! A request to a repository: what it is answered from.

use airlift_oci::types::Version;
use http::request::Parts;
use http::{Method, header};

use super::setup::{Setup, Way};
use super::warm::{Job, Queue};
use crate::access::{Access, Verdict};
use crate::storage::RepositoryName;

/// A request to a repository.
pub(super) struct Call<'a> {
    /// Where images wait to be copied.
    pub(super) queue: &'a Queue,
    pub(super) setup: &'a Setup,
    pub(super) access: &'a Access,
    pub(super) name: &'a RepositoryName,
    pub(super) head: &'a Parts,
}

/// In the extensions of an answer: from which registry it came, and how.
#[derive(Debug, Clone)]
pub(super) struct Via(pub(super) String, pub(super) &'static str);

impl Call<'_> {
    pub(super) fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Whether the client may read another repository too.
    pub(super) async fn may_read(&self, name: &RepositoryName) -> bool {
        let authorization = self.head.headers.get(header::AUTHORIZATION);
        let verdict = self.access.check(authorization, &Method::GET, Some(name)).await;
        matches!(verdict, Verdict::Allowed(_))
    }

    /// Has an image copied to the first registry that is asked for it, which has it not.
    pub(super) fn warm(&self, way: &Way, from: usize, version: &Version) {
        let settings = self.setup.config.warming;
        let Some(to) = way.turn.first().filter(|_| settings.enabled) else { return };
        self.queue.offer(
            Job {
                repository: way.repository.clone(),
                version: version.clone(),
                from: self.setup.backends[from].clone(),
                to: self.setup.backends[*to].clone(),
            },
            settings,
        );
    }
}
