//! Requests that a server passes on: one try, the answer as it is.
//!
//! Credentials, tokens and admission are as for every request. What differs: no status is an error,
//! no redirect is followed, nothing is tried again but for a token that was not at hand, and a body
//! may be passed on while it arrives. Nothing is remembered of repositories, whose names are those
//! that strangers ask for.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::answer::Answer;
use super::auth::Scopes;
use super::call::{Call, Insist, Lent, Payload, Read};
use super::client::Client;
use super::course::Course;
use super::failure;
use super::host::Host;
use super::identity::Identity;
use super::kind::Kind;
use super::limits::Lane;
use super::proof::Proof;
use super::redact::Secrets;
use super::reply::Reply;
use super::wire::{Origin, Wire};
use crate::store::{ErrorKind, StoreError};

/// So much of an error's explanation is passed on, in bytes.
const EXPLANATION: usize = 64 * 1024;

/// A body that is sent while it arrives. Its length, where it is known, is in the headers.
pub type Outbound = BoxStream<'static, io::Result<Bytes>>;

/// What a request needs access to.
#[derive(Debug, Clone, Copy)]
pub enum Access<'a> {
    /// Nothing in particular.
    None,
    /// Reading a repository.
    Pull(&'a str),
    /// Writing a repository.
    Push(&'a str),
    /// Writing the first repository with what the second has.
    Mount(&'a str, &'a str),
}

/// A request to be passed on.
pub struct Forward<'a> {
    /// What it is for.
    pub kind: Kind,
    /// The method.
    pub method: Method,
    /// Path below `/v2/`, or from the root when it begins with a slash; with its query.
    pub path: &'a str,
    /// Headers. Those that the operator set for the registry replace them.
    pub headers: HeaderMap,
    /// What it needs access to.
    pub access: Access<'a>,
    /// The body, if any.
    pub body: Option<Outbound>,
}

/// An answer to be passed on. Dropping it gives the rest of its body up.
pub struct Forwarded {
    /// The status.
    pub status: StatusCode,
    /// The headers, all of them.
    pub headers: HeaderMap,
    /// What was asked.
    pub url: Url,
    /// Whether the request carried credentials or a token: without them it would have been
    /// answered differently.
    pub authorized: bool,
    place: String,
    stall: Duration,
    /// What of the body was read already.
    held: Option<Bytes>,
    reply: Option<Reply>,
}

impl Client {
    /// Where `registry` is reached: its `/v2/`, or a path below that.
    pub fn base(&self, registry: &str) -> Result<Url, StoreError> {
        Ok(self.first_host(registry)?.base.clone())
    }

    /// Passes a request on to the first endpoint of `registry`. An error is one of the connection,
    /// of time, or of getting a token.
    pub async fn forward(
        &self,
        registry: &str,
        request: Forward<'_>,
    ) -> Result<Forwarded, StoreError> {
        let host = self.first_host(registry)?;
        let scopes = request.access.scopes();
        let url = below(&host.base, request.path);
        let (mut call, body) = call(registry, request, url);
        for (name, value) in &host.headers {
            call.headers.insert(name.clone(), value.clone());
        }
        let who = Identity { authority: &host.authority, scopes: &scopes };
        forward(&host.wire, &call, &who, body).await
    }

    /// Gets what an answer of `registry` said is at `url`, on another host. No credentials, tokens
    /// or headers of the registry go there.
    pub async fn forward_elsewhere(
        &self,
        registry: &str,
        url: Url,
        request: Forward<'_>,
    ) -> Result<Forwarded, StoreError> {
        let host = self.first_host(registry)?;
        let wire = host.wires.wire(&url, &host.base)?;
        let (call, _) = call(registry, request, url);
        let answer = wire.send_once(&call, &Proof::None).await?;
        Ok(Forwarded::of(answer, false, &wire))
    }

    fn first_host(&self, registry: &str) -> Result<std::sync::Arc<Host>, StoreError> {
        let wrong = |text| StoreError::new(registry, ErrorKind::Configuration(text));
        let found = self.registry(registry).map_err(wrong)?;
        let host = found.hosts.first().cloned();
        host.ok_or_else(|| wrong("the registry has no endpoint".to_owned()))
    }
}

impl Access<'_> {
    fn scopes(self) -> Scopes {
        match self {
            Access::None => Scopes::none(),
            Access::Pull(repository) => Scopes::pull(repository),
            Access::Push(repository) => Scopes::push(repository),
            Access::Mount(repository, from) => Scopes::mount(repository, from),
        }
    }
}

async fn forward(
    wire: &Wire,
    call: &Call,
    who: &Identity<'_>,
    body: Option<Outbound>,
) -> Result<Forwarded, StoreError> {
    let mut body = body;
    let mut last = body.is_some();
    let asked = tokio::time::Instant::now();
    loop {
        let first = wire.first_contact(call, who.authority).await;
        // A body may arrive for long, and others are not to wait for its sender.
        let first = first.filter(|_| body.is_none());
        let proof = match first {
            Some(_) => who.authority.first_proof(who.scopes).await?,
            None => who.authority.proof(who.scopes, asked).await?,
        };
        let mut answer = match body.take() {
            // In a box: else a question without a body would have to carry its room along.
            Some(body) => Box::pin(send_streamed(wire, call, &proof, body)).await?,
            None => wire.send_once(call, &proof).await.inspect_err(|_| {
                if first.is_some() {
                    who.authority.unanswered();
                }
            })?,
        };
        drop(first);
        if answer.status == StatusCode::UNAUTHORIZED {
            let again = who.authority.challenged(&answer.headers, who.scopes, &proof);
            if again && !last {
                last = true;
                continue;
            }
        } else {
            who.authority.answered(&proof);
            if !last && Box::pin(wire.introduced(call, who, &proof, &mut answer)).await {
                last = true;
                continue;
            }
        }
        let mut passed = Forwarded::of(answer, proof != Proof::None, wire);
        if passed.status.is_client_error() || passed.status.is_server_error() {
            passed.mask(call, &proof).await;
        }
        return Ok(passed);
    }
}

/// Sends a body while it arrives. How long that may take is for the caller to say, who knows how
/// fast it arrives.
async fn send_streamed(
    wire: &Wire,
    call: &Call,
    proof: &Proof,
    body: Outbound,
) -> Result<Answer, StoreError> {
    let permit = wire.admitted(call).await;
    wire.common.counts.add(&wire.authority, call.kind);
    let request = wire.request(call, &call.url, proof, true);
    let response = request.body(reqwest::Body::wrap_stream(body)).send().await;
    let response = response.map_err(|error| failure::network(&call.place, error))?;
    wire.receive(call, proof, Reply::Client(response), Origin::home(call), permit).await
}

fn below(base: &Url, path: &str) -> Url {
    let (path, query) = path.split_once('?').map_or((path, None), |(a, b)| (a, Some(b)));
    let mut url = base.clone();
    if path.starts_with('/') {
        url.set_path(path);
    } else {
        url.set_path(&format!("{}{path}", base.path()));
    }
    url.set_query(query);
    url
}

fn call(registry: &str, request: Forward<'_>, url: Url) -> (Call, Option<Outbound>) {
    let lane = match request.kind {
        Kind::BlobGet => Lane::Down,
        Kind::UploadChunk | Kind::UploadFinish => Lane::Up,
        _ => Lane::Small,
    };
    let call = Call {
        kind: request.kind,
        method: request.method,
        url,
        headers: request.headers,
        payload: if request.body.is_some() { Payload::Streamed } else { Payload::None },
        lane,
        place: registry.to_owned(),
        read: Read::Answer,
        hasty: false,
        insist: Insist::default(),
        permit: Lent::default(),
        course: Course::default(),
        cuts: AtomicU32::new(0),
    };
    (call, request.body)
}

impl Forwarded {
    fn of(mut answer: Answer, authorized: bool, wire: &Wire) -> Self {
        if answer.troubled() {
            answer.overloaded();
        } else {
            answer.good();
        }
        // From here on the pace is that of whoever takes the body, which says nothing of the host:
        // the permit ends with the answer's head.
        Forwarded {
            status: answer.status,
            headers: answer.headers,
            url: answer.url,
            authorized,
            place: answer.place,
            stall: wire.common.settings.stall_timeout,
            held: None,
            reply: answer.stream,
        }
    }

    /// Takes what the explanation of an error repeats of our secrets out of it, and of the headers.
    /// One that is too long is cut off.
    async fn mask(&mut self, call: &Call, proof: &Proof) {
        let Some(secrets) = Secrets::of(call, proof) else { return };
        for value in self.headers.values_mut() {
            secrets.mask_header(value);
        }
        if call.method == Method::HEAD {
            return;
        }
        let mut body = BytesMut::new();
        // An error is one whether or not its explanation arrives.
        while let Ok(Some(chunk)) = self.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > EXPLANATION {
                body.truncate(EXPLANATION);
                break;
            }
        }
        let body = secrets.mask(body.freeze());
        self.headers.insert(header::CONTENT_LENGTH, body.len().into());
        (self.held, self.reply) = (Some(body), None);
    }

    /// The next bytes of the body; `None` at its end. An error when it breaks off, or nothing comes
    /// for [`super::Settings::stall_timeout`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held).filter(|held| !held.is_empty()));
        }
        let Some(reply) = &mut self.reply else { return Ok(None) };
        match tokio::time::timeout(self.stall, reply.chunk(&self.place)).await {
            Ok(chunk) => chunk,
            Err(_) => Err(StoreError::new(&*self.place, ErrorKind::TimedOut(self.stall.as_secs()))),
        }
    }

    /// The whole body. `None`: it has more than `limit` bytes.
    pub async fn whole(mut self, limit: usize) -> Result<Option<Bytes>, StoreError> {
        let Some(first) = self.chunk().await? else { return Ok(Some(Bytes::new())) };
        let Some(second) = self.chunk().await? else {
            // Most come in one piece.
            return Ok(Some(first).filter(|first| first.len() <= limit));
        };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            if all.len() + chunk.len() > limit {
                return Ok(None);
            }
            all.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(Some(all.freeze()))
    }

    /// The registry's own words on an error, on one short line; at most its first few KiB are read.
    pub async fn words(mut self) -> String {
        let mut all = BytesMut::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            all.extend_from_slice(&chunk);
            if all.len() > failure::ERROR_BODY {
                break;
            }
        }
        failure::words(&all)
    }

    /// How long the host asks to be left alone, when it asks with 429 or 503.
    pub fn retry_after(&self) -> Option<Duration> {
        let asks = matches!(self.status.as_u16(), 429 | 503);
        let now = std::time::SystemTime::now();
        asks.then(|| super::retry::retry_after(&self.headers, now)).flatten()
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.as_u16();
        f.debug_struct("Forwarded").field("status", &status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Forward<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
