//! A call to one of several endpoints: how far it is, and when it is given up for the sake of
//! another endpoint. Dropped wherever it is, it leaves nothing behind.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::call::Call;
use super::endpoints::is_sick;
use super::identity::Identity;
use super::repo::Repo;
use super::tries::HASTY_WAIT;
use crate::store::{ErrorKind, StoreError};

/// An endpoint that never answered is waited for no longer than this.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Any other no longer than this: one that fetches for us what it lacks may take its time.
const ANSWER: Duration = Duration::from_secs(15);
/// How often it is looked at how calls fare.
const LOOK: Duration = Duration::from_millis(100);

/// How far a call is, and since when.
#[derive(Debug)]
pub(super) struct Course(Mutex<(Step, Instant)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Neither sent nor in a queue: somebody learns what the host wants to see, or a failure is
    /// slept over.
    Aside,
    /// It waits until it may be sent, which may take long where there is much to do.
    Queued,
    /// It is sent, and nothing is heard yet.
    Sent,
    /// The answer has begun, so long after.
    Answered(Duration),
}

impl Default for Course {
    fn default() -> Self {
        Course(Mutex::new((Step::Aside, Instant::now())))
    }
}

impl Course {
    /// Something else has to come first.
    pub(super) fn aside(&self) {
        self.go(Step::Aside);
    }

    /// It waits for its turn.
    pub(super) fn queued(&self) {
        self.go(Step::Queued);
    }

    /// It is sent now.
    pub(super) fn sent(&self) {
        self.go(Step::Sent);
    }

    /// It was answered, or failed.
    pub(super) fn heard(&self, answer: bool) {
        let (_, since) = self.get();
        self.go(if answer { Step::Answered(since.elapsed()) } else { Step::Aside });
    }

    /// How long the answer took to begin, and how long it has taken until now.
    pub(super) fn took(&self) -> Option<(Duration, Duration)> {
        match self.get() {
            (Step::Answered(after), since) => Some((after, after + since.elapsed())),
            _ => None,
        }
    }

    fn go(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (step, Instant::now());
    }

    fn get(&self) -> (Step, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a call that another endpoint may answer as well.
pub(super) async fn send(
    repo: &Repo,
    call: &Call,
    who: &Identity<'_>,
) -> Result<Answer, StoreError> {
    if asks_for_patience(repo) {
        return Err(overtaken(call));
    }
    let mut asked = Box::pin(repo.host.wire.call(call, who));
    let was_sick = is_sick(repo);
    let mut last = call.course.get();
    let mut silent = Duration::ZERO;
    loop {
        if let Ok(answer) = tokio::time::timeout(LOOK, &mut asked).await {
            return answer;
        }
        let now = call.course.get();
        // Where nobody was ever heard, waiting for those who wait for an answer is no progress.
        let waits = now == last && matches!(now.0, Step::Aside | Step::Sent)
            || !repo.host.wire.contact.has_answered();
        let waits = waits && repo.host.wire.common.pace.is_open();
        silent = if waits { silent + LOOK } else { Duration::ZERO };
        last = now;
        let unsent = matches!(now.0, Step::Aside | Step::Queued);
        if unsent && (asks_for_patience(repo) || (!was_sick && is_sick(repo))) {
            return Err(overtaken(call));
        }
        let limit = patience(repo);
        if silent >= limit {
            if now.0 == Step::Sent {
                repo.host.wire.note(call, now.1, 0, None);
            }
            return Err(StoreError::new(&*call.place, ErrorKind::TimedOut(limit.as_secs())));
        }
    }
}

/// How long nothing may be heard.
fn patience(repo: &Repo) -> Duration {
    let wire = &repo.host.wire;
    let limit = if wire.contact.has_answered() { ANSWER } else { FIRST_ANSWER };
    limit.min(wire.common.settings.answer_timeout)
}

fn asks_for_patience(repo: &Repo) -> bool {
    repo.host.wire.limits.is_paused_beyond(HASTY_WAIT)
}

/// The endpoint failed others, or asked for patience, before this call was sent.
fn overtaken(call: &Call) -> StoreError {
    let text = "other requests failed there, or it asked to wait, before this one was sent";
    StoreError::new(&*call.place, ErrorKind::Network(text.into()))
}
