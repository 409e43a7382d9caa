//! Sending as somebody: with the credentials or tokens that a host wants to see, which it is asked
//! for but once.

use std::time::Instant;

use http::StatusCode;
use tokio::sync::OwnedMutexGuard;

use super::answer::Answer;
use super::auth::{Authority, Scopes};
use super::call::Call;
use super::failure;
use super::limits::Permit;
use super::proof::Proof;
use super::reply::Reply;
use super::tries::Verdict;
use super::upload_body::Outgoing;
use super::wire::{Origin, Wire};
use crate::observe::Meter;
use crate::store::{ErrorKind, StoreError};

/// So often in a row a call is sent again after a 401: by one it learns what is wanted, by one that
/// its token has ended, by one that it is to be for more. A host that goes on to ask for something
/// else each time is not followed.
const REFUSALS: u32 = 3;

/// The refusals of one call so far.
struct Refusals {
    /// In a row.
    count: u32,
    /// What was shown at the last.
    proof: Option<Proof>,
    /// When that was asked for: a token that came since is none that could have ended.
    asked: tokio::time::Instant,
}

/// For whom a call is sent.
pub(super) struct Identity<'a> {
    pub(super) authority: &'a Authority,
    pub(super) scopes: &'a Scopes,
}

impl Wire {
    /// Sends with what the host wants to see, as often as it takes. The answer is none that says
    /// 401, 403, 429 or 5xx: those are errors.
    pub(super) async fn call(&self, call: &Call, who: &Identity<'_>) -> Result<Answer, StoreError> {
        let mut tries = self.tries(call.hasty);
        let mut refused = Refusals::none();
        let mut introduced = false;
        loop {
            call.course.aside();
            let asked = refused.asked();
            let first = self.first_contact(call, who.authority).await;
            let proof = match first {
                Some(_) => who.authority.first_proof(who.scopes).await,
                None => who.authority.proof(who.scopes, asked).await,
            };
            let proof = proof.map_err(|error| at(&call.place, error))?;
            if refused.proof.as_ref() == Some(&proof) {
                return Err(self.denied(call, who, None).await);
            }
            let mut outcome = self.send_once(call, &proof).await;
            if let Ok(answer) = &mut outcome {
                if answer.status != StatusCode::UNAUTHORIZED || answer.foreign {
                    who.authority.answered(&proof);
                    refused.count = 0;
                } else if who.authority.challenged(&answer.headers, who.scopes, &proof)
                    && refused.count < REFUSALS
                {
                    let count = refused.count + 1;
                    refused = Refusals { count, proof: Some(proof), asked };
                    call.permit.keep(answer.permit.take());
                    drop(first);
                    self.ready(call).await;
                    continue;
                } else {
                    return Err(self.denied(call, who, Some(answer)).await);
                }
            }
            if first.is_some() && outcome.is_err() {
                who.authority.unanswered();
            }
            drop(first);
            if let Verdict::Break(result) = self.weigh(outcome, &mut tries, call).await {
                let mut result = result;
                if let Ok(answer) = &mut result
                    && !introduced
                    && Box::pin(self.introduced(call, who, &proof, answer)).await
                {
                    introduced = true;
                    self.ready(call).await;
                    continue;
                }
                return match result {
                    Ok(answer) if answer.status == StatusCode::FORBIDDEN => Err(answer.error()),
                    result => result,
                };
            }
        }
    }

    /// Waits while another asks an endpoint for the first time; `Some`: this call is to do so. It has
    /// the right to send by then. Otherwise it would wait for one, others for it, and where two names
    /// stand for one host, they may be those who have what it waits for.
    pub(super) async fn first_contact(
        &self,
        call: &Call,
        authority: &Authority,
    ) -> Option<OwnedMutexGuard<()>> {
        if authority.asks_at_once() {
            return None;
        }
        let had = call.permit.take();
        let is_new = had.is_none();
        let mut permit = match had {
            Some(permit) => permit,
            None => self.hold(call.lane).await,
        };
        let Some(first) = authority.first_contact().await else {
            // What is wanted by now may take a token, whose exchange needs room of its own.
            call.permit.keep(Some(permit));
            return None;
        };
        if is_new {
            self.again(&mut permit).await;
        }
        call.permit.give(permit);
        Some(first)
    }

    /// Sends a body that can be read only once: one try. Any answer is returned as it is; one that
    /// asks for patience has made the host pause.
    pub(super) async fn call_once(
        &self,
        call: &Call,
        outgoing: Outgoing,
        who: Option<&Identity<'_>>,
        permit: Permit,
    ) -> Result<Answer, StoreError> {
        let proof = match who {
            Some(who) => who.authority.proof(who.scopes, tokio::time::Instant::now()).await?,
            None => Proof::None,
        };
        if let Some(error) = self.shut(call) {
            return Err(error);
        }
        let request = self.request(call, &call.url, &proof, true);
        let sent = outgoing.length();
        let (request, progress) = outgoing.attach(request, &self.common.pace);
        self.common.counts.add(&self.authority, call.kind);
        Meter::request();
        let begun = Instant::now();
        let settings = &self.common.settings;
        let response = tokio::select! {
            response = request.send() => {
                response.map(Reply::Client).map_err(|error| failure::network(&call.place, error))
            }
            seconds = progress.stalled(settings.stall_timeout, settings.commit_timeout) => {
                Err(StoreError::new(&*call.place, ErrorKind::TimedOut(seconds)))
            }
        };
        let mut answer = match response {
            Ok(response) => {
                let answer = self.receive(call, &proof, response, Origin::home(call), permit).await;
                self.note(call, begun, sent, answer.as_ref().ok());
                answer?
            }
            Err(error) => {
                self.note(call, begun, sent, None);
                permit.overloaded();
                return Err(error);
            }
        };
        match (answer.status, who) {
            (StatusCode::UNAUTHORIZED, Some(who)) => {
                who.authority.challenged(&answer.headers, who.scopes, &proof);
            }
            _ if answer.troubled() => {
                answer.overloaded();
                // Who sent it hears of a wait that is too long when it asks how long to wait.
                self.obey(&answer).ok();
            }
            _ => answer.good(),
        }
        Ok(answer)
    }

    async fn denied(&self, call: &Call, who: &Identity<'_>, answer: Option<&Answer>) -> StoreError {
        let words = answer.map(|answer| failure::words(&answer.body)).unwrap_or_default();
        let words = if words.is_empty() { words } else { format!(" ({words})") };
        let why = who.authority.explain(who.scopes).await;
        let url = failure::shown(&call.url);
        let text = format!("{} {url} was answered with 401{words}: {why}", call.method);
        StoreError::new(&*call.place, ErrorKind::Denied(text))
    }
}

impl Refusals {
    fn none() -> Self {
        Refusals { count: 0, proof: None, asked: tokio::time::Instant::now() }
    }

    /// Since when a token must have come to be fresh for the next try.
    fn asked(&self) -> tokio::time::Instant {
        if self.count > 0 { self.asked } else { tokio::time::Instant::now() }
    }
}

/// An error of authorising, at the place it was needed for.
fn at(place: &str, error: StoreError) -> StoreError {
    match error.kind() {
        ErrorKind::Denied(text) => StoreError::new(place, ErrorKind::Denied(text.clone())),
        _ => error,
    }
}
