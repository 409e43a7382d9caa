//! Sending once: one request with everything every request needs. Admission, counting, time limits,
//! redirects are here and nowhere else. Whether to try again is for [`super::tries`] to say.

use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{Method, header};
use tokio::sync::Semaphore;
use url::Url;

use super::answer::Answer;
use super::call::{Call, Payload, Read};
use super::endpoint::authority;
use super::failure::{self, ERROR_BODY};
use super::flow::Flow;
use super::kind::{Counts, Kind};
use super::limits::{Lane, Limits, Permit};
use super::pace::{Direction, Pace};
use super::proof::Proof;
use super::redirect::{redirect, same_host};
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
    pub(super) has_identity: bool,
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

    /// Sends once, following redirects, and reads as much of the answer as the call says.
    pub(super) async fn send_once(&self, call: &Call, proof: &Proof) -> Result<Answer, StoreError> {
        let held = call.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let permit = match held {
            Some(permit) => permit,
            None => self.admit(call.lane).await,
        };
        let sent = match &call.payload {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::None | Payload::Streamed => 0,
        };
        if sent > 0 {
            self.common.pace.pass(Direction::Sent, sent).await;
        }
        let begun = Instant::now();
        let limit = self.common.settings.answer_timeout;
        let outcome = tokio::time::timeout(limit, self.follow(call, proof)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(StoreError::new(&*call.place, ErrorKind::TimedOut(limit.as_secs())))
        });
        match outcome {
            Ok((response, foreign)) => {
                self.limits.answered(begun.elapsed());
                let answer = self.receive(call, response, foreign, permit).await;
                self.note(call, begun, sent, answer.as_ref().ok());
                answer
            }
            Err(error) => {
                self.note(call, begun, sent, None);
                if error.is_retryable() {
                    permit.overloaded();
                }
                Err(error)
            }
        }
    }

    async fn follow(
        &self,
        call: &Call,
        proof: &Proof,
    ) -> Result<(reqwest::Response, bool), StoreError> {
        let mut url = call.url.clone();
        let mut kind = call.kind;
        for _ in 0..=REDIRECTS {
            let home = same_host(&url, &call.url);
            self.common.counts.add(&authority(&url), kind);
            Meter::request();
            tracing::debug!(method = %call.method, url = %failure::shown(&url), "request");
            let response = self.request(call, &url, proof, home).send().await;
            let response = response.map_err(|error| failure::network(&call.place, error))?;
            let Some(next) = redirect(call, &url, &response)? else {
                tracing::debug!(status = response.status().as_u16(), url = %failure::shown(&url), "answer");
                return Ok((response, !home));
            };
            url = next;
            kind = Kind::Redirect;
        }
        Err(failure::protocol(&call.place, format!("more than {REDIRECTS} redirects")))
    }

    /// Credentials and the operator's headers go home only.
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
        let request = request.headers(headers);
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
        mut response: reqwest::Response,
        foreign: bool,
        permit: Permit,
    ) -> Result<Answer, StoreError> {
        let mut answer = Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            url: response.url().clone(),
            body: Bytes::new(),
            foreign,
            place: call.place.clone(),
            method: call.method.clone(),
            stream: None,
            permit: Some(permit),
        };
        match call.read {
            Read::Answer => answer.stream = Some(response),
            _ if call.method == Method::HEAD => {}
            Read::Stream if answer.status.is_success() => answer.stream = Some(response),
            Read::Whole(limit) if answer.status.is_success() => {
                answer.body = self.read(&call.place, response, limit).await?;
            }
            // An error is one whether or not its explanation arrives.
            _ => {
                answer.body =
                    self.read(&call.place, response, ERROR_BODY).await.unwrap_or_default();
            }
        }
        Ok(answer)
    }

    async fn read(
        &self,
        place: &str,
        response: reqwest::Response,
        limit: usize,
    ) -> Result<Bytes, StoreError> {
        let stall = self.common.settings.stall_timeout;
        let mut flow = Flow::new(stall);
        let mut body = response.bytes_stream();
        let mut all = BytesMut::new();
        loop {
            let begun = Instant::now();
            let next = tokio::time::timeout(flow.patience(), body.next()).await;
            let next =
                next.map_err(|_| StoreError::new(place, ErrorKind::TimedOut(stall.as_secs())))?;
            let Some(chunk) = next else { return Ok(all.freeze()) };
            let chunk = chunk.map_err(|error| failure::network(place, error))?;
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
    pub(super) fn tell(&self, wait: Duration, pause: Pause, cause: &str) {
        tracing::debug!(host = self.authority, wait_ms = wait.as_millis() as u64, cause, "waiting");
        let event = Event::Waiting { host: &self.authority, wait, pause, cause };
        self.common.observer.event(&event);
    }
}
