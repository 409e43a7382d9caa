//! Pushing through the proxy, to the one registry that the settings name.
//!
//! Uploads keep no state here: where an upload goes on is the registry's address with its host taken
//! off, so any proxy in front of the same registry can take it further.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use airlift_oci::registry::{Access, Forward, Forwarded, Kind};
use airlift_oci::types::{Digest, MAX_MANIFEST, Version};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::{Url, form_urlencoded};

use super::asked::Asked;
use super::backend::Backend;
use super::call::{Call, Via};
use super::failure::{Failure, Reply};
use super::headers::{CONTENT_DIGEST, kept};
use super::redirects::Follow;
use super::setup::Way;
use super::silence::Silence;
use crate::Endpoint;
use crate::storage::RepositoryName;

/// Headers of a client that an upload needs.
const SENDING: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_RANGE];
/// Headers of an answer to an upload that are the client's to see.
const OF_UPLOADS: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::RANGE,
    CONTENT_DIGEST,
    HeaderName::from_static("docker-upload-uuid"),
    HeaderName::from_static("oci-chunk-min-length"),
    HeaderName::from_static("oci-subject"),
    HeaderName::from_static("oci-tag"),
    HeaderName::from_static("warning"),
];
/// The most of a registry's words on an error that is passed on.
const WORDS: usize = 16 * 1024;
/// How long a registry may take to answer once it has the last byte: it checks and moves large
/// blobs first.
const COMMIT: Duration = Duration::from_secs(600);
/// How long a client may send nothing.
const IDLE: Duration = Duration::from_secs(60);

/// Whether the registry that is pushed to has a blob. What others have would make a client believe
/// that it need not send it.
pub(super) async fn has(call: &Call<'_>, digest: &Digest) -> Reply {
    let (backend, way) = target(call)?;
    let path = format!("{}/blobs/{digest}", way.repository);
    let request = request(Kind::BlobHead, Method::HEAD, &path, Access::Pull(&way.repository));
    let mut silence = Silence::default();
    let asked = backend.ask(request, Follow::Own).await;
    let message = format!("there is no blob {digest} in {}", call.name);
    let nothing = Failure::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message);
    let Some(answer) = silence.unless(&backend.name, asked) else {
        return Err(silence.failure(nothing));
    };
    let mut response = StatusCode::OK.into_response();
    let list = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::ETAG, CONTENT_DIGEST];
    *response.headers_mut() = kept(&answer.headers, &list);
    Ok(response)
}

/// Passes a request that writes on.
pub(super) async fn write(call: &Call<'_>, endpoint: &Endpoint, body: Body) -> Reply {
    let (backend, way) = target(call)?;
    let repository = &way.repository;
    let query = call.head.uri.query().unwrap_or("");
    match (endpoint, &call.head.method) {
        (Endpoint::Uploads, &Method::POST) => {
            let (query, from) = start(call, query).await?;
            let access = match &from {
                Some(from) => Access::Mount(repository, from),
                None => Access::Push(repository),
            };
            let path = with_query(format!("{repository}/blobs/uploads/"), &query);
            let kind = if from.is_some() { Kind::Mount } else { Kind::UploadStart };
            let request = request(kind, Method::POST, &path, access);
            pass(call, backend, &way, request, Some(body)).await
        }
        (Endpoint::Upload(id), method) => {
            let kind = match *method {
                Method::GET => Kind::UploadStatus,
                Method::PATCH => Kind::UploadChunk,
                Method::PUT => Kind::UploadFinish,
                Method::DELETE => Kind::UploadCancel,
                _ => return Err(Failure::method("this method is not for an upload")),
            };
            let usual = || format!("{repository}/blobs/uploads/{id}");
            let path = backend.away.target(call.name.as_str(), id).unwrap_or_else(usual);
            let path = with_query(path, query);
            let request = request(kind, method.clone(), &path, Access::Push(repository));
            let body = (kind == Kind::UploadChunk || kind == Kind::UploadFinish).then_some(body);
            pass(call, backend, &way, request, body).await
        }
        (Endpoint::Manifest(version), &Method::PUT) => {
            manifest(call, backend, &way, version, body).await
        }
        _ => Err(Failure::method("the proxy passes pulls and pushes on, nothing else")),
    }
}

/// The registry that is pushed to, when a repository of this name may be there.
fn target<'a>(call: &Call<'a>) -> Result<(&'a Arc<Backend>, Way), Failure> {
    let Some(backend) = call.setup.push_to() else {
        return Err(Failure::method("nothing can be pushed through this proxy"));
    };
    let way = call.setup.way(call.name)?;
    let named = way.turn.iter().any(|at| Arc::ptr_eq(&call.setup.backends[*at], backend));
    if !named {
        let message = format!("{} is not kept by the registry that pushes go to", call.name);
        return Err(Failure::new(StatusCode::FORBIDDEN, "DENIED", message));
    }
    Ok((backend, way))
}

/// The query that opens an upload, and the repository to mount from, if the client may read it.
async fn start(call: &Call<'_>, query: &str) -> Result<(String, Option<String>), Failure> {
    let mut passed: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut take = |wanted: &str| {
        let at = passed.iter().position(|(key, _)| key == wanted)?;
        Some(passed.remove(at).1)
    };
    let (mount, from) = (take("mount"), take("from"));
    let mut other = None;
    if let (Some(mount), Some(from)) = (mount, from)
        && let Ok(name) = from.parse::<RepositoryName>()
        && call.may_read(&name).await
        && let Ok(way) = call.setup.way(&name)
    {
        passed.push(("mount".to_owned(), mount));
        passed.push(("from".to_owned(), way.repository.clone()));
        other = Some(way.repository);
    }
    // Without a mount it is an upload like any other, which is what a client goes on with.
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(passed).finish();
    Ok((query, other))
}

async fn manifest(
    call: &Call<'_>,
    backend: &Arc<Backend>,
    way: &Way,
    version: &Version,
    body: Body,
) -> Reply {
    let raw = small(body).await?;
    if let Version::Digest(digest) = version
        && digest.like(&raw) != *digest
    {
        let message = format!("the manifest was sent as {digest}, which it is not");
        return Err(Failure::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message));
    }
    let query = call.head.uri.query().unwrap_or("");
    let path = with_query(format!("{}/manifests/{version}", way.repository), query);
    let access = Access::Push(&way.repository);
    let request = request(Kind::ManifestPut, Method::PUT, &path, access);
    pass(call, backend, way, request, Some(Body::from(raw))).await
}

/// A manifest taken in whole, so that a client that stops half way is not the registry's trouble.
async fn small(body: Body) -> Result<Bytes, Failure> {
    let limit = usize::try_from(MAX_MANIFEST).unwrap_or(usize::MAX);
    let read = tokio::time::timeout(IDLE, axum::body::to_bytes(body, limit)).await;
    let Ok(read) = read else {
        let message = "the manifest did not arrive in time";
        return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "MANIFEST_INVALID", message));
    };
    read.map_err(|_| {
        let message = format!("a manifest may have {MAX_MANIFEST} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", message)
    })
}

fn request<'a>(kind: Kind, method: Method, path: &'a str, access: Access<'a>) -> Forward<'a> {
    Forward { kind, method, path, headers: HeaderMap::new(), access, body: None }
}

fn with_query(path: String, query: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    if query.is_empty() { path } else { format!("{path}{mark}{query}") }
}

/// Sends a request with its body and makes an answer of what comes back.
async fn pass(
    call: &Call<'_>,
    backend: &Arc<Backend>,
    way: &Way,
    mut request: Forward<'_>,
    body: Option<Body>,
) -> Reply {
    request.headers = kept(&call.head.headers, &SENDING);
    let progress = Arc::new(Progress::default());
    let body = body.filter(|body| !hyper::body::Body::is_end_stream(body));
    if let Some(body) = body {
        request.body = Some(outbound(backend, body, &progress));
    } else {
        request.headers.remove(header::CONTENT_LENGTH);
        progress.ended();
    }
    let answer = tokio::select! {
        answer = backend.send(request, || progress.given_up().is_some()) => answer,
        reason = progress.stalled(call.setup.config.timeouts.stall.0) => {
            Asked::Out(backend.stalled(reason))
        }
    };
    if let (Asked::Out(_), Some(failure)) = (&answer, progress.given_up()) {
        return Err(failure);
    }
    let mut silence = Silence::default();
    let Some(answer) = silence.unless(&backend.name, answer) else {
        return Err(silence.failure(Failure::unknown_endpoint()));
    };
    respond(call, backend, way, answer).await
}

/// How a body is getting on.
#[derive(Debug, Default)]
struct Progress {
    moved: AtomicU64,
    /// The client is waited for, not the registry.
    waiting: std::sync::atomic::AtomicBool,
    ended: std::sync::atomic::AtomicBool,
    /// The status to tell the client when it was the client that did not send what it began.
    given_up: AtomicU16,
}

impl Progress {
    /// What to say to a client that broke off, or fell silent: that is no failure of the registry.
    fn given_up(&self) -> Option<Failure> {
        let (status, message) = match self.given_up.load(Ordering::Relaxed) {
            0 => return None,
            408 => (StatusCode::REQUEST_TIMEOUT, "nothing more of the body arrived"),
            _ => (StatusCode::BAD_REQUEST, "the body broke off"),
        };
        Some(Failure::new(status, "BLOB_UPLOAD_INVALID", message))
    }

    fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Returns once the registry has taken nothing for `stall`, or has not answered for longer than
    /// it may after it had everything.
    async fn stalled(&self, stall: Duration) -> &'static str {
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            if self.ended.load(Ordering::Relaxed) {
                tokio::time::sleep(COMMIT).await;
                return "no answer after the last byte";
            }
            tokio::time::sleep(stall).await;
            let ended = self.ended.load(Ordering::Relaxed);
            let waiting = self.waiting.load(Ordering::Relaxed);
            if !ended && !waiting && self.moved.load(Ordering::Relaxed) == before {
                return "it takes no more bytes";
            }
        }
    }
}

/// The client's body as the registry's.
fn outbound(
    backend: &Arc<Backend>,
    body: Body,
    progress: &Arc<Progress>,
) -> stream::BoxStream<'static, io::Result<Bytes>> {
    let state = (body.into_data_stream(), backend.clone(), progress.clone());
    stream::try_unfold(state, |(mut body, backend, progress)| async move {
        progress.waiting.store(true, Ordering::Relaxed);
        let next = tokio::time::timeout(IDLE, body.next()).await;
        progress.waiting.store(false, Ordering::Relaxed);
        let Ok(next) = next else {
            progress.given_up.store(408, Ordering::Relaxed);
            return Err(io::Error::other("the client sends nothing"));
        };
        let Some(chunk) = next else {
            progress.ended();
            return Ok(None);
        };
        let chunk = chunk.map_err(|_| {
            progress.given_up.store(400, Ordering::Relaxed);
            io::Error::other("the client's body broke off")
        })?;
        progress.moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        backend.metrics.pushed(chunk.len());
        Ok(Some((chunk, (body, backend, progress))))
    })
    .boxed()
}

async fn respond(call: &Call<'_>, backend: &Arc<Backend>, way: &Way, answer: Forwarded) -> Reply {
    let status = answer.status;
    let mut headers = kept(&answer.headers, &OF_UPLOADS);
    if status.is_success() {
        if let Some(location) = location(call, backend, way, &answer)? {
            headers.insert(header::LOCATION, location);
        }
        headers.remove(header::CONTENT_TYPE);
    }
    let body = if status.is_success() {
        Body::empty()
    } else {
        let words = answer.whole(WORDS).await.ok().flatten().unwrap_or_default();
        Body::from(words)
    };
    let mut response: Response = (status, body).into_response();
    *response.headers_mut() = headers;
    response.extensions_mut().insert(Via(backend.name.clone(), "push"));
    Ok(response)
}

/// Where the client goes on, at this proxy.
fn location(
    call: &Call<'_>,
    backend: &Backend,
    way: &Way,
    answer: &Forwarded,
) -> Result<Option<HeaderValue>, Failure> {
    let Some(text) = answer.headers.get(header::LOCATION) else { return Ok(None) };
    let elsewhere = || {
        let message = "the registry takes uploads at another place than its own; push to it itself";
        Failure::new(StatusCode::BAD_GATEWAY, "UNSUPPORTED", message)
    };
    let url =
        text.to_str().ok().and_then(|text| answer.url.join(text).ok()).ok_or_else(elsewhere)?;
    if !at_home(&url, &backend.base) {
        return Err(elsewhere());
    }
    let query = url.query().unwrap_or("");
    let prefix = format!("{}{}/", backend.base.path(), way.repository);
    let usual = url.path().strip_prefix(&prefix);
    let usual = usual.map(|rest| with_query(format!("/v2/{}/{rest}", call.name), query));
    // What we could not find the way back from is no place to send a client to.
    let found = |ours: &String| crate::Route::parse(ours.split('?').next().unwrap_or("")).is_ok();
    let ours = usual.filter(found).unwrap_or_else(|| {
        let target = with_query(url.path().to_owned(), query);
        let id = backend.away.id(call.name.as_str(), &target);
        format!("/v2/{}/blobs/uploads/{id}", call.name)
    });
    HeaderValue::try_from(ours).map(Some).map_err(|_| elsewhere())
}

/// Whether an address is at the registry itself. What it believes of TLS does not matter, when a
/// front speaks it: the client goes on at the proxy, and the proxy where it knows the registry.
fn at_home(url: &Url, base: &Url) -> bool {
    let usual = url.port().is_none() && base.port().is_none();
    let same = usual || url.port_or_known_default() == base.port_or_known_default();
    url.host() == base.host() && same && matches!(url.scheme(), "http" | "https")
}
