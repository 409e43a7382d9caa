//! Why a try to send a blob ended, and what each answer to its body means.

use http::{StatusCode, header};

use super::answer::Answer;
use super::failure;
use crate::store::{ErrorKind, StoreError};
use crate::types::Digest;

/// Why a try ended.
pub(super) enum Fault {
    /// The content could not be read: its own error, to be passed on as it is.
    Content(StoreError),
    /// The content was damaged on its way: worth one more reading.
    Damaged(StoreError),
    /// The connection, or the registry for now.
    Passing(StoreError),
    /// The token, or what else shows who we are, is refused.
    Unauthorized(StoreError),
    /// The host asks for patience.
    Busy(Box<Answer>),
    /// The registry knows nothing of the upload, or will not have it continued.
    Lost(StoreError),
    /// The body is to go elsewhere, as the answer says.
    Moved(Box<Answer>),
    /// The body is too large for the registry or for what stands before it.
    TooLarge(StoreError),
    /// Final.
    Refused(StoreError),
}

impl Fault {
    /// What an error of reading the content means.
    pub(super) fn of_content(error: StoreError) -> Self {
        if error.is_damage() { Self::Damaged(error) } else { Self::Content(error) }
    }

    /// What an error of sending a body means.
    pub(super) fn of_sending(error: StoreError) -> Self {
        if error.is_retryable() { Self::Passing(error) } else { Self::Refused(error) }
    }

    /// What an answer to a body of the blob `expected`, sent to `place`, means.
    pub(super) fn judge(place: &str, expected: &Digest, mut answer: Answer) -> Result<(), Self> {
        match answer.status.as_u16() {
            200..=299 => match stored_as_another(expected, &answer) {
                Some(found) => {
                    let expected = expected.clone();
                    let kind = ErrorKind::Digest { expected, found };
                    Err(Self::Damaged(StoreError::new(place, kind)))
                }
                None => Ok(()),
            },
            413 => Err(Self::TooLarge(answer.error())),
            400 if failure::codes(&answer.body).iter().any(|code| code == "DIGEST_INVALID") => {
                Err(Self::Damaged(answer.error()))
            }
            401 => Err(Self::Unauthorized(answer.error())),
            307 | 308 if answer.headers.contains_key(header::LOCATION) => {
                answer.permit = None;
                Err(Self::Moved(Box::new(answer)))
            }
            // An upload that is gone, or whose offset is another: begin again.
            404 | 416 => Err(Self::Lost(answer.error())),
            _ if answer.throttled() || answer.asked_wait().is_some() => {
                // Who waits keeps nobody else from sending.
                answer.permit = None;
                Err(Self::Busy(Box::new(answer)))
            }
            _ if answer.error().is_retryable() => Err(Self::Passing(answer.error())),
            _ => Err(Self::Refused(answer.error())),
        }
    }
}

/// The digest a finished upload is stored under, when it is not the one it was sent as.
fn stored_as_another(expected: &Digest, answer: &Answer) -> Option<Digest> {
    if answer.status != StatusCode::CREATED {
        return None;
    }
    let stated: Digest = answer.header("docker-content-digest")?.parse().ok()?;
    (stated.algorithm() == expected.algorithm() && stated != *expected).then_some(stated)
}
