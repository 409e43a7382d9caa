//! Errors as answers (distribution-spec, "Error Codes").

use airlift_oci::store::{ErrorKind, StoreError, chain};
use airlift_oci::types::MAX_MANIFEST;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::route::RouteError;

/// A request that fails: status, code of the specification, and a sentence for a person.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

pub(super) type Answer = Result<Response, Failure>;

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Failure { status, code, message: message.into() }
    }

    pub(super) fn name_unknown(name: &dyn std::fmt::Display) -> Self {
        let message = format!("there is no repository {name}");
        Failure::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
    }

    pub(super) fn manifest_unknown(what: &dyn std::fmt::Display) -> Self {
        let message = format!("there is no manifest {what}");
        Failure::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)
    }

    pub(super) fn blob_unknown(what: &dyn std::fmt::Display) -> Self {
        Failure::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", format!("there is no blob {what}"))
    }

    pub(super) fn manifest_invalid(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    pub(super) fn manifest_too_large() -> Self {
        let message = format!("a manifest may have {MAX_MANIFEST} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", message)
    }

    pub(super) fn missing_child(what: &dyn std::fmt::Display) -> Self {
        let message = format!("the manifest names {what}, which is not in this repository");
        Failure::new(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", message)
    }

    pub(super) fn digest_invalid(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
    }

    pub(super) fn upload_unknown() -> Self {
        let message = "there is no such upload; it ended, failed or was idle for too long";
        Failure::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
    }

    pub(super) fn upload_invalid(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
    }

    pub(super) fn size_invalid(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message)
    }

    pub(super) fn method() -> Self {
        let message = "this method is not for this endpoint";
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
    }

    /// A failure of the storage. Its words are for whoever runs the server: they hold paths.
    pub(super) fn internal(error: &StoreError) -> Self {
        tracing::error!(error = chain(error), "the storage failed");
        if error.is_full() {
            let message = "there is no room left in the registry's storage";
            return Failure::new(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", message);
        }
        let message = "the registry's storage failed; its log says why";
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }
}

impl From<RouteError> for Failure {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Unknown => {
                Failure::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint")
            }
            RouteError::Name(message) => {
                Failure::new(StatusCode::BAD_REQUEST, "NAME_INVALID", message)
            }
            RouteError::Digest(message) => Failure::digest_invalid(message),
            RouteError::Tag(message) => Failure::manifest_invalid(message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            ErrorKind::NotFound(what) => Failure::blob_unknown(what),
            ErrorKind::Digest { .. } => Failure::digest_invalid(error.kind().to_string()),
            ErrorKind::Manifest(inner) => Failure::manifest_invalid(chain(inner)),
            ErrorKind::Unsupported(message) => {
                Failure::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message.clone())
            }
            _ => Failure::internal(&error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "code": self.code, "message": self.message });
        let body = serde_json::json!({ "errors": [error] }).to_string();
        let json = HeaderValue::from_static("application/json");
        (self.status, [(header::CONTENT_TYPE, json)], body).into_response()
    }
}
