//! Blobs: a redirect to the registry that has one, or its bytes where a redirect would not work.

use std::time::Instant;

use airlift_oci::registry::{Access, Forward, Forwarded, Kind};
use airlift_oci::types::Digest;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::asked::Asked;
use super::backend::Backend;
use super::call::{Call, Via};
use super::config::Mode;
use super::failure::{Failure, Reply};
use super::headers::{CONTENT_DIGEST, OF_BLOBS, entity_tag, kept};
use super::redirects::{Follow, target};
use super::relay;
use super::setup::Way;
use super::silence::Silence;

/// Headers of a client about which part of a blob it wants.
const ASKING: [http::HeaderName; 4] =
    [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::ACCEPT];

/// How a client gets a blob.
enum Given {
    /// From somewhere else: its address.
    Elsewhere(String),
    /// From us.
    Here(Box<Forwarded>),
}

/// Answers with a redirect or with the blob.
pub(super) async fn get(call: &Call<'_>, digest: &Digest) -> Reply {
    let way = call.setup.way(call.name)?;
    let known = call.setup.known.get(&way.repository, digest, Instant::now());
    let mut silence = Silence::default();
    for at in turn(&way, known) {
        let backend = &call.setup.backends[at];
        let remembered = known == Some(at);
        let asked = if call.is_head() {
            ask(call, backend, &way.repository, digest, true, Follow::Own).await.map(here)
        } else {
            given(call, backend, &way.repository, digest, remembered).await
        };
        if remembered && !matches!(asked, Asked::Answer(_)) {
            call.setup.known.forget(&way.repository, digest);
        }
        let Some(given) = silence.unless(&backend.name, asked) else { continue };
        if !remembered {
            call.setup.known.learn(&way.repository, digest, at, Instant::now());
        }
        return respond(call, at, digest, given);
    }
    let message = format!("there is no blob {digest} in {}", call.name);
    Err(silence.failure(Failure::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message)))
}

/// The registries in their order, the one that is known to have the blob before all.
fn turn(way: &Way, known: Option<usize>) -> Vec<usize> {
    let first = known.filter(|at| way.turn.contains(at));
    let rest = way.turn.iter().copied().filter(|at| Some(*at) != first);
    first.into_iter().chain(rest).collect()
}

/// Finds out whether a registry has the blob, and how the client gets it from there.
async fn given(
    call: &Call<'_>,
    backend: &Backend,
    repository: &str,
    digest: &Digest,
    remembered: bool,
) -> Asked<Given> {
    let path = format!("{repository}/blobs/{digest}");
    let sent_on = match backend.mode {
        Mode::Redirect => true,
        Mode::Relay => false,
        Mode::Auto => backend.open_to_strangers(),
    };
    if sent_on {
        let there = || Asked::Answer(Given::Elsewhere(backend.address(&path)));
        if remembered && backend.is_up() {
            return there();
        }
        match ask(call, backend, repository, digest, true, Follow::Nothing).await {
            Asked::Answer(_) if backend.mode == Mode::Redirect || backend.open_to_strangers() => {
                return there();
            }
            // It wanted a token, which the client has not; or it knows no HEAD.
            Asked::Answer(_)
            | Asked::Refused(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => {}
            other => return other.map(here),
        }
    }
    let follow = if backend.mode == Mode::Relay { Follow::Storage } else { Follow::Own };
    ask(call, backend, repository, digest, false, follow).await.and_then(|answer| {
        match target(&answer) {
            Ok(Some(url)) => Ok(Given::Elsewhere(url.into())),
            Ok(None) => Ok(here(answer)),
            Err(reason) => Err((StatusCode::BAD_GATEWAY, reason)),
        }
    })
}

fn here(answer: Forwarded) -> Given {
    Given::Here(Box::new(answer))
}

async fn ask(
    call: &Call<'_>,
    backend: &Backend,
    repository: &str,
    digest: &Digest,
    head: bool,
    follow: Follow,
) -> Asked<Forwarded> {
    let (kind, method) =
        if head { (Kind::BlobHead, Method::HEAD) } else { (Kind::BlobGet, Method::GET) };
    let path = format!("{repository}/blobs/{digest}");
    let headers = if head { HeaderMap::new() } else { kept(&call.head.headers, &ASKING) };
    let access = Access::Pull(repository);
    backend.ask(Forward { kind, method, path: &path, headers, access, body: None }, follow).await
}

fn respond(call: &Call<'_>, at: usize, digest: &Digest, given: Given) -> Reply {
    let backend = &call.setup.backends[at];
    let (mut response, how) = match given {
        Given::Elsewhere(address) => {
            backend.metrics.redirect();
            (redirect(&address)?, "redirect")
        }
        Given::Here(answer) if answer.status.is_redirection() && call.is_head() => {
            // It is there: that is what HEAD asks.
            (StatusCode::OK.into_response(), "head")
        }
        Given::Here(answer) => {
            let headers = kept(&answer.headers, &OF_BLOBS);
            let status = answer.status;
            let body = if call.is_head() || status == StatusCode::NOT_MODIFIED {
                Body::empty()
            } else {
                backend.metrics.relay();
                relay::body(backend, *answer, digest)
            };
            let mut response = (status, body).into_response();
            *response.headers_mut() = headers;
            (response, if call.is_head() { "head" } else { "relay" })
        }
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(digest.as_str()) {
        headers.insert(CONTENT_DIGEST, value);
    }
    if !headers.contains_key(header::ETAG) {
        headers.extend(entity_tag(digest).map(|value| (header::ETAG, value)));
    }
    response.extensions_mut().insert(Via(backend.name.clone(), how));
    Ok(response)
}

/// 307: the method stays. The address was put together by us or checked, and is text of a header.
fn redirect(address: &str) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(address).map_err(|_| {
        let message = "the registry's address fits no header";
        Failure::new(StatusCode::BAD_GATEWAY, "UNAVAILABLE", message)
    })?;
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response())
}
