//! Taking in the body of a request: bounded in time between its bytes, and in memory.

use std::time::Duration;

use airlift_oci::store::Ingest;
use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::StatusCode;

use super::error::Failure;

/// Reads a body of at most `limit` bytes. `None`: it is longer.
pub(super) async fn small(
    body: Body,
    limit: u64,
    idle: Duration,
) -> Result<Option<Bytes>, Failure> {
    let mut body = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(chunk) = next(&mut body, idle).await? {
        if (all.len() + chunk.len()) as u64 > limit {
            return Ok(None);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(Some(all.freeze()))
}

/// Appends a body to `ingest`. Whatever came before a failure was appended.
pub(super) async fn append(
    body: Body,
    ingest: &mut dyn Ingest,
    idle: Duration,
) -> Result<(), Failure> {
    let mut body = body.into_data_stream();
    while let Some(chunk) = next(&mut body, idle).await? {
        ingest.write(chunk).await?;
    }
    Ok(())
}

async fn next(body: &mut BodyDataStream, idle: Duration) -> Result<Option<Bytes>, Failure> {
    match tokio::time::timeout(idle, body.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => {
            let message = format!("the body broke off: {error}");
            Err(Failure::upload_invalid(message))
        }
        Ok(None) => Ok(None),
        Err(_) => {
            let message = format!("nothing arrived for {} s", idle.as_secs());
            Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID", message))
        }
    }
}
