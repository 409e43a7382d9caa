//! Answers as they come from a connection, whoever holds it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::direct::{self, Fault};
use super::failure;
use crate::store::{ErrorKind, StoreError};

/// An answer of which the body is still to come.
pub(super) enum Reply {
    /// Over a connection of the HTTP client.
    Client(reqwest::Response),
    /// Over a connection of our own.
    Direct(Box<direct::Reply>),
}

impl Reply {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Reply::Client(reply) => reply.status(),
            Reply::Direct(reply) => reply.status,
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Reply::Client(reply) => reply.headers(),
            Reply::Direct(reply) => &reply.headers,
        }
    }

    /// The headers, which it has no more then.
    pub(super) fn take_headers(&mut self) -> HeaderMap {
        match self {
            Reply::Client(reply) => std::mem::take(reply.headers_mut()),
            Reply::Direct(reply) => std::mem::take(&mut reply.headers),
        }
    }

    /// The next bytes of the body; `None` at its end. An error names `place`.
    pub(super) async fn chunk(&mut self, place: &str) -> Result<Option<Bytes>, StoreError> {
        match self {
            Reply::Client(reply) => {
                reply.chunk().await.map_err(|error| failure::network(place, error))
            }
            Reply::Direct(reply) => reply.chunk().await.map_err(|fault| fault.at(place)),
        }
    }
}

impl Fault {
    /// As an error that names `place`.
    pub(super) fn at(self, place: &str) -> StoreError {
        match self {
            Fault::Foreign => failure::foreign(place),
            Fault::Broken(cause) => StoreError::new(place, ErrorKind::Network(cause)),
        }
    }
}
