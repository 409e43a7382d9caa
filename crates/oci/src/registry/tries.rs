//! Sending as often as it takes: what an outcome means, how long to wait before the next try, and
//! when to give up.

use std::ops::ControlFlow;
use std::time::Duration;

use super::answer::Answer;
use super::brief::brief;
use super::call::{Call, Insist, Read};
use super::kind::Kind;
use super::proof::Proof;
use super::retry::Backoff;
use super::wire::{Why, Wire};
use crate::observe::{Meter, Pause};
use crate::store::{StoreError, chain};

/// Where another endpoint can be asked, no longer wait than this is put up with.
pub(super) const HASTY_WAIT: Duration = Duration::from_secs(3);

/// A host that asks for more patience than there is, is left alone for as long as it asks, but no
/// longer than for the longest wait, or for this: it may have thought better of it.
const CLOSED: Duration = Duration::from_secs(60);

/// Further signed URLs that are asked for when one is refused: it was too old, but not each.
const FRESH: u32 = 2;

/// Whether an outcome is final. To go on is to try again.
pub(super) type Verdict = ControlFlow<Result<Answer, StoreError>>;

/// The tries of one call.
pub(super) struct Tries<'a> {
    backoff: Backoff<'a>,
    /// Waits that were asked for, since there was progress.
    asked: Duration,
    /// Signed URLs that were refused, since there was progress.
    stale: u32,
    hasty: bool,
}

impl Tries<'_> {
    /// The wait before the next try after a failure; `None`: that was the last.
    pub(super) fn after_failure(&mut self) -> Option<Duration> {
        self.backoff.after_failure()
    }

    /// Failures so far, since there was progress.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Progress was made: what went wrong and was waited for so far counts no more.
    pub(super) fn progress(&mut self) {
        self.backoff.progress();
        (self.asked, self.stale) = (Duration::ZERO, 0);
    }
}

impl Wire {
    /// Sends without credentials, as often as it takes.
    pub(super) async fn plain(&self, call: &Call) -> Result<Answer, StoreError> {
        let mut tries = self.tries(call.hasty);
        loop {
            let outcome = self.send_once(call, &Proof::None).await;
            if let Verdict::Break(result) = self.weigh(outcome, &mut tries, call).await {
                return result;
            }
        }
    }

    /// The tries of a call that is about to be sent.
    pub(super) fn tries(&self, hasty: bool) -> Tries<'_> {
        let retries = &self.common.settings.retries;
        let backoff = if hasty { Backoff::hasty(retries) } else { Backoff::new(retries) };
        Tries { backoff, asked: Duration::ZERO, stale: 0, hasty }
    }

    /// Decides whether an outcome is final, and waits when it is not.
    pub(super) async fn weigh(
        &self,
        outcome: Result<Answer, StoreError>,
        tries: &mut Tries<'_>,
        call: &Call,
    ) -> Verdict {
        let verdict = self.judge(outcome, tries, call).await;
        if verdict.is_continue() {
            self.ready(call).await;
        }
        verdict
    }

    async fn judge(
        &self,
        outcome: Result<Answer, StoreError>,
        tries: &mut Tries<'_>,
        call: &Call,
    ) -> Verdict {
        let error = match outcome {
            Ok(answer) if !answer.troubled() => {
                // Where an upload stands is known by hosts that take no more of it.
                if call.kind != Kind::UploadStatus {
                    answer.good();
                }
                return Verdict::Break(Ok(answer));
            }
            Ok(mut answer) => {
                answer.overloaded();
                call.permit.keep(answer.permit.take());
                match self.patience(&answer, tries) {
                    Some(verdict) => return verdict,
                    None if answer.stale() && tries.stale == FRESH => {
                        return Verdict::Break(Err(answer.error()));
                    }
                    None => {
                        tries.stale += u32::from(answer.stale());
                        answer.error()
                    }
                }
            }
            Err(error) if error.is_retryable() => match self.shut(call) {
                Some(error) => return Verdict::Break(Err(error)),
                None if call.is_cut() => return Verdict::Break(Err(error)),
                None => error,
            },
            Err(error) => return Verdict::Break(Err(error)),
        };
        if let Some(further) = self.contact.tries(&error) {
            tries.backoff.at_most(further);
        }
        if let Some(further) = call.insist.tries(&error) {
            tries.backoff.at_most(further);
        }
        let Some(wait) = tries.backoff.after_failure() else {
            return Verdict::Break(Err(self
                .contact
                .give_up(error, tries.hasty || call.insist == Insist::Hardly)));
        };
        Meter::again();
        Meter::waited(wait);
        let cause = format!("{}, trying again", chain(&error));
        let (brief, tries) = (&*brief(&error), tries.backoff.failures());
        let why = Why { cause: &cause, brief, tries };
        self.tell_of(error.sent_on(), wait, Pause::Failed, &why);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // Another has been as patient as this one would be.
            () = self.contact.gave_up() => {}
        }
        Verdict::Continue(())
    }

    /// What to do about an answer that asks for patience; `None` when it is a mere failure.
    pub(super) fn patience(&self, answer: &Answer, tries: &mut Tries<'_>) -> Option<Verdict> {
        if let Some(wait) = answer.asked_wait() {
            let limit = self.common.settings.retry_after_limit;
            tries.asked = tries.asked.saturating_add(wait);
            if let Err(error) = self.obey(answer) {
                return Some(Verdict::Break(Err(error)));
            }
            if tries.asked > limit {
                let refusal = answer.too_long(wait, tries.asked, limit);
                return Some(Verdict::Break(Err(refusal.at(&answer.place))));
            }
            if tries.hasty && wait > HASTY_WAIT {
                return Some(Verdict::Break(Err(answer.error())));
            }
            Meter::again();
            return Some(Verdict::Continue(()));
        }
        if !answer.throttled() {
            return None;
        }
        let often = self.limits.throttled(answer.surprising);
        let Some(wait) = tries.backoff.after_throttling(often) else {
            let retries = &self.common.settings.retries;
            if often > retries.throttled && !answer.foreign {
                let text = format!("it did so {often} times in a row");
                self.limits.close(answer.refusal(text), retries.longest_wait);
            }
            return Some(Verdict::Break(Err(answer.error())));
        };
        if self.limits.pause(wait) {
            let brief = format!("it answered {}", answer.status.as_u16());
            let cause = format!("{brief}: too many requests");
            self.tell(wait, Pause::Throttled, &Why { cause: &cause, brief: &brief, tries: 0 });
        }
        Meter::again();
        Some(Verdict::Continue(()))
    }

    /// Makes the host pause as it asked. An error when that is too long, or comes to too much since
    /// it last answered well; nobody waits for it then.
    pub(super) fn obey(&self, answer: &Answer) -> Result<(), StoreError> {
        let Some(wait) = answer.asked_wait() else { return Ok(()) };
        let limit = self.common.settings.retry_after_limit;
        match self.limits.ask(wait, limit) {
            Ok(false) => {}
            Ok(true) => {
                let brief = format!("it answered {}", answer.status.as_u16());
                let cause = format!("{brief} and asks to wait");
                self.tell(wait, Pause::Asked, &Why { cause: &cause, brief: &brief, tries: 0 });
            }
            Err(total) => {
                let refusal = answer.too_long(wait, total, limit);
                let error = refusal.at(&answer.place);
                let closed = wait.min(limit.max(CLOSED));
                if answer.foreign {
                    // What a host says that we were sent on to says nothing of the one that sent us.
                } else if wait > limit {
                    self.limits.close_to(answer.kind, refusal, closed);
                } else {
                    self.limits.close(refusal, closed);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Why a call is not worth sending, when it is not. What is passed on as it is always is.
    pub(super) fn shut(&self, call: &Call) -> Option<StoreError> {
        if matches!(call.read, Read::Answer) {
            return None;
        }
        let closed = self.limits.closed(call.kind).map(|refusal| refusal.at(&call.place));
        closed.or_else(|| self.contact.verdict(&call.place))
    }
}
