//! A call to one of several endpoints, and when it is given up for the sake of another endpoint.
//! Dropped wherever it is, it leaves nothing behind.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Answer;
use super::call::Call;
use super::course::Step;
use super::host::Host;
use super::identity::Identity;
use super::tries::HASTY_WAIT;
use crate::store::{ErrorKind, StoreError};

/// An endpoint that never answered is waited for no longer than this.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Any other no longer than this: one that fetches for us what it lacks may take its time.
const ANSWER: Duration = Duration::from_secs(15);
/// How often it is looked at how calls fare.
const LOOK: Duration = Duration::from_millis(100);

/// Sends a call that another endpoint may answer as well.
pub(super) async fn send(
    host: &Host,
    call: &Call,
    who: &Identity<'_>,
) -> Result<Answer, StoreError> {
    if asks_for_patience(host) {
        return Err(overtaken(call));
    }
    let mut asked = Box::pin(host.wire.call(call, who));
    let was_sick = is_sick(host);
    let mut last = call.course.get();
    let mut silent = Duration::ZERO;
    loop {
        if let Ok(answer) = tokio::time::timeout(LOOK, &mut asked).await {
            return answer;
        }
        let now = call.course.get();
        // Where nobody was ever heard, waiting for those who wait for an answer is no progress.
        let waits = now == last && matches!(now.0, Step::Aside | Step::Sent)
            || !host.wire.contact.has_answered();
        let waits = waits && host.wire.common.pace.is_open();
        silent = if waits { silent + LOOK } else { Duration::ZERO };
        last = now;
        let unsent = matches!(now.0, Step::Aside | Step::Queued);
        if unsent && (asks_for_patience(host) || (!was_sick && is_sick(host))) {
            return Err(overtaken(call));
        }
        let limit = patience(host);
        if silent >= limit {
            if now.0 == Step::Sent {
                host.wire.note(call, now.1, 0, None);
            }
            return Err(StoreError::new(&*call.place, ErrorKind::TimedOut(limit.as_secs())));
        }
    }
}

/// How long nothing may be heard.
fn patience(host: &Host) -> Duration {
    let wire = &host.wire;
    let limit = if wire.contact.has_answered() { ANSWER } else { FIRST_ANSWER };
    limit.min(wire.common.settings.answer_timeout)
}

fn is_sick(host: &Host) -> bool {
    host.facts.health.is_sick(Instant::now())
}

fn asks_for_patience(host: &Host) -> bool {
    host.wire.limits.is_paused_beyond(HASTY_WAIT)
}

/// The endpoint failed others, or asked for patience, before this call was sent.
fn overtaken(call: &Call) -> StoreError {
    let text = "other requests failed there, or it asked to wait, before this one was sent";
    StoreError::new(&*call.place, ErrorKind::Network(text.into()))
}
