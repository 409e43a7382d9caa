//! What a store says when it cannot: where it happened, what failed, and whether trying again helps.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::inventory::InventoryError;
use crate::types::{Digest, ManifestError};

/// An error of a store.
///
/// Displays as `PLACE: what failed`, with the endpoint behind the place when that is another, and the
/// host in front of what failed when the request was sent on to one; the cause, if any, is its [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct StoreError {
    place: Box<str>,
    /// Where the place was asked for, when its name does not say that.
    endpoint: Option<Arc<str>>,
    /// The host that we were sent on to and that failed.
    sent_on: Option<Box<str>>,
    kind: ErrorKind,
}

/// What kind of trouble an error tells of: what somebody has to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Trouble {
    /// Credentials are missing, wrong or too weak.
    Denied,
    /// It is not there.
    Missing,
    /// The other side does not answer.
    Unreachable,
    /// No secure connection comes about: a certificate is not trusted, or one side speaks no TLS.
    Untrusted,
    /// The other side answers that it is in trouble or busy.
    Busy,
    /// The content is not what its digest or size says.
    Damaged,
    /// There is no room left.
    Full,
}

/// What failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The manifest, blob, tag or repository is not there.
    #[error("{0} was not found")]
    NotFound(String),
    /// Credentials are missing, wrong or too weak.
    #[error("access denied: {0}")]
    Denied(String),
    /// The content has another digest than it was asked for by.
    #[error("the content is damaged: expected {expected}, found {found}")]
    Digest {
        /// Asked for.
        expected: Digest,
        /// Computed from the bytes.
        found: Digest,
    },
    /// The content has another size than its descriptor says.
    #[error("{digest} has {found} bytes where its descriptor says {expected}")]
    Size {
        /// Of the descriptor.
        digest: Digest,
        /// By the descriptor, in bytes.
        expected: u64,
        /// As received, in bytes; at least this many when there were too many.
        found: u64,
    },
    /// The manifest cannot be carried.
    #[error("the manifest cannot be used")]
    Manifest(#[from] ManifestError),
    /// The other side answered with an error status.
    #[error("{method} {url} was answered with {status}{}", detail(message))]
    Status {
        /// Method of the request.
        method: &'static str,
        /// URL of the request, without its query.
        url: String,
        /// HTTP status.
        status: u16,
        /// The registry's own words: code and message.
        message: String,
    },
    /// The other side did what the protocol forbids.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The connection failed or broke.
    #[error("the connection failed")]
    Network(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The two sides do not trust each other, or one does not speak TLS. Trying again does not help.
    #[error("no secure connection could be made")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing arrived for too long.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// Reading or writing a file failed.
    #[error("{action} {path} failed")]
    Io {
        /// `reading`, `writing`, …
        action: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What a location names cannot be opened, so nothing of it was read.
    #[error("opening {path} failed")]
    Open {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no room left for what was to be written.
    #[error("there is no room for {} bytes{}", size, left(*free))]
    Full {
        /// To be written, in bytes.
        size: u64,
        /// Left where it was to be written, in bytes, when that is what is too little.
        free: Option<u64>,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// What is read is no archive, or a damaged one.
    #[error("{0}")]
    Archive(String),
    /// What is read is shorter than anything that an archive begins with.
    #[error("{}", stub(*bytes))]
    Stub {
        /// Its length in bytes.
        bytes: u64,
    },
    /// This kind of store cannot do that.
    #[error("{0}")]
    Unsupported(String),
    /// The content was read once and cannot be read again (a tape, a pipe).
    #[error("{0} can be read only once, and that was not enough")]
    Spent(Digest),
    /// The settings for this place are wrong.
    #[error("{0}")]
    Configuration(String),
    /// What should name gathered images does not.
    #[error("its root names no gathered images")]
    NotGathered(#[from] InventoryError),
}

/// A place with the endpoint where it is asked for.
pub(crate) fn named(place: &str, endpoint: Option<&Arc<str>>) -> String {
    endpoint.map_or_else(|| place.to_owned(), |endpoint| format!("{place} (at {endpoint})"))
}

fn stub(bytes: u64) -> String {
    if bytes == 0 {
        return "it is empty: there is no archive in it".to_owned();
    }
    format!("the archive ends too early, at byte {bytes}, at the start")
}

fn left(free: Option<u64>) -> String {
    free.map(|free| format!(", {free} are left")).unwrap_or_default()
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl StoreError {
    /// That what a location names, the file `path`, cannot be opened.
    pub fn open(path: &std::path::Path, source: std::io::Error) -> Self {
        StoreError::new("", ErrorKind::Open { path: path.display().to_string(), source })
    }

    /// An error at `place`: a repository, a directory, a file.
    pub fn new(place: impl Into<String>, kind: ErrorKind) -> Self {
        StoreError { place: place.into().into(), endpoint: None, sent_on: None, kind }
    }

    /// An I/O error on the file `path`.
    pub fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.display().to_string();
        StoreError::new("", ErrorKind::Io { action, path, source })
    }

    /// The same error of `place`, told of the endpoint where that was asked for; one of another
    /// place stays as it is.
    pub(crate) fn at_endpoint(mut self, place: &str, endpoint: Option<&Arc<str>>) -> Self {
        if *self.place == *place && self.endpoint.is_none() {
            self.endpoint = endpoint.cloned();
        }
        self
    }

    /// The URL where the place was asked for, when its name does not say that.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The same error, of a request that was sent on to `host`: name and port, nothing else, since URLs
    /// that one is sent on to hold secrets.
    pub fn sent_on_to(mut self, host: &str) -> Self {
        self.sent_on = Some(host.into());
        self
    }

    /// The host that failed, when a request was sent on to another one: name and port.
    pub fn sent_on(&self) -> Option<&str> {
        self.sent_on.as_deref()
    }

    /// Where it happened; empty when the kind says it all.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What failed, without where.
    pub fn into_kind(self) -> ErrorKind {
        self.kind
    }

    /// What somebody has to do about it, when that is known.
    pub fn trouble(&self) -> Option<Trouble> {
        match &self.kind {
            _ if self.is_full() => Some(Trouble::Full),
            ErrorKind::Denied(_) => Some(Trouble::Denied),
            ErrorKind::NotFound(_) => Some(Trouble::Missing),
            ErrorKind::Io { source, .. } | ErrorKind::Open { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Some(Trouble::Missing)
            }
            ErrorKind::Tls(_) => Some(Trouble::Untrusted),
            ErrorKind::Network(_) | ErrorKind::TimedOut(_) => Some(Trouble::Unreachable),
            ErrorKind::Digest { .. }
            | ErrorKind::Size { .. }
            | ErrorKind::Archive(_)
            | ErrorKind::Stub { .. } => Some(Trouble::Damaged),
            ErrorKind::Status { status: 429 | 500..=599, .. } => Some(Trouble::Busy),
            _ => None,
        }
    }

    /// Whether asking again later will be answered in the same way: the content is not there, is not
    /// to be had with these credentials, or is damaged where it is kept.
    pub fn is_final(&self) -> bool {
        let trouble = self.trouble();
        matches!(trouble, Some(Trouble::Missing | Trouble::Denied | Trouble::Damaged))
    }

    /// Whether the content is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound(_))
    }

    /// Whether credentials are what is missing.
    pub fn is_denied(&self) -> bool {
        matches!(self.kind, ErrorKind::Denied(_))
    }

    /// Whether there is no room left where it was to be written.
    pub fn is_full(&self) -> bool {
        match &self.kind {
            ErrorKind::Io { source, .. } => is_no_room(source),
            ErrorKind::Status { status, .. } => *status == INSUFFICIENT_STORAGE,
            ErrorKind::Full { .. } => true,
            _ => false,
        }
    }

    /// The same error, told of the room that there is at `place` when it is one of room: of `size`
    /// bytes that were to be written, and `free` that are left.
    pub(crate) fn into_full(self, place: &str, size: u64, free: Option<u64>) -> Self {
        match self.kind {
            ErrorKind::Io { source, .. } if is_no_room(&source) => {
                let free = free.filter(|free| *free < size);
                StoreError::new(place, ErrorKind::Full { size, free, source })
            }
            kind => StoreError { kind, ..self },
        }
    }

    /// Whether the same request may succeed later: broken connections, 408, 429 and 5xx
    /// but for 501 (cannot) and 507 (no room).
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Network(_) | ErrorKind::TimedOut(_) => true,
            ErrorKind::Status { status, .. } => passes(*status),
            _ => false,
        }
    }
}

fn is_no_room(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Io;
    matches!(error.kind(), Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge)
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            f.write_str(&named(&self.place, self.endpoint.as_ref()))?;
            f.write_str(": ")?;
        }
        if let Some(host) = &self.sent_on {
            write!(f, "sent on to {host}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

/// What a registry answers that has no room left; waiting makes none.
const INSUFFICIENT_STORAGE: u16 = 507;

/// Whether an HTTP status tells of trouble that may pass.
pub(crate) fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599) && !matches!(status, 501 | INSUFFICIENT_STORAGE)
}

/// An error with all its causes, on one line: what is shown to a person.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, StoreError};

    #[test]
    fn no_room_is_full_and_does_not_pass() {
        let answered = |status| {
            let (url, message) = (String::new(), String::new());
            StoreError::new("a", ErrorKind::Status { method: "PUT", url, status, message })
        };
        assert!(answered(507).is_full() && !answered(507).is_retryable());
        assert!(!answered(503).is_full() && answered(503).is_retryable());
        assert!(!answered(501).is_retryable() && !answered(404).is_retryable());
    }
}
