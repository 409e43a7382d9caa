//! Sending once: one request with everything every request needs. Admission, counting, time limits,
//! redirects are here and nowhere else. Whether to try again is for [`super::tries`] to say.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use tokio::sync::Semaphore;
use url::Url;

use super::answer::Answer;
use super::call::{Call, Payload, Read};
use super::contact::Contact;
use super::direct::Direct;
use super::endpoint::authority;
use super::failure::{self, ERROR_BODY};
use super::flow::Flow;
use super::kind::{Counts, Kind};
use super::limits::{Lane, Limits, Permit};
use super::pace::{Direction, Pace};
use super::proof::Proof;
use super::redact::redact;
use super::redirect::{redirect, same_host};
use super::reply::Reply;
use super::settings::Settings;
use super::transport::Transport;
use crate::observe::{Event, Meter, Observer, Pause};
use crate::store::{ErrorKind, StoreError};

const REDIRECTS: usize = 10;

/// What the ways to all hosts share.
pub(super) struct Common {
    pub(super) settings: Settings,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) counts: Counts,
    /// Connections without a client certificate, for hosts we are sent on to.
    pub(super) plain: OnceLock<Option<Transport>>,
    /// The memory for what is fetched ahead of large blobs.
    pub(super) ahead: Arc<Semaphore>,
    /// How fast the run may go.
    pub(super) pace: Arc<Pace>,
}

/// The way to one host.
pub(super) struct Wire {
    pub(super) common: Arc<Common>,
    pub(super) authority: String,
    pub(super) limits: Arc<Limits>,
    pub(super) transport: Transport,
    /// Connections of our own, where the host is one for them.
    pub(super) direct: Option<Arc<Direct>>,
    pub(super) has_identity: bool,
    pub(super) contact: Contact,
}

/// Why there is a wait.
pub(super) struct Why<'a> {
    pub(super) cause: &'a str,
    /// The same in a few words.
    pub(super) brief: &'a str,
    /// Tries that failed in a row.
    pub(super) tries: u32,
}

/// Where an answer came from.
pub(super) struct Origin {
    pub(super) url: Url,
    /// Whether that is another host than the one asked.
    pub(super) foreign: bool,
}

impl Wire {
    /// Waits until a request may be sent.
    pub(super) async fn admit(&self, lane: Lane) -> Permit {
        let begun = Instant::now();
        self.common.pace.open().await;
        let permit = self.limits.admit(lane).await;
        Meter::waited(begun.elapsed());
        permit
    }

    /// The permit that a call was given, or one that is waited for.
    pub(super) async fn admitted(&self, call: &Call) -> Permit {
        match call.permit.take() {
            Some(permit) => permit,
            None => self.admit(call.lane).await,
        }
    }

    /// Waits for a permit, by which a request may be sent after [`Wire::again`].
    pub(super) async fn hold(&self, lane: Lane) -> Permit {
        let begun = Instant::now();
        let permit = self.limits.acquire(lane).await;
        Meter::waited(begun.elapsed());
        permit
    }

    /// Waits until another request may be sent with a permit that was had before.
    pub(super) async fn again(&self, permit: &mut Permit) {
        let begun = Instant::now();
        self.common.pace.open().await;
        self.limits.again(permit).await;
        Meter::waited(begun.elapsed());
    }

    /// Waits until the next try of a call may be sent by the permit that it was given, if it was.
    pub(super) async fn ready(&self, call: &Call) {
        if let Some(mut permit) = call.permit.take() {
            self.again(&mut permit).await;
            call.permit.keep(Some(permit));
        }
    }

    /// Sends once, following redirects, and reads as much of the answer as the call says.
    pub(super) async fn send_once(&self, call: &Call, proof: &Proof) -> Result<Answer, StoreError> {
        call.course.queued();
        let permit = self.admitted(call).await;
        if let Some(error) = self.shut(call) {
            call.permit.keep(Some(permit));
            return Err(error);
        }
        let sent = match &call.payload {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::None | Payload::Streamed => 0,
        };
        if sent > 0 {
            self.common.pace.pass(Direction::Sent, sent).await;
        }
        let begun = Instant::now();
        call.course.sent();
        let limit = self.common.settings.answer_timeout;
        let mut elsewhere = None;
        let outcome = tokio::time::timeout(limit, self.follow(call, proof, &mut elsewhere)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(StoreError::new(&*call.place, ErrorKind::TimedOut(limit.as_secs())))
        });
        let outcome = outcome.map_err(|error| match &elsewhere {
            Some(host) => error.sent_on_to(host),
            None => error,
        });
        call.course.heard(outcome.is_ok());
        match outcome {
            Ok((reply, url)) => {
                self.limits.answered(begun.elapsed());
                let answer = self.receive(call, proof, reply, url, permit).await;
                self.note(call, begun, sent, answer.as_ref().ok());
                answer
            }
            Err(error) => {
                self.note(call, begun, sent, None);
                self.contact.silent(begun.elapsed());
                // Of a host that never answered it says nothing of how much it is asked.
                if error.is_retryable() && self.contact.has_answered() {
                    permit.overloaded();
                }
                call.permit.keep(Some(permit));
                Err(error)
            }
        }
    }

    /// The answer, and where it came from. `elsewhere` is the host that is asked meanwhile, when it
    /// is another.
    async fn follow(
        &self,
        call: &Call,
        proof: &Proof,
        elsewhere: &mut Option<String>,
    ) -> Result<(Reply, Origin), StoreError> {
        let mut url = call.url.clone();
        let mut home = true;
        let mut kind = call.kind;
        for _ in 0..=REDIRECTS {
            if home {
                self.common.counts.add(&self.authority, kind);
            } else {
                self.common.counts.add(&authority(&url), kind);
            }
            *elsewhere = (!home).then(|| authority(&url));
            Meter::request();
            tracing::debug!(method = %call.method, url = %failure::shown(&url), "request");
            let reply = self.exchange(call, &url, proof, home).await?;
            if home {
                self.contact.answered();
            }
            let Some(next) = redirect(call, &url, &reply)? else {
                tracing::debug!(status = reply.status().as_u16(), url = %failure::shown(&url), "answer");
                return Ok((reply, Origin { url, foreign: !home }));
            };
            url = next;
            home = same_host(&url, &call.url);
            kind = Kind::Redirect;
        }
        Err(failure::protocol(&call.place, format!("more than {REDIRECTS} redirects")))
    }

    /// Sends: over a connection of our own where that does, else by way of the HTTP client.
    async fn exchange(
        &self,
        call: &Call,
        url: &Url,
        proof: &Proof,
        home: bool,
    ) -> Result<Reply, StoreError> {
        let direct = self.direct.as_ref().filter(|direct| direct.reaches(url));
        if let Some(direct) = direct.filter(|_| home && call.is_small_question()) {
            let headers = headers(call, proof, home);
            let reply = direct.ask(&call.method, url, &headers).await;
            let reply = reply.map_err(|fault| fault.at(&call.place))?;
            return Ok(Reply::Direct(Box::new(reply)));
        }
        // In a box: else all that waits for an answer would be as large as what the client needs.
        let response = Box::pin(self.request(call, url, proof, home).send()).await;
        response.map(Reply::Client).map_err(|error| failure::network(&call.place, error))
    }

    pub(super) fn request(
        &self,
        call: &Call,
        url: &Url,
        proof: &Proof,
        home: bool,
    ) -> reqwest::RequestBuilder {
        let transport = if home || url.host() == call.url.host() || !self.has_identity {
            &self.transport
        } else {
            let plain = self.common.plain.get().and_then(Option::as_ref);
            plain.unwrap_or(&self.transport)
        };
        let request = transport.client(url).request(call.method.clone(), url.clone());
        let request = request.headers(headers(call, proof, home).into_owned());
        match &call.payload {
            Payload::None if call.method == Method::POST || call.method == Method::PUT => {
                request.header(header::CONTENT_LENGTH, "0")
            }
            Payload::None | Payload::Streamed => request,
            Payload::Bytes(bytes) => request.body(bytes.clone()),
        }
    }

    pub(super) async fn receive(
        &self,
        call: &Call,
        proof: &Proof,
        mut reply: Reply,
        origin: Origin,
        permit: Permit,
    ) -> Result<Answer, StoreError> {
        let mut answer = Answer {
            status: reply.status(),
            headers: reply.take_headers(),
            url: origin.url,
            body: Bytes::new(),
            foreign: origin.foreign,
            place: call.place.clone(),
            method: call.method.clone(),
            kind: call.kind,
            stream: None,
            permit: Some(permit),
            surprising: false,
        };
        match call.read {
            Read::Answer => answer.stream = Some(reply),
            _ if call.method == Method::HEAD => {}
            Read::Stream if answer.status.is_success() => answer.stream = Some(reply),
            Read::Whole(limit) if answer.status.is_success() => {
                let body = self.read(&call.place, reply, limit).await;
                answer.body = body.inspect_err(|_| {
                    call.cuts.fetch_add(1, Ordering::Relaxed);
                    call.permit.keep(answer.permit.take());
                })?;
            }
            // An error is one whether or not its explanation arrives.
            _ => {
                let body = self.read(&call.place, reply, ERROR_BODY).await.unwrap_or_default();
                answer.body = redact(body, call, proof);
            }
        }
        Ok(answer)
    }

    async fn read(&self, place: &str, mut reply: Reply, limit: usize) -> Result<Bytes, StoreError> {
        let stall = self.common.settings.stall_timeout;
        let mut flow = Flow::new(stall);
        let mut all = BytesMut::new();
        loop {
            let begun = Instant::now();
            let next = tokio::time::timeout(flow.patience(), reply.chunk(place)).await;
            let next =
                next.map_err(|_| StoreError::new(place, ErrorKind::TimedOut(stall.as_secs())))?;
            let Some(chunk) = next? else { return Ok(all.freeze()) };
            flow.came(chunk.len(), begun.elapsed());
            self.common.pace.pass(Direction::Received, chunk.len() as u64).await;
            let room = (limit + 1).saturating_sub(all.len());
            all.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if all.len() > limit {
                return Ok(all.freeze());
            }
        }
    }

    /// Tells the observer that a request ended, unless its body is still to be read.
    pub(super) fn note(&self, call: &Call, begun: Instant, sent: u64, answer: Option<&Answer>) {
        if answer.is_some_and(|answer| answer.stream.is_some()) {
            return;
        }
        let bytes = sent + answer.map_or(0, |answer| answer.body.len() as u64);
        let status = answer.map(|answer| answer.status.as_u16());
        self.ended(call.kind, &call.place, status, bytes, begun);
    }

    /// Tells the observer that a request ended.
    pub(super) fn ended(
        &self,
        kind: Kind,
        place: &str,
        status: Option<u16>,
        bytes: u64,
        begun: Instant,
    ) {
        let (host, kind) = (&*self.authority, kind.as_str());
        self.common.observer.event(&Event::Request { host, kind, place, status, bytes, begun });
    }

    /// Tells the observer about a wait.
    pub(super) fn tell(&self, wait: Duration, pause: Pause, why: &Why<'_>) {
        self.tell_of(None, wait, pause, why);
    }

    /// Tells the observer about a wait for the host that a request was sent on to, if it was.
    pub(super) fn tell_of(&self, host: Option<&str>, wait: Duration, pause: Pause, why: &Why<'_>) {
        let Why { cause, brief, tries } = *why;
        let (host, wait_ms) = (host.unwrap_or(&self.authority), wait.as_millis() as u64);
        tracing::debug!(host, wait_ms, cause, tries, "waiting");
        let event = Event::Waiting { host, wait, pause, cause, brief, tries };
        self.common.observer.event(&event);
    }
}

/// The headers of a request. Credentials and the operator's headers go home only.
fn headers<'a>(call: &'a Call, proof: &Proof, home: bool) -> Cow<'a, HeaderMap> {
    if home && *proof == Proof::None {
        return Cow::Borrowed(&call.headers);
    }
    let mut headers = call.headers.clone();
    if home {
        headers.extend(proof.header().map(|value| (header::AUTHORIZATION, value)));
    } else {
        let own = headers.iter().filter(|(_, value)| value.is_sensitive());
        let own: Vec<_> = own.map(|(name, _)| name.clone()).collect();
        for name in own {
            headers.remove(name);
        }
    }
    Cow::Owned(headers)
}

impl Origin {
    /// The host that was asked.
    pub(super) fn home(call: &Call) -> Self {
        Origin { url: call.url.clone(), foreign: false }
    }
}
