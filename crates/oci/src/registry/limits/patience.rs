//! How long a host was waited for since it last answered well, whoever waited, and whether it is
//! worth asking.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::{Limits, State};
use crate::registry::failure;
use crate::registry::kind::Kind;
use crate::store::StoreError;

/// What is known of a host's patience.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Waits that it asked for, those of requests that waited together counted once.
    waited: Duration,
    /// How often it asked for fewer requests without saying how long to wait.
    throttled: u32,
    /// Until when it is not asked, and why.
    closed: Option<(Instant, Refusal)>,
    /// The same for requests of one kind: many hosts count but some of them.
    kinds: Vec<(Kind, Instant, Refusal)>,
}

/// An answer that says that there is no use in asking.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Refusal {
    pub(in crate::registry) method: Method,
    pub(in crate::registry) url: Url,
    pub(in crate::registry) status: StatusCode,
    /// Why there is none.
    pub(in crate::registry) text: String,
}

impl Refusal {
    /// As the error of whatever wanted to ask for `place`.
    pub(in crate::registry) fn at(&self, place: &str) -> StoreError {
        failure::status(place, &self.method, &self.url, self.status, self.text.as_bytes())
    }
}

impl Limits {
    /// The host asks to be left alone for `wait`: nobody sends meanwhile, and the answer is whether
    /// that is news. An error when that comes to more than `limit` since it last answered well: to
    /// how much.
    pub(in crate::registry) fn ask(
        &self,
        wait: Duration,
        limit: Duration,
    ) -> Result<bool, Duration> {
        if wait > limit {
            return Err(wait);
        }
        let mut state = self.lock();
        let now = Instant::now();
        let begin = state.paused_until.map_or(now, |known| known.max(now));
        let news = state.is_news(now + wait, wait);
        if news {
            let further = (now + wait).saturating_duration_since(begin);
            let waited = state.patience.waited.saturating_add(further);
            if waited > limit {
                return Err(waited);
            }
            state.patience.waited = waited;
        }
        state.pause(now + wait, wait);
        Ok(news)
    }

    /// The host asked for fewer requests without saying how long to wait; `anew`: in answer to a
    /// request that was sent since it last did. How often it has, since it last answered well.
    pub(in crate::registry) fn throttled(&self, anew: bool) -> u32 {
        let mut state = self.lock();
        state.patience.throttled += u32::from(anew);
        state.patience.throttled
    }

    /// There is no use in asking the host for so long, unless it answers well after all: whoever
    /// waits for it waits no longer.
    pub(in crate::registry) fn close(&self, why: Refusal, wait: Duration) {
        let mut state = self.lock();
        state.patience.closed = Some((Instant::now() + wait, why));
        state.paused_until = None;
        drop(state);
        self.opened.notify_waiters();
    }

    /// There is no use in sending requests of this kind for so long.
    pub(in crate::registry) fn close_to(&self, kind: Kind, why: Refusal, wait: Duration) {
        let mut state = self.lock();
        state.patience.kinds.retain(|(other, ..)| *other != kind);
        state.patience.kinds.push((kind, Instant::now() + wait, why));
    }

    /// Why there is no use in sending a request of this kind now, when there is none.
    pub(in crate::registry) fn closed(&self, kind: Kind) -> Option<Refusal> {
        let state = self.lock();
        let Patience { closed, kinds, .. } = &state.patience;
        if closed.is_none() && kinds.is_empty() {
            return None;
        }
        let now = Instant::now();
        let all = closed.iter().map(|(until, why)| (until, why));
        let own = kinds.iter().filter(|(own, ..)| *own == kind);
        let own = own.map(|(_, until, why)| (until, why));
        all.chain(own).find(|(until, _)| **until > now).map(|(_, why)| why.clone())
    }
}

impl Patience {
    /// It answered well.
    pub(super) fn renew(&mut self) {
        (self.waited, self.throttled, self.closed) = (Duration::ZERO, 0, None);
    }

    /// Whether it is not asked now, for whatever.
    pub(super) fn is_over(&self) -> bool {
        self.closed.as_ref().is_some_and(|(until, _)| *until > Instant::now())
    }
}

impl State {
    /// Whether a pause until then is another one. Answers to requests that were sent together come
    /// together: only one that is longer by a good part is.
    pub(super) fn is_news(&self, until: Instant, wait: Duration) -> bool {
        self.paused_until.is_none_or(|known| until > known + wait / 4)
    }

    /// Nobody sends until then, `wait` from now.
    pub(super) fn pause(&mut self, until: Instant, wait: Duration) {
        if self.paused_until.is_none_or(|known| until > known) {
            (self.paused_until, self.pause) = (Some(until), wait);
        }
    }
}
