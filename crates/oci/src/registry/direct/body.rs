//! The body of an answer, read from its connection, which is kept when the body has come whole.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::connection::Connection;
use super::{Direct, Fault};

/// An answer of which the body is still to come.
#[derive(Debug)]
pub(in crate::registry) struct Reply {
    pub(in crate::registry) status: StatusCode,
    pub(in crate::registry) headers: HeaderMap,
    /// `None` when the body has come whole, or will not.
    open: Option<Open>,
    home: Arc<Direct>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    body: Incoming,
}

impl Reply {
    pub(super) fn new(
        answer: Response<Incoming>,
        connection: Connection,
        home: &Arc<Direct>,
    ) -> Self {
        let (head, body) = answer.into_parts();
        let open = Some(Open { connection, body });
        let (status, headers) = (head.status, head.headers);
        let mut reply = Reply { status, headers, open, home: home.clone() };
        reply.keep_if_whole();
        reply
    }

    /// The next bytes; `None` at the end. Nothing is lost when the future is dropped.
    pub(in crate::registry) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let Some(Open { connection, body }) = &mut self.open else { return Ok(None) };
            match connection.during(body.frame()).await {
                Some(Ok(frame)) => {
                    // What follows the last chunk says nothing that is passed on.
                    let Ok(bytes) = frame.into_data() else { continue };
                    self.keep_if_whole();
                    // Copied, so that who keeps a little does not keep the room it was read into.
                    return Ok(Some(Bytes::copy_from_slice(&bytes)));
                }
                Some(Err(error)) => {
                    self.open = None;
                    return Err(Fault::of(error));
                }
                None => {
                    self.keep();
                    return Ok(None);
                }
            }
        }
    }

    fn keep_if_whole(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.body.is_end_stream()) {
            self.keep();
        }
    }

    /// The body has come whole: the connection is free, if it is one to go on with.
    fn keep(&mut self) {
        let Some(Open { mut connection, body }) = self.open.take() else { return };
        drop(body);
        if connection.stands() {
            self.home.keep(connection, Instant::now());
        }
    }
}
