//! How registries differ: what is changed about every request and answer.

use airlift_oci::types::{Digest, Manifest, media};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};

use super::layer::Faults;
use super::plan::{DigestHeader, UploadLocation};
use crate::Kind;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// What a registry adds to the place of an upload, and wants back.
const STATE: &str = "_state=a%2Fb%3D";
/// What the place of an upload begins with that is not below `/v2/`.
const OTHER_PATH: &str = "/uploads_of";
/// More than any manifest.
const MOST: usize = 16 << 20;

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
    if kind == Kind::Referrers && plan.referrers_missing {
        return Err(StatusCode::NOT_FOUND.into_response());
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
    if kind == Kind::ManifestPut && plan.nested_index_refused {
        request = without_nested_index(request).await?;
    }
    Ok(request)
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

async fn without_nested_index(request: Request) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    let refused = |_| error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID");
    let raw = to_bytes(body, MOST).await.map_err(refused)?;
    let nested = Manifest::parse("", raw.clone())
        .is_ok_and(|found| found.manifests().any(|child| media::is_index(&child.media_type)));
    if nested {
        return Err(error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID"));
    }
    Ok(Request::from_parts(head, Body::from(raw)))
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

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"refused on purpose"}}]}}"#);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
