//! Blobs: reading, whole or in part, and deleting (distribution-spec, "Pulling blobs").

use airlift_oci::types::{Descriptor, Digest, media};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
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
    let (status, part) = match asked(headers, digest, size) {
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
        let blob = repository.open(&descriptor, part.start).await?;
        if part.end == size {
            Body::from_stream(blob)
        } else {
            Body::from_stream(first(blob, length))
        }
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

/// The first `length` bytes of a stream; the rest is not read, so not checked either.
fn first<E>(
    chunks: impl stream::Stream<Item = Result<bytes::Bytes, E>> + Send + 'static,
    length: u64,
) -> impl stream::Stream<Item = Result<bytes::Bytes, E>> + Send + 'static
where
    E: Send + 'static,
{
    let start = (Box::pin(chunks), length);
    stream::try_unfold(start, |(mut chunks, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut chunk) = chunks.try_next().await? else { return Ok(None) };
        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (chunks, left))))
    })
    .boxed()
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
