//! Blobs: reading, whole or in part, and deleting (distribution-spec, "Pulling blobs").

use airlift_oci::types::{Descriptor, Digest, media};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Call;
use super::answer::{CONTENT_DIGEST, client_has, entity_tag, value};
use super::error::{Answer, Failure};
use super::range::{Wanted, wanted};

pub(super) async fn get(call: Call<'_>, digest: &Digest) -> Answer {
    let repository = call.repository().await?;
    let size = repository.blob_size(digest).await?.ok_or_else(|| Failure::blob_unknown(digest))?;
    // Who only asks will not send it.
    if call.is_head() && !repository.claim(digest).await? {
        return Err(Failure::blob_unknown(digest));
    }
    let headers = &call.head.headers;
    if client_has(headers, digest) {
        return with_headers(StatusCode::NOT_MODIFIED.into_response(), digest, None);
    }
    // Of HEAD no part can be asked for (RFC 9110, section 14.2).
    let asked = if call.is_head() { Wanted::Whole } else { asked(headers, digest, size) };
    let (status, part) = match asked {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, value(&format!("bytes */{size}"))?)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let length = part.end - part.start;
    let body = if call.is_head() || length == 0 {
        Body::empty()
    } else {
        let descriptor = Descriptor::new(media::OCTET_STREAM, digest.clone(), size);
        Body::from_stream(repository.open_range(&descriptor, part.clone()).await?)
    };
    let mut response = with_headers((status, body).into_response(), digest, Some(length))?;
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        response.headers_mut().insert(header::CONTENT_RANGE, value(&range)?);
    }
    Ok(response)
}

pub(super) async fn delete(call: Call<'_>, digest: &Digest) -> Answer {
    if call.repository().await?.remove_blob(digest).await? {
        Ok(StatusCode::ACCEPTED.into_response())
    } else {
        Err(Failure::blob_unknown(digest))
    }
}

fn asked(headers: &HeaderMap, digest: &Digest, size: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::RANGE), text(header::IF_RANGE)) {
        (Some(_), Some(tag)) if tag != entity_tag(digest) => Wanted::Whole,
        (Some(range), _) => wanted(range, size),
        (None, _) => Wanted::Whole,
    }
}

fn with_headers(mut response: Response, digest: &Digest, length: Option<u64>) -> Answer {
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, value(digest.as_str())?);
    headers.insert(header::ETAG, value(&entity_tag(digest))?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media::OCTET_STREAM));
    }
    Ok(response)
}
