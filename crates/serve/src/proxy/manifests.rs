//! Manifests: from the first registry that has one, checked against its digest.

use std::sync::Arc;
use std::time::Instant;

use airlift_oci::registry::{Access, Forward, Kind};
use airlift_oci::types::{Digest, MAX_MANIFEST, Version, media};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::asked::{Asked, Head};
use super::backend::Backend;
use super::call::{Call, Via};
use super::failure::{Failure, Reply};
use super::found::Found;
use super::headers::{CONTENT_DIGEST, client_has, entity_tag, kept};
use super::recent::Kept;
use super::setup::Way;
use super::silence::Silence;

/// Headers of a client that a registry needs to answer as it would answer the client.
const ASKING: [http::HeaderName; 2] = [header::ACCEPT, header::IF_NONE_MATCH];

/// Answers with the manifest of the first registry that has it.
pub(super) async fn get(call: &Call<'_>, version: &Version) -> Reply {
    let way = call.setup.way(call.name)?;
    if let Some((at, found)) = remembered(call, &way, version) {
        return Ok(respond(call, &call.setup.backends[at], &found, "memory"));
    }
    let mut silence = Silence::default();
    for (position, at) in way.turn.iter().enumerate() {
        let backend = &call.setup.backends[*at];
        let asked = ask(call, backend, &way.repository, version).await;
        let Some(found) = silence.unless(&backend.name, asked) else { continue };
        // Only what the first is known not to have; when it is down, nothing is known.
        if position > 0 && silence.is_plain() && !call.is_head() {
            call.warm(&way, *at, version);
        }
        remember(call, &way, *at, &found);
        return Ok(respond(call, backend, &found, "manifest"));
    }
    let message = format!("there is no manifest {version} in {}", call.name);
    Err(silence.failure(Failure::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message)))
}

/// What a digest names, when it was seen in the repository a short time ago.
fn remembered(call: &Call<'_>, way: &Way, version: &Version) -> Option<(usize, Found)> {
    let Version::Digest(digest) = version else { return None };
    let kept = call.setup.recent.get(&way.repository, digest, Instant::now())?;
    let found = Found {
        status: StatusCode::OK,
        media_type: kept.media_type,
        digest: Some(digest.clone()),
        length: Some(HeaderValue::from(kept.body.len())),
        body: kept.body,
        checked: true,
    };
    way.turn.contains(&kept.registry).then_some((kept.registry, found))
}

/// Keeps what a tag or digest was answered with for those who ask for the digest next.
fn remember(call: &Call<'_>, way: &Way, registry: usize, found: &Found) {
    let (true, Some(digest)) = (found.checked, &found.digest) else { return };
    let (body, media_type) = (found.body.clone(), found.media_type.clone());
    let kept = Kept { body, media_type, registry };
    call.setup.recent.learn(&way.repository, digest, kept, Instant::now());
}

/// Asks a registry, together with all who ask it the same at the same time.
async fn ask(
    call: &Call<'_>,
    backend: &Backend,
    repository: &str,
    version: &Version,
) -> Asked<Arc<Found>> {
    let path = format!("{repository}/manifests/{version}");
    let client = &call.head.headers;
    let (key, headers) = (key(call.is_head(), &path, client), asking(client));
    let ask = || Box::pin(alone(call.is_head(), backend, repository, version, &path, headers));
    backend.manifests.share(&key, ask).await
}

/// What makes two questions of clients the same. No path or header holds a line break.
fn key(head: bool, path: &str, client: &HeaderMap) -> Arc<[u8]> {
    let mut key = Vec::with_capacity(512);
    key.push(u8::from(head));
    key.extend_from_slice(path.as_bytes());
    for name in &ASKING {
        for value in client.get_all(name) {
            key.push(b'\n');
            key.extend_from_slice(name.as_str().as_bytes());
            key.push(b':');
            key.extend_from_slice(value.as_bytes());
        }
    }
    key.into()
}

async fn alone(
    head: bool,
    backend: &Backend,
    repository: &str,
    version: &Version,
    path: &str,
    headers: HeaderMap,
) -> Asked<Arc<Found>> {
    let access = Access::Pull(repository);
    if head {
        let (kind, headers) = (Kind::ManifestHead, headers.clone());
        let request = Forward { kind, method: Method::HEAD, path, headers, access, body: None };
        let taken = backend.ask_whole(request, 0, |head, _| Ok(described(&head, version))).await;
        match taken {
            Asked::Answer(Some(found)) => return Asked::Answer(Arc::new(found)),
            Asked::Missing => return Asked::Missing,
            Asked::Out(outage) => return Asked::Out(outage),
            // Registries refuse HEAD in many ways, and some say too little: a GET tells.
            Asked::Answer(None) | Asked::Refused(..) => {}
        }
    }
    let (kind, method) = (Kind::ManifestGet, Method::GET);
    let request = Forward { kind, method, path, headers, access, body: None };
    let check = |head: Head, body| check(&head, body, version).map(Arc::new);
    backend.ask_whole(request, MAX_MANIFEST, check).await
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
    let status = head.status;
    let stated = stated(&head.headers);
    if status == StatusCode::NOT_MODIFIED {
        return Some(unchanged(stated));
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
    let found = Found { status, media_type, digest, length, body: Bytes::new(), checked: false };
    (status == StatusCode::OK).then_some(found)
}

/// The client has it already.
fn unchanged(digest: Option<Digest>) -> Found {
    let (status, body) = (StatusCode::NOT_MODIFIED, Bytes::new());
    Found { status, media_type: None, digest, length: None, body, checked: false }
}

/// A manifest whose bytes are what they should be; else why they are not.
fn check(head: &Head, body: Bytes, version: &Version) -> Result<Found, String> {
    let media_type = head.headers.get(header::CONTENT_TYPE).cloned();
    if head.status == StatusCode::NOT_MODIFIED {
        return Ok(unchanged(stated(&head.headers)));
    }
    if head.status != StatusCode::OK {
        return Err(format!("it answered {} where a manifest should be", head.status.as_u16()));
    }
    let expected = match version {
        Version::Digest(digest) => Some(digest.clone()),
        Version::Tag(_) => stated(&head.headers),
    };
    let essence = media_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = essence.split(';').next().unwrap_or("").trim();
    // The digest of the oldest kind leaves out its signatures: it cannot be checked here.
    let checked = !media::is_schema1(essence);
    let found = match expected {
        Some(expected) if !checked => expected,
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
    let (length, digest) = (Some(HeaderValue::from(body.len())), Some(found));
    Ok(Found { status: StatusCode::OK, media_type, digest, length, body, checked })
}

fn stated(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.trim().parse().ok()
}

fn respond(call: &Call<'_>, backend: &Backend, found: &Found, how: &'static str) -> Response {
    let has = found.digest.as_ref().is_some_and(|digest| client_has(&call.head.headers, digest));
    let status = if has { StatusCode::NOT_MODIFIED } else { found.status };
    let empty = call.is_head() || status == StatusCode::NOT_MODIFIED;
    let body = if empty { Body::empty() } else { Body::from(found.body.clone()) };
    let mut response: Response = (status, body).into_response();
    let headers = response.headers_mut();
    // Room for these and those that every answer has.
    headers.reserve(8);
    if let Some(digest) = &found.digest {
        let text = HeaderValue::try_from(digest.as_str());
        headers.extend(text.ok().map(|value| (CONTENT_DIGEST, value)));
        headers.extend(entity_tag(digest).map(|value| (header::ETAG, value)));
    }
    if status != StatusCode::NOT_MODIFIED {
        headers.extend(found.media_type.clone().map(|value| (header::CONTENT_TYPE, value)));
        headers.extend(found.length.clone().map(|value| (header::CONTENT_LENGTH, value)));
    }
    response.extensions_mut().insert(Via(backend.name.clone(), how));
    response
}
