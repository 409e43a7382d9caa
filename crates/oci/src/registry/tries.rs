//! Sending as often as it takes: what an outcome means, how long to wait before the next try, and
//! when to give up.

use std::ops::ControlFlow;
use std::time::Duration;

use super::answer::Answer;
use super::brief::brief;
use super::call::{Call, Insist};
use super::proof::Proof;
use super::retry::Backoff;
use super::wire::{Why, Wire};
use crate::observe::{Meter, Pause};
use crate::store::{StoreError, chain};

/// Where another endpoint can be asked, no longer wait than this is put up with.
pub(super) const HASTY_WAIT: Duration = Duration::from_secs(3);

/// Whether an outcome is final. To go on is to try again.
pub(super) type Verdict = ControlFlow<Result<Answer, StoreError>>;

/// The tries of one call.
pub(super) struct Tries<'a> {
    backoff: Backoff<'a>,
    asked: Duration,
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

    /// Progress was made: the failures so far count no more.
    pub(super) fn progress(&mut self) {
        self.backoff.progress();
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
        Tries { backoff, asked: Duration::ZERO, hasty }
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
                answer.good();
                return Verdict::Break(Ok(answer));
            }
            Ok(mut answer) => {
                answer.overloaded();
                call.permit.keep(answer.permit.take());
                match self.patience(&answer, tries) {
                    Some(verdict) => return verdict,
                    None => answer.error(),
                }
            }
            Err(error) if error.is_retryable() => error,
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
        let cause = format!("{}: {}, trying again", call.place, chain(error.kind()));
        let (brief, tries) = (&*brief(&error), tries.backoff.failures());
        self.tell(wait, Pause::Failed, &Why { cause: &cause, brief, tries });
        tokio::time::sleep(wait).await;
        Verdict::Continue(())
    }

    /// What to do about an answer that asks for patience; `None` when it is a mere failure.
    pub(super) fn patience(&self, answer: &Answer, tries: &mut Tries<'_>) -> Option<Verdict> {
        if let Some(wait) = answer.asked_wait() {
            let limit = self.common.settings.retry_after_limit;
            tries.asked = tries.asked.saturating_add(wait);
            if tries.asked > limit {
                return Some(Verdict::Break(Err(answer.too_long(wait, limit))));
            }
            self.obey(answer);
            if tries.hasty && wait > HASTY_WAIT {
                return Some(Verdict::Break(Err(answer.error())));
            }
            Meter::again();
            return Some(Verdict::Continue(()));
        }
        if !answer.throttled() {
            return None;
        }
        let Some(wait) = tries.backoff.after_throttling() else {
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

    /// Makes the host pause as it asked.
    pub(super) fn obey(&self, answer: &Answer) {
        let Some(wait) = answer.asked_wait() else { return };
        if wait > self.common.settings.retry_after_limit {
            // Not waited for at all: who asked is told so.
            return;
        }
        if self.limits.pause(wait) {
            let brief = format!("it answered {}", answer.status.as_u16());
            let cause = format!("{brief} and asks to wait");
            self.tell(wait, Pause::Asked, &Why { cause: &cause, brief: &brief, tries: 0 });
        }
    }
}
