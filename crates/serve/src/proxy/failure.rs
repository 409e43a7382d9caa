//! What is wrong, as the answer that a client gets (distribution-spec, "Error Codes").

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::RouteError;

/// A request that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// When to come again.
    pub(super) retry: Option<Duration>,
}

pub(super) type Reply = Result<Response, Failure>;

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Failure { status, code, message: message.into(), retry: None }
    }

    pub(super) fn method(message: &str) -> Self {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
    }

    pub(super) fn unknown_endpoint() -> Self {
        Failure::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint")
    }
}

impl From<RouteError> for Failure {
    fn from(error: RouteError) -> Self {
        let (code, message) = match error {
            RouteError::Unknown => return Failure::unknown_endpoint(),
            RouteError::Name(message) => ("NAME_INVALID", message),
            RouteError::Digest(message) => ("DIGEST_INVALID", message),
            RouteError::Tag(message) => ("MANIFEST_INVALID", message),
        };
        Failure::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "code": self.code, "message": self.message });
        let body = serde_json::json!({ "errors": [error] }).to_string();
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], body).into_response();
        if let Some(retry) = self.retry {
            // Rounded up: a client that comes early comes in vain.
            let seconds = retry.as_millis().div_ceil(1000).max(1);
            let value = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
