//! Answers: what they say of themselves, and what kind of error they are.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::failure;
use super::kind::Kind;
use super::limits::{Permit, Refusal};
use super::reply::Reply;
use super::retry::retry_after;
use crate::store::{ErrorKind, StoreError, passes};

/// An answer: whole, or with its body still to be read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    pub(super) body: Bytes,
    /// Another host than the one asked answered.
    pub(super) foreign: bool,
    pub(super) place: String,
    pub(super) method: Method,
    pub(super) kind: Kind,
    pub(super) stream: Option<Reply>,
    pub(super) permit: Option<Permit>,
    /// The host was not known to be asked too much when the request was sent.
    pub(super) surprising: bool,
}

impl Answer {
    /// The header `name` as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How the content was packed on its way. No answer is asked to be, so that one which is has
    /// another digest as it came, unless that is how the registry keeps it.
    pub(super) fn packed(&self) -> Option<String> {
        let encoding = self.header("content-encoding").map(str::trim);
        let packed = encoding.filter(|encoding| !matches!(*encoding, "" | "identity"));
        packed.map(str::to_owned)
    }

    /// The length of the whole content, when the answer states it.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The body still to be read, and the permit to be held meanwhile.
    pub(super) fn into_stream(mut self) -> Option<(reqwest::Response, Option<Permit>)> {
        match self.stream.take()? {
            Reply::Client(response) => Some((response, self.permit.take())),
            // Nothing large is asked for there.
            Reply::Direct(_) => None,
        }
    }

    /// The answer as an error.
    pub(super) fn error(&self) -> StoreError {
        failure::status(&self.place, &self.method, &self.url, self.status, &self.body)
    }

    /// As [`Answer::error`]; a 404 says that `what` was not found.
    pub(super) fn error_about(&self, what: &dyn std::fmt::Display) -> StoreError {
        if self.status == StatusCode::NOT_FOUND {
            return StoreError::new(&*self.place, ErrorKind::NotFound(what.to_string()));
        }
        self.error()
    }

    /// That it asks to wait, for too long or too often: for `total` without a good answer.
    pub(super) fn too_long(&self, wait: Duration, total: Duration, limit: Duration) -> Refusal {
        let [wait, total, limit] = [wait, total, limit].map(|wait| wait.as_secs());
        self.refusal(if wait > limit || total <= wait {
            format!("the host asks to wait {wait} s, which exceeds the limit of {limit} s")
        } else {
            format!(
                "the host asks to wait another {wait} s, which makes {total} s with nothing done \
                 in between and exceeds the limit of {limit} s"
            )
        })
    }

    /// That there is no use in asking, for this reason.
    pub(super) fn refusal(&self, text: String) -> Refusal {
        let (method, url) = (self.method.clone(), self.url.clone());
        Refusal { method, url, status: self.status, text }
    }

    /// Whether trying again may help. A host we were sent on to and that refuses has let our
    /// signed URL grow old: the host that signed it is asked again.
    pub(super) fn troubled(&self) -> bool {
        self.stale() || passes(self.status.as_u16()) || self.throttled()
    }

    /// Whether a host that we were sent on to refuses.
    pub(super) fn stale(&self) -> bool {
        self.foreign && matches!(self.status.as_u16(), 401 | 403)
    }

    /// Whether the host says that it is asked too much: by 429, or by a refusal that says so.
    pub(super) fn throttled(&self) -> bool {
        match self.status.as_u16() {
            429 => true,
            403 if self.headers.contains_key(http::header::RETRY_AFTER) => true,
            400 | 403 => failure::tells_of_throttling(&self.body),
            _ => false,
        }
    }

    /// What `Retry-After` asks for, when it asks for something.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        let asks = self.status == StatusCode::SERVICE_UNAVAILABLE || self.throttled();
        let wait = asks.then(|| retry_after(&self.headers, SystemTime::now())).flatten();
        wait.filter(|wait| !wait.is_zero())
    }

    pub(super) fn good(&self) {
        self.permit.iter().for_each(Permit::good);
    }

    pub(super) fn overloaded(&mut self) {
        self.surprising = self.permit.as_ref().is_some_and(Permit::overloaded);
    }
}
