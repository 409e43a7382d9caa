//! Who may send to a host, and when: an adaptive number of requests under way, and the pauses a
//! host asks for.
//!
//! The number starts moderate and grows while requests wait for their turn and succeed: doubling
//! per round at first, by one per round after the first sign of trouble. A 429, a 5xx or a broken
//! connection shrinks it, once per round. To a host that is far it grows further, as long as there
//! is no trouble: there it is the line that takes the time, and not the host. Requests come in lanes, so that small ones never wait
//! behind large bodies, and so that a registry that is read and written at once cannot stand still
//! with uploads waiting for downloads that wait for uploads: a lane of which nothing is under way
//! always admits one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::retry::jitter;

mod patience;

use patience::Patience;
pub(super) use patience::Refusal;

/// Requests that wait for each other, and for no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Requests and answers of little size.
    Small = 0,
    /// Blobs being read.
    Down = 1,
    /// Blobs being sent.
    Up = 2,
}

const LANES: usize = 3;
const START: usize = 16;
/// How long room is kept for a lane of which nothing is under way any more.
const KEPT: Duration = Duration::from_millis(500);
/// A host whose quickest answer takes longer than this is far.
const FAR: Duration = Duration::from_millis(15);
/// After so many answers it is sure how far a host is: a busy one may be slow to answer the first.
const SURE: u32 = 8;
/// Those who waited for a pause return within this after its end.
const LONGEST_SPREAD: Duration = Duration::from_secs(5);

/// The limits of one host.
#[derive(Debug)]
pub(super) struct Limits {
    most: usize,
    /// The same where every answer is long on its way, and more requests cost the host nothing.
    most_far: usize,
    spacing: Duration,
    state: Mutex<State>,
    /// Told when a pause is over before its time.
    opened: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// The quickest answer so far.
    quickest: Option<Duration>,
    /// Answers so far.
    answers: u32,
    credit: usize,
    round: u64,
    troubled: bool,
    under_way: [usize; LANES],
    /// When each lane was last used. For one that was not of late nothing is kept.
    used: [Option<Instant>; LANES],
    waiting: [VecDeque<oneshot::Sender<Permit>>; LANES],
    /// Somebody who does not wait would have liked to send.
    wanted: bool,
    paused_until: Option<Instant>,
    pause: Duration,
    patience: Patience,
    next_slot: Instant,
}

/// The right to have one request under way. Given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limits: Arc<Limits>,
    lane: Lane,
    round: u64,
}

impl Limits {
    pub(super) fn new(most: usize, most_far: usize, requests_per_second: Option<f64>) -> Arc<Self> {
        let (most, most_far) = (most.max(1), most_far.max(most));
        let spacing = requests_per_second.filter(|rate| *rate > 0.0);
        let spacing = spacing.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let state = State {
            limit: START.min(most),
            quickest: None,
            answers: 0,
            credit: 0,
            round: 0,
            troubled: false,
            under_way: [0; LANES],
            used: [Some(Instant::now()), None, None],
            waiting: Default::default(),
            wanted: false,
            paused_until: None,
            pause: Duration::ZERO,
            patience: Patience::default(),
            next_slot: Instant::now(),
        };
        let (spacing, state) = (spacing.unwrap_or_default(), Mutex::new(state));
        Arc::new(Limits { most, most_far, spacing, state, opened: Notify::new() })
    }

    /// Waits until a request may be sent.
    pub(super) async fn admit(self: &Arc<Self>, lane: Lane) -> Permit {
        loop {
            self.calm().await;
            let permit = self.acquire(lane).await;
            if self.lock().pause_left().is_some() {
                continue;
            }
            self.slot().await;
            return permit;
        }
    }

    /// Waits until another request may be sent with a right to send that was had before.
    pub(super) async fn again(&self, permit: &mut Permit) {
        self.calm().await;
        self.slot().await;
        permit.round = self.lock().round;
    }

    /// The right to send, when there is room that nobody waits for.
    pub(super) fn try_admit(self: &Arc<Self>, lane: Lane) -> Option<Permit> {
        let mut state = self.lock();
        let calm = state.pause_left().is_none() && self.spacing.is_zero();
        if !calm || state.waiting.iter().any(|lane| !lane.is_empty()) {
            return None;
        }
        if !state.fits(lane) {
            // As good as one that waits: let the number grow.
            state.wanted = true;
            return None;
        }
        state.under_way[lane as usize] += 1;
        Some(Permit { limits: self.clone(), lane, round: state.round })
    }

    /// Whether a pause is in force that lasts longer than this.
    pub(super) fn is_paused_beyond(&self, wait: Duration) -> bool {
        let left = self.lock().pause_left();
        left.is_some_and(|(until, _)| until > Instant::now() + wait)
    }

    /// When the pause that is in force ends.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.lock().pause_left().map(|(until, _)| until)
    }

    /// Nobody sends for `wait` from now. Returns whether that is news: pauses that end within one
    /// that is in force are none.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let mut state = self.lock();
        let until = Instant::now() + wait;
        let news = state.is_news(until, wait);
        state.pause(until, wait);
        news
    }

    /// Requests that may come to be under way at once, by what is known, and how long the quickest
    /// answer took to begin.
    pub(super) fn outlook(&self) -> (usize, Option<Duration>) {
        let state = self.lock();
        let most = if state.troubled { state.limit } else { self.most(&state) };
        (most, state.quickest)
    }

    /// Whether every answer is long on its way, by more than a few of them.
    pub(super) fn is_surely_far(&self) -> bool {
        let state = self.lock();
        state.answers >= SURE && state.is_far()
    }

    /// An answer came so long after its request.
    pub(super) fn answered(&self, after: Duration) {
        let mut state = self.lock();
        state.answers = state.answers.saturating_add(1);
        state.quickest = Some(state.quickest.map_or(after, |known| known.min(after)));
    }

    /// Waits until no pause is in force, and then a little, each waiter differently, so that they
    /// do not return all at once.
    async fn calm(&self) {
        loop {
            let opened = self.opened.notified();
            let Some((until, pause)) = self.lock().pause_left() else { return };
            tokio::select! {
                () = sleep_until(release(until, pause)) => {}
                () = opened => {}
            }
        }
    }

    /// Waits for this request's turn where requests a second are bounded.
    async fn slot(&self) {
        if self.spacing.is_zero() || self.lock().patience.is_over() {
            return;
        }
        let slot = {
            let mut state = self.lock();
            let slot = state.next_slot.max(Instant::now());
            state.next_slot = slot + self.spacing;
            slot
        };
        sleep_until(slot).await;
    }

    /// Waits for a right to send, which may be made use of after [`Limits::again`].
    pub(super) async fn acquire(self: &Arc<Self>, lane: Lane) -> Permit {
        loop {
            let mut turn = {
                let mut state = self.lock();
                state.used[lane as usize] = Some(Instant::now());
                if state.fits(lane) {
                    state.under_way[lane as usize] += 1;
                    return Permit { limits: self.clone(), lane, round: state.round };
                }
                let (sender, turn) = oneshot::channel();
                state.waiting[lane as usize].push_back(sender);
                turn
            };
            let turn = loop {
                let kept = self.lock().kept_for();
                match tokio::time::timeout(kept, &mut turn).await {
                    Ok(turn) => break turn,
                    // Room was kept that is kept no longer, and large bodies may be long in
                    // giving other room back.
                    Err(_) => self.wake(),
                }
            };
            if let Ok(permit) = turn {
                return permit;
            }
        }
    }

    /// Hands permits to whoever may go now. A permit handed to a waiter that was dropped comes back
    /// by being dropped, and goes to the next.
    fn wake(self: &Arc<Self>) {
        let mut granted = Vec::new();
        let mut state = self.lock();
        for lane in [Lane::Small, Lane::Up, Lane::Down] {
            while state.fits(lane) {
                let Some(waiter) = state.waiting[lane as usize].pop_front() else { break };
                if waiter.is_closed() {
                    continue;
                }
                state.under_way[lane as usize] += 1;
                let permit = Permit { limits: self.clone(), lane, round: state.round };
                granted.push((waiter, permit));
            }
        }
        drop(state);
        for (waiter, permit) in granted {
            // A failed send drops the permit, which wakes the next.
            let _ = waiter.send(permit);
        }
    }

    /// How far the number may grow.
    fn most(&self, state: &State) -> usize {
        if !state.troubled && state.is_far() { self.most_far } else { self.most }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_far(&self) -> bool {
        self.quickest.is_some_and(|quickest| quickest >= FAR)
    }

    fn total(&self) -> usize {
        self.under_way.iter().sum()
    }

    /// Whether one more of `lane` leaves every other lane its share.
    fn fits(&self, lane: Lane) -> bool {
        let lane = lane as usize;
        if self.under_way[lane] == 0 {
            return true;
        }
        let share = (self.limit / 8).max(1);
        let late = |other: &usize| self.used[*other].is_some_and(|used| used.elapsed() < KEPT);
        let kept: usize = (0..LANES)
            .filter(|other| *other != lane && late(other))
            .map(|other| share.saturating_sub(self.under_way[other]))
            .sum();
        self.total() + kept < self.limit
    }

    /// How long room is still kept for some lane, if no lane is used.
    fn kept_for(&self) -> Duration {
        let left = self.used.iter().flatten().map(|used| KEPT.saturating_sub(used.elapsed()));
        left.filter(|left| !left.is_zero()).min().unwrap_or(KEPT)
    }

    fn pause_left(&mut self) -> Option<(Instant, Duration)> {
        match self.paused_until {
            Some(until) if until > Instant::now() => Some((until, self.pause)),
            _ => {
                self.paused_until = None;
                None
            }
        }
    }
}

impl Permit {
    /// Whether it is a right to send to the host of these limits.
    pub(super) fn is_of(&self, limits: &Arc<Limits>) -> bool {
        Arc::ptr_eq(&self.limits, limits)
    }

    /// The request was answered well.
    pub(super) fn good(&self) {
        let mut state = self.limits.lock();
        state.patience.renew();
        let busy = state.wanted || state.waiting.iter().any(|lane| !lane.is_empty());
        if !busy || state.limit >= self.limits.most(&state) {
            return;
        }
        state.credit += 1;
        if !state.troubled || state.credit >= state.limit {
            state.credit = 0;
            state.limit += 1;
            state.wanted = false;
            drop(state);
            self.limits.wake();
        }
    }

    /// The host showed that it is asked too much: half as many from now on. Requests sent before
    /// the last such sign say nothing new: whether this one does.
    pub(super) fn overloaded(&self) -> bool {
        let mut state = self.limits.lock();
        if self.round < state.round {
            return false;
        }
        state.round += 1;
        state.troubled = true;
        state.credit = 0;
        state.limit = (state.limit / 2).max(1);
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limits.lock();
        state.under_way[self.lane as usize] -= 1;
        state.used[self.lane as usize] = Some(Instant::now());
        drop(state);
        self.limits.wake();
    }
}

/// When one of those who waited for a pause goes on: spread over an eighth of it, and no earlier
/// than its end.
fn release(until: Instant, pause: Duration) -> Instant {
    until + jitter((pause / 8).min(LONGEST_SPREAD))
}

#[cfg(test)]
mod tests;
