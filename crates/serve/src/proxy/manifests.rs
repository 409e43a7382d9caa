//! Manifests: from the first registry that has one, checked against its digest.

use airlift_oci::registry::{Access, Forward, Kind};
use airlift_oci::types::{Digest, MAX_MANIFEST, Version, media};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::backend::{Asked, Backend, Head};
use super::failure::{Failure, Reply};
use super::headers::{CONTENT_DIGEST, client_has, entity_tag, kept};
use super::service::{Call, Via};
use super::setup::Silence;

/// Headers of a client that a registry needs to answer as it would answer the client.
const ASKING: [http::HeaderName; 2] = [header::ACCEPT, header::IF_NONE_MATCH];

/// A manifest as a registry gave it.
#[derive(Debug)]
struct Found {
    status: StatusCode,
    media_type: Option<HeaderValue>,
    digest: Option<Digest>,
    length: Option<HeaderValue>,
    body: Bytes,
}

/// Answers with the manifest of the first registry that has it.
pub(super) async fn get(call: &Call<'_>, version: &Version) -> Reply {
    let way = call.setup.way(call.name)?;
    let mut silence = Silence::default();
    for (position, at) in way.turn.iter().enumerate() {
        let backend = &call.setup.backends[*at];
        let asked = ask(call, backend, &way.repository, version).await;
        let Some(found) = silence.unless(backend, asked) else { continue };
        // Only what the first is known not to have; when it is down, nothing is known.
        if position > 0 && silence.is_plain() && !call.is_head() {
            call.warm(&way, *at, version);
        }
        let mut response = respond(call, found);
        response.extensions_mut().insert(Via(backend.name.clone(), "manifest"));
        return Ok(response);
    }
    let message = format!("there is no manifest {version} in {}", call.name);
    Err(silence.failure(Failure::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)))
}

async fn ask(
    call: &Call<'_>,
    backend: &Backend,
    repository: &str,
    version: &Version,
) -> Asked<Found> {
    let path = format!("{repository}/manifests/{version}");
    let request = |kind, method| Forward {
        kind,
        method,
        path: &path,
        headers: asking(&call.head.headers),
        access: Access::Pull(repository),
        body: None,
    };
    if call.is_head() {
        let head = request(Kind::ManifestHead, Method::HEAD);
        let taken = backend.ask_whole(head, 0, |head, _| Ok(described(&head, version))).await;
        match taken {
            Asked::Answer(Some(found)) => return Asked::Answer(found),
            Asked::Missing => return Asked::Missing,
            Asked::Out(outage) => return Asked::Out(outage),
            // Registries refuse HEAD in many ways, and some say too little: a GET tells.
            Asked::Answer(None) | Asked::Refused(..) => {}
        }
    }
    let get = request(Kind::ManifestGet, Method::GET);
    backend.ask_whole(get, MAX_MANIFEST, |head, body| check(&head, body, version)).await
}

fn asking(client: &HeaderMap) -> HeaderMap {
    let mut headers = kept(client, &ASKING);
    if !headers.contains_key(header::ACCEPT) {
        // Registries take silence for a client from before there were types.
        headers.insert(header::ACCEPT, HeaderValue::from_static(media::ACCEPT_MANIFESTS));
    }
    headers
}

/// What a HEAD was answered with, if that is all that a client needs.
fn described(head: &Head, version: &Version) -> Option<Found> {
    let (status, body) = (head.status, Bytes::new());
    let stated = stated(&head.headers);
    if status == StatusCode::NOT_MODIFIED {
        return Some(Found { status, media_type: None, digest: stated, length: None, body });
    }
    let digest = match version {
        Version::Digest(digest) if stated.as_ref().is_none_or(|stated| stated == digest) => {
            digest.clone()
        }
        Version::Digest(_) => return None,
        Version::Tag(_) => stated?,
    };
    let length = head.headers.get(header::CONTENT_LENGTH)?.clone();
    let media_type = head.headers.get(header::CONTENT_TYPE)?.clone();
    let (media_type, digest, length) = (Some(media_type), Some(digest), Some(length));
    (status == StatusCode::OK).then_some(Found { status, media_type, digest, length, body })
}

/// A manifest whose bytes are what they should be; else why they are not.
fn check(head: &Head, body: Bytes, version: &Version) -> Result<Found, String> {
    let media_type = head.headers.get(header::CONTENT_TYPE).cloned();
    if head.status == StatusCode::NOT_MODIFIED {
        let digest = stated(&head.headers);
        return Ok(Found { status: head.status, media_type: None, digest, length: None, body });
    }
    if head.status != StatusCode::OK {
        return Err(format!("it answered {} where a manifest should be", head.status.as_u16()));
    }
    let stated = stated(&head.headers);
    let expected = match version {
        Version::Digest(digest) => Some(digest.clone()),
        Version::Tag(_) => stated.clone(),
    };
    let essence = media_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = essence.split(';').next().unwrap_or("").trim();
    // The digest of the oldest kind leaves out its signatures: it cannot be checked here.
    let found = match expected {
        Some(expected) if media::is_schema1(essence) => expected,
        Some(expected) => {
            let found = expected.like(&body);
            if found != expected {
                return Err(format!("the manifest is damaged: expected {expected}, found {found}"));
            }
            found
        }
        None => Digest::of(&body),
    };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() || !body.contains(&b'{') {
        return Err("its answer is no manifest".to_owned());
    }
    let length = Some(HeaderValue::from(body.len()));
    Ok(Found { status: StatusCode::OK, media_type, digest: Some(found), length, body })
}

fn stated(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.trim().parse().ok()
}

fn respond(call: &Call<'_>, found: Found) -> Response {
    let has = found.digest.as_ref().is_some_and(|digest| client_has(&call.head.headers, digest));
    let status = if has { StatusCode::NOT_MODIFIED } else { found.status };
    let empty = call.is_head() || status == StatusCode::NOT_MODIFIED;
    let body = if empty { Body::empty() } else { Body::from(found.body) };
    let mut response: Response = (status, body).into_response();
    let headers = response.headers_mut();
    if let Some(digest) = found.digest {
        let text = HeaderValue::try_from(digest.as_str());
        headers.extend(text.ok().map(|value| (CONTENT_DIGEST, value)));
        headers.extend(entity_tag(&digest).map(|value| (header::ETAG, value)));
    }
    if status != StatusCode::NOT_MODIFIED {
        headers.extend(found.media_type.map(|value| (header::CONTENT_TYPE, value)));
        headers.extend(found.length.map(|value| (header::CONTENT_LENGTH, value)));
    }
    response
}
