//! Requests before they are sent.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::course::Course;
use super::kind::Kind;
use super::limits::{Lane, Permit};
use crate::store::{ErrorKind, StoreError};

/// A request to be sent.
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
    pub(super) lane: Lane,
    /// For messages.
    pub(super) place: String,
    /// What is read of a good answer's body.
    pub(super) read: Read,
    /// There is another endpoint to ask, so that this one is not insisted on.
    pub(super) hasty: bool,
    /// How much it is insisted on.
    pub(super) insist: Insist,
    /// The right to send, when it was had before.
    pub(super) permit: Lent,
    /// How far it is.
    pub(super) course: Course,
    /// How often an answer's body broke off that was to be read whole.
    pub(super) cuts: AtomicU32,
}

/// How much a request is insisted on, where something else can be done instead. However little: what the
/// host asks to be waited for is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Insist {
    /// As often as is set.
    #[default]
    Fully,
    /// As often as is set while nobody answers, a few times when the answer is an error: to do without
    /// costs much.
    Somewhat,
    /// Once more.
    Hardly,
}

impl Insist {
    /// Further tries at most after `error`; `None`: as many as are set.
    pub(super) fn tries(self, error: &StoreError) -> Option<u32> {
        let broke = matches!(error.kind(), ErrorKind::Network(_));
        match self {
            Insist::Fully => None,
            Insist::Somewhat => (!broke).then_some(4),
            Insist::Hardly => Some(1),
        }
    }
}

/// A blob that broke off so often is not asked for from its start again.
const CUTS: u32 = 2;

/// The right to send that a call was given, if any. It stays with the call over all its tries: who
/// has opened content by it may not wait behind others, who wait for that content's connection.
#[derive(Debug, Default)]
pub(super) struct Lent {
    lent: bool,
    permit: Mutex<Option<Permit>>,
}

impl Lent {
    /// Takes it for a try.
    pub(super) fn take(&self) -> Option<Permit> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives one for the next try, and for that one alone unless the call was given one before.
    pub(super) fn give(&self, permit: Permit) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
    }

    /// Keeps the permit of a try that failed for the next, if the call was given one.
    pub(super) fn keep(&self, permit: Option<Permit>) {
        if self.lent {
            *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
        }
    }
}

impl From<Option<Permit>> for Lent {
    fn from(permit: Option<Permit>) -> Self {
        Lent { lent: permit.is_some(), permit: Mutex::new(permit) }
    }
}

impl Call {
    /// Whether it asks for a blob that does not come through in one piece: it is to be gone on with
    /// by who knows how.
    pub(super) fn is_cut(&self) -> bool {
        self.kind == Kind::BlobGet && self.cuts.load(Ordering::Relaxed) >= CUTS
    }

    /// Whether it is one of the many that a server passes on: with no body, and an answer that is
    /// small and passed on as it is.
    pub(super) fn is_small_question(&self) -> bool {
        let asks = self.method == Method::GET || self.method == Method::HEAD;
        let small = matches!((self.lane, &self.payload), (Lane::Small, Payload::None));
        asks && small && matches!(self.read, Read::Answer)
    }
}

/// The body of a request.
#[derive(Clone)]
pub(super) enum Payload {
    /// None.
    None,
    /// At hand, so that the request can be sent again.
    Bytes(Bytes),
    /// Given beside the call, to be sent once.
    Streamed,
}

/// What is read of a good answer's body before the call returns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// This many bytes and one more, so that whoever looks sees that there were more.
    Whole(usize),
    /// Nothing: the body is streamed.
    Stream,
    /// Nothing, of any answer: it is passed on as it is, a redirect too.
    Answer,
}
