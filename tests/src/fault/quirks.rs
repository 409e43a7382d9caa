//! How registries differ: what is changed about every request and answer.

use airlift_oci::types::Digest;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};

use super::layer::Faults;
use super::plan::{DigestHeader, UploadLocation};
use super::quirk::Quirk;
use super::{manifest_quirks, upload_quirks};
use crate::Kind;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// What a registry adds to the place of an upload, and wants back.
const STATE: &str = "_state=a%2Fb%3D";
/// What the place of an upload begins with that is not below `/v2/`.
const OTHER_PATH: &str = "/uploads_of";

/// Takes a request to an upload of [`UploadLocation::OtherPath`] to where the upload is.
pub(super) fn inward(mut request: Request) -> Request {
    let uri = request.uri().path_and_query().and_then(|uri| uri.as_str().strip_prefix(OTHER_PATH));
    if let Some(uri) = uri {
        *request.uri_mut() = Uri::try_from(uri).expect("a part of a URI is one");
    }
    request
}

/// Changes a request, or answers it.
pub(super) async fn before(
    faults: &Faults,
    kind: Kind,
    mut request: Request,
) -> Result<Request, Response> {
    let plan = &faults.plan;
    let unlisted = plan.quirks.contains(&Quirk::ReferrersUnlisted);
    if kind == Kind::Referrers && (plan.referrers_missing || unlisted) {
        return Err(StatusCode::NOT_FOUND.into_response());
    }
    let refusal = over_size(faults, kind, &request);
    let refusal = refusal.or_else(|| upload_quirks::no_repository(faults, kind, &request));
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if kind == Kind::BlobGet && plan.blobs_redirected {
        let to = format!("http://{}{}?signature=abc", faults.other, request.uri().path());
        return Err((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response());
    }
    if kind == Kind::Mount && plan.mounts_refused {
        *request.uri_mut() = Uri::try_from(request.uri().path()).expect("a path is a URI");
    }
    if plan.range_ignored {
        request.headers_mut().remove(header::RANGE);
    }
    let uploads = [Kind::UploadPatch, Kind::UploadPut, Kind::UploadStatus, Kind::UploadCancel];
    let stateful = !matches!(plan.location, UploadLocation::Relative | UploadLocation::Absolute);
    let query = request.uri().query().unwrap_or("");
    if uploads.contains(&kind) && stateful && !query.split('&').any(|part| part == STATE) {
        return Err(error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"));
    }
    if is_too_large(faults, kind, &request) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    }
    match kind {
        Kind::ManifestPut => manifest_quirks::admit(faults, request).await,
        Kind::ManifestGet => manifest_quirks::over_quota(faults).map_or(Ok(request), Err),
        _ => upload_quirks::before(faults, kind, request).await,
    }
}

/// The refusal of a header or page that is too large.
fn over_size(faults: &Faults, kind: Kind, request: &Request) -> Option<Response> {
    let authorization = request.headers().get(header::AUTHORIZATION).map_or(0, HeaderValue::len);
    let mut pairs = request.uri().query().unwrap_or("").split('&');
    let page = pairs.find_map(|pair| pair.strip_prefix("n=")?.parse::<usize>().ok());
    let code = faults.plan.quirks.iter().find_map(|quirk| match quirk {
        Quirk::AuthorizationAtMost(most) if authorization > *most => Some("UNKNOWN"),
        Quirk::TagPageAtMost(most) if kind == Kind::Tags && page.is_some_and(|n| n > *most) => {
            Some("PAGINATION_NUMBER_INVALID")
        }
        _ => None,
    })?;
    Some(error(StatusCode::BAD_REQUEST, code))
}

fn is_too_large(faults: &Faults, kind: Kind, request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let over = |limit: Option<u64>| limit.zip(length).is_some_and(|(limit, size)| size > limit);
    match kind {
        Kind::UploadPost | Kind::UploadPut => {
            over(faults.plan.monolithic_limit) || over(faults.plan.body_limit)
        }
        Kind::UploadPatch => over(faults.plan.body_limit),
        _ => false,
    }
}

/// Changes an answer of the registry.
pub(super) fn after(faults: &Faults, kind: Kind, mut response: Response) -> Response {
    let plan = &faults.plan;
    let headers = response.headers_mut();
    if plan.referrers_missing {
        headers.remove("oci-subject");
    }
    if plan.range_ignored {
        headers.remove(header::ACCEPT_RANGES);
    }
    match plan.digest_header {
        DigestHeader::Missing => {
            headers.remove(CONTENT_DIGEST);
            headers.remove(header::ETAG);
        }
        DigestHeader::Wrong if headers.contains_key(CONTENT_DIGEST) => {
            let wrong = Digest::of(b"not what you asked for");
            let wrong = HeaderValue::from_str(wrong.as_str()).expect("a digest is a header value");
            headers.insert(CONTENT_DIGEST, wrong);
            headers.remove(header::ETAG);
        }
        DigestHeader::Right | DigestHeader::Wrong => {}
    }
    upload_quirks::after(faults, kind, &mut response);
    relocate(faults, kind, response)
}

/// Changes an answer of the second host: an upload goes on where it is.
pub(super) fn after_elsewhere(faults: &Faults, kind: Kind, response: Response) -> Response {
    relocate(faults, kind, response)
}

/// Writes the place of an upload as the plan says.
fn relocate(faults: &Faults, kind: Kind, mut response: Response) -> Response {
    let kinds = [Kind::UploadPost, Kind::Mount, Kind::UploadPatch, Kind::UploadStatus];
    let Some(path) = response.headers().get(header::LOCATION).and_then(|at| at.to_str().ok())
    else {
        return response;
    };
    if !kinds.contains(&kind) || !path.contains("/uploads/") {
        return response;
    }
    let (addr, other) = (faults.addr, faults.other);
    let location = match faults.plan.location {
        UploadLocation::Relative => return response,
        UploadLocation::Absolute => format!("http://{addr}{path}"),
        UploadLocation::WithQuery => format!("{path}?{STATE}"),
        UploadLocation::OtherHost => format!("http://{other}{path}?{STATE}"),
        UploadLocation::OtherPath => format!("{OTHER_PATH}{path}?{STATE}"),
    };
    let location = HeaderValue::from_str(&location).expect("a location is a header value");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

pub(super) fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"refused on purpose"}}]}}"#);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
