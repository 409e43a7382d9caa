//! One repository at one endpoint: what the operations work on.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use http::Method;

use super::answer::Answer;
use super::auth::Scopes;
use super::call::{Call, Insist, Lent, Payload, Read};
use super::course::Course;
use super::facts::RepoFacts;
use super::haste;
use super::host::Host;
use super::identity::Identity;
use super::kind::Kind;
use super::limits::Lane;
use crate::store::StoreError;

/// One repository at one endpoint.
#[derive(Clone)]
pub(super) struct Repo {
    pub(super) host: Arc<Host>,
    /// The path at this endpoint.
    pub(super) path: String,
    /// The name as written, for messages.
    pub(super) place: String,
    pub(super) facts: Arc<RepoFacts>,
    /// There is another endpoint to ask, so that this one is not insisted on.
    pub(super) hasty: bool,
}

impl Repo {
    /// A call below this repository: `rest` is `manifests/…`, `blobs/…`, ….
    pub(super) fn call(&self, kind: Kind, method: Method, rest: &str, read: Read) -> Call {
        let mut url = self.host.base.clone();
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        url.set_path(&format!("{}{}/{rest}", url.path(), self.path));
        url.set_query(query);
        Call {
            kind,
            method,
            url,
            headers: self.host.headers.clone(),
            payload: Payload::None,
            lane: Lane::Small,
            place: self.place.clone(),
            read,
            hasty: self.hasty,
            insist: Insist::default(),
            permit: Lent::default(),
            course: Course::default(),
            cuts: AtomicU32::new(0),
        }
    }

    /// Sends a call that reads.
    pub(super) async fn pull(&self, call: &Call) -> Result<Answer, StoreError> {
        self.send(call, &Scopes::pull(&self.path)).await
    }

    /// Sends a call that writes.
    pub(super) async fn push(&self, call: &Call) -> Result<Answer, StoreError> {
        self.send(call, &Scopes::push(&self.path)).await
    }

    /// Sends a call.
    pub(super) async fn send(&self, call: &Call, scopes: &Scopes) -> Result<Answer, StoreError> {
        let who = Identity { authority: &self.host.authority, scopes };
        if self.hasty {
            return haste::send(&self.host, call, &who).await;
        }
        self.host.wire.call(call, &who).await
    }

    /// An error of this repository, told of this endpoint.
    pub(super) fn at(&self, error: StoreError) -> StoreError {
        error.at_endpoint(&self.place, self.host.shown.as_ref())
    }

    /// An error of the protocol here.
    pub(super) fn protocol(&self, text: impl Into<String>) -> StoreError {
        super::failure::protocol(&self.place, text)
    }
}
