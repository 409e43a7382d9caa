//! What came of asking a registry.

use std::time::Duration;

use http::StatusCode;

use super::metrics::Said;

/// What came of asking.
#[derive(Debug, Clone)]
pub(super) enum Asked<T> {
    /// An answer to go on with.
    Answer(T),
    /// It has it not.
    Missing,
    /// It will not say, or not to us: status and words.
    Refused(StatusCode, String),
    /// It could not be asked.
    Out(Outage),
}

/// Why a registry could not be asked.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    pub(super) reason: String,
    /// When it may be asked again, where that is known.
    pub(super) retry: Option<Duration>,
}

/// The head of an answer that was taken in whole.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
}

impl<T> Asked<T> {
    /// Makes something else of an answer.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Asked<U> {
        self.and_then(|answer| Ok(make(answer)))
    }

    /// Makes something else of an answer, or says why it cannot be used.
    pub(super) fn and_then<U>(
        self,
        make: impl FnOnce(T) -> Result<U, (StatusCode, String)>,
    ) -> Asked<U> {
        match self {
            Asked::Answer(answer) => match make(answer) {
                Ok(made) => Asked::Answer(made),
                Err((status, reason)) => Asked::Refused(status, reason),
            },
            Asked::Missing => Asked::Missing,
            Asked::Refused(status, reason) => Asked::Refused(status, reason),
            Asked::Out(outage) => Asked::Out(outage),
        }
    }

    /// How it is counted.
    pub(super) fn said(&self) -> Said {
        match self {
            Asked::Answer(_) => Said::Answer,
            Asked::Missing => Said::Missing,
            Asked::Refused(..) => Said::Refused,
            Asked::Out(_) => Said::Outage,
        }
    }
}

/// What is said of an answer that tells of trouble, with the words that came with it.
pub(super) fn words_of(status: StatusCode, words: &str) -> String {
    if words.is_empty() {
        format!("it answered {}", status.as_u16())
    } else {
        format!("it answered {}: {words}", status.as_u16())
    }
}
