//! Answers to those who may not.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// Why a request may not go on; as a response, an error of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody in particular may do this, or the credentials are wrong: 401 with a challenge.
    Unauthorized,
    /// This user may not: 403.
    Denied,
    /// Too many passwords are being checked: 429.
    Busy,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Refusal::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "this needs the name and the password of a user",
            ),
            Refusal::Denied => {
                (StatusCode::FORBIDDEN, "DENIED", "this is not among the rights that were given")
            }
            Refusal::Busy => (
                StatusCode::TOO_MANY_REQUESTS,
                "TOOMANYREQUESTS",
                "too many passwords are being checked; try again in a moment",
            ),
        };
        let error = serde_json::json!({ "code": code, "message": message });
        let body = serde_json::json!({ "errors": [error] }).to_string();
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
        let headers = response.headers_mut();
        match self {
            Refusal::Unauthorized => {
                let challenge =
                    HeaderValue::from_static(r#"Basic realm="airlift", charset="UTF-8""#);
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Refusal::Busy => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refusal::Denied => {}
        }
        response
    }
}
