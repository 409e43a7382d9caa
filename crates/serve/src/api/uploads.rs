//! Uploads: in one request, in chunks, and by mount (distribution-spec, "Pushing Blobs").

use airlift_oci::types::Digest;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Call;
use super::answer::{CONTENT_DIGEST, UPLOAD_UUID, location, value};
use super::error::{Answer, Failure};
use super::range;
use super::receive::append;
use super::sessions::{Session, Taken};
use crate::access::Right;
use crate::storage::RepositoryName;

pub(super) async fn post(call: Call<'_>, body: Body) -> Answer {
    let (registry, name, query) = (call.registry, call.name, call.query);
    if let Some(mount) = query.get("mount") {
        let digest = parse_digest(mount)?;
        let from = query.get("from").and_then(|from| from.parse().ok());
        // What the client may not read is as if it were not there.
        if let Some(from) = from.filter(|from| call.visitor.may(Right::Read, from))
            && registry.storage.share(&digest, &from, name).await?
        {
            return created(name, &digest);
        }
    } else if let Some(digest) = query.get("digest") {
        return monolithic(call, &parse_digest(digest)?, body).await;
    }
    let ingest = call.made().await?.ingest().await?;
    let id = registry.sessions.open(name, ingest)?;
    progress(StatusCode::ACCEPTED, name, &id, 0)
}

async fn monolithic(call: Call<'_>, digest: &Digest, body: Body) -> Answer {
    let mut ingest = call.made().await?.ingest().await?;
    append(body, ingest.as_mut(), call.registry.options.body_idle).await?;
    ingest.finish(digest).await?;
    created(call.name, digest)
}

pub(super) async fn status(call: Call<'_>, id: &str) -> Answer {
    let session = call.registry.sessions.find(call.name, id)?;
    progress(StatusCode::NO_CONTENT, call.name, id, session.received().await)
}

pub(super) fn cancel(call: Call<'_>, id: &str) -> Answer {
    call.registry.sessions.find(call.name, id)?.interrupt();
    call.registry.sessions.close(id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn patch(call: Call<'_>, id: &str, body: Body) -> Answer {
    let (session, name) = (call.registry.sessions.find(call.name, id)?, call.name);
    match chunk(call, &session, body).await? {
        Chunk::Taken(_, received) => progress(StatusCode::ACCEPTED, name, id, received),
        Chunk::OutOfOrder(received) => {
            progress(StatusCode::RANGE_NOT_SATISFIABLE, name, id, received)
        }
    }
}

pub(super) async fn put(call: Call<'_>, id: &str, body: Body) -> Answer {
    let (session, name) = (call.registry.sessions.find(call.name, id)?, call.name);
    let digest = call.query.get("digest").ok_or_else(|| {
        Failure::digest_invalid("the request that ends an upload must have the parameter digest")
    })?;
    let digest = parse_digest(digest)?;
    let mut taken = match chunk(call, &session, body).await? {
        Chunk::Taken(taken, _) => taken,
        Chunk::OutOfOrder(received) => {
            return progress(StatusCode::RANGE_NOT_SATISFIABLE, name, id, received);
        }
    };
    let ingest = taken.take().ok_or_else(Failure::upload_unknown)?;
    // Whether it succeeds or not, this was the upload's end.
    call.registry.sessions.close(id);
    ingest.finish(&digest).await?;
    created(name, &digest)
}

/// What became of the body of a request to a session.
enum Chunk {
    /// It was appended; so much was taken in by now. The session is still held.
    Taken(Taken, u64),
    /// It does not begin where the upload stands, which is here.
    OutOfOrder(u64),
}

async fn chunk(call: Call<'_>, session: &Session, body: Body) -> Result<Chunk, Failure> {
    let (mut taken, interrupted) = session.take().await?;
    let ingest = taken.as_mut().ok_or_else(Failure::upload_unknown)?;
    let expected = declared(&call.head.headers)?;
    let before = ingest.written();
    if expected.as_ref().is_some_and(|range| range.start != before) {
        return Ok(Chunk::OutOfOrder(before));
    }
    let appended = tokio::select! {
        appended = append(body, ingest.as_mut(), call.registry.options.body_idle) => appended,
        () = interrupted.cancelled() => Err(Failure::upload_invalid("another request took over the upload")),
    };
    let received = ingest.written();
    session.note(received);
    appended?;
    if expected.is_some_and(|range| range.end != received) {
        let message =
            format!("the chunk had {} bytes, not as many as its range", received - before);
        return Err(Failure::size_invalid(message));
    }
    Ok(Chunk::Taken(taken, received))
}

/// The range of a chunk, when it says one.
fn declared(headers: &HeaderMap) -> Result<Option<std::ops::Range<u64>>, Failure> {
    let Some(text) = headers.get(header::CONTENT_RANGE) else { return Ok(None) };
    let malformed = || Failure::upload_invalid("Content-Range must be FIRST-LAST, in bytes");
    let range = text.to_str().ok().and_then(range::chunk).ok_or_else(malformed)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.is_some_and(|length| length.parse() != Ok(range.end - range.start)) {
        return Err(Failure::size_invalid("Content-Range and Content-Length differ"));
    }
    Ok(Some(range))
}

fn parse_digest(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(|error: airlift_oci::types::DigestError| {
        Failure::digest_invalid(error.to_string())
    })
}

fn created(name: &RepositoryName, digest: &Digest) -> Answer {
    let headers = [
        (header::LOCATION, value(&location(name, "blobs", digest))?),
        (CONTENT_DIGEST, value(digest.as_str())?),
    ];
    Ok((StatusCode::CREATED, headers).into_response())
}

/// Where an upload stands. Of nothing it is said as `0-0`, as registries have always done.
fn progress(status: StatusCode, name: &RepositoryName, id: &str, received: u64) -> Answer {
    let mut response: Response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(&format!("/v2/{name}/blobs/uploads/{id}"))?);
    headers.insert(header::RANGE, value(&format!("0-{}", received.saturating_sub(1)))?);
    headers.insert(UPLOAD_UUID, value(id)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    Ok(response)
}
