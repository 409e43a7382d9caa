//! What was counted of a run, and a reading of it with rate and time left.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::observe::{Event, How};

/// Counters, fed from many tasks at once.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    items: AtomicU64,
    bytes: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
    passed: AtomicU64,
    spared: AtomicU64,
    platforms: AtomicU64,
    platforms_done: AtomicU64,
    blobs: AtomicU64,
    moved: AtomicU64,
    mounted: AtomicU64,
    skipped: AtomicU64,
    buffer_filled: AtomicU64,
    buffer_capacity: AtomicU64,
    stalls: AtomicU64,
    waiting: Mutex<BTreeMap<String, (Instant, String)>>,
    samples: Mutex<VecDeque<(Instant, u64)>>,
}

/// Counters at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// Images known.
    pub(crate) items: u64,
    /// Images that ended, well or not.
    pub(crate) finished: u64,
    /// Images that failed.
    pub(crate) failed: u64,
    /// Bytes known.
    pub(crate) bytes: u64,
    /// Bytes that are where they should be or passed on their way there; never above `bytes` once
    /// anything is known.
    pub(crate) done: u64,
    /// Bytes that passed through this machine, those of repeated attempts too.
    pub(crate) passed: u64,
    /// Bytes a second of late.
    pub(crate) rate: u64,
    /// Until everything known has passed at this rate.
    pub(crate) left: Option<Duration>,
    /// Platforms and blobs.
    pub(crate) pieces: Pieces,
    /// The buffer at a device, when there is one.
    pub(crate) buffer: Option<Buffer>,
    /// Hosts that are waited for, and why.
    pub(crate) waiting: Vec<Waiting>,
}

/// A host that is waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The host.
    pub(crate) host: String,
    /// Why, in a few words.
    pub(crate) why: String,
    /// For how long yet: to the second, or of a minute and more to the minute, so that a reading of
    /// a long wait changes seldom.
    pub(crate) left: Duration,
}

/// The buffer at a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Buffer {
    /// Bytes in it.
    pub(crate) filled: u64,
    /// Bytes that fit.
    pub(crate) capacity: u64,
    /// How often the device had to stop.
    pub(crate) stalls: u64,
}

/// What images consist of, as far as it is known. What is in place as a whole is not looked into.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pieces {
    /// Images for one platform that are known.
    pub(crate) platforms: u64,
    /// Those of them that are where they should be.
    pub(crate) platforms_done: u64,
    /// Blobs that are known.
    pub(crate) blobs: u64,
    /// Blobs that were sent.
    pub(crate) moved: u64,
    /// Blobs that were mounted.
    pub(crate) mounted: u64,
    /// Blobs that were there.
    pub(crate) skipped: u64,
}

/// How far back the rate looks.
const WINDOW: Duration = Duration::from_secs(10);

impl Counts {
    /// Counts one event.
    pub(crate) fn add(&self, event: &Event<'_>) {
        let add = |counter: &AtomicU64, n: u64| _ = counter.fetch_add(n, Ordering::Relaxed);
        match event {
            Event::Planned { items, bytes, blobs } => {
                add(&self.items, *items);
                add(&self.blobs, *blobs);
                add(&self.bytes, *bytes);
            }
            Event::Finished { error, .. } => {
                add(&self.finished, 1);
                add(&self.failed, u64::from(error.is_some()));
            }
            Event::Moved { bytes } => add(&self.passed, *bytes),
            Event::Stored { bytes, how } => {
                let (counter, spared) = match how {
                    How::Moved => (&self.moved, 0),
                    How::Mounted => (&self.mounted, *bytes),
                    How::Skipped => (&self.skipped, *bytes),
                };
                add(counter, 1);
                add(&self.spared, spared);
            }
            Event::Platforms { known } => add(&self.platforms, *known),
            Event::Manifest { platform, .. } => add(&self.platforms_done, u64::from(*platform)),
            Event::Buffer { filled, capacity, stalls } => {
                self.buffer_filled.store(*filled, Ordering::Relaxed);
                self.buffer_capacity.store(*capacity, Ordering::Relaxed);
                self.stalls.store(*stalls, Ordering::Relaxed);
            }
            Event::Waiting { host, wait, brief, tries, .. } => {
                let why = match tries {
                    0 => (*brief).to_owned(),
                    tries => format!("{brief} (try {tries})"),
                };
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let until = Instant::now() + *wait;
                // What breaks during a long wait shortens it by nothing.
                if waiting.get(*host).is_none_or(|(known, _)| *known <= until) {
                    waiting.insert((*host).to_owned(), (until, why));
                }
            }
            _ => {}
        }
    }

    /// The counters at `now`. Readings in order of time make the rate.
    pub(crate) fn read(&self, now: Instant) -> Reading {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (bytes, passed) = (get(&self.bytes), get(&self.passed));
        let done = passed + get(&self.spared);
        let done = if bytes == 0 { done } else { done.min(bytes) };
        let rate = self.rate(now, passed);
        let left =
            (rate > 0 && bytes > done).then(|| Duration::from_secs((bytes - done).div_ceil(rate)));
        let buffer = Buffer {
            filled: get(&self.buffer_filled),
            capacity: get(&self.buffer_capacity),
            stalls: get(&self.stalls),
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (until, _)| *until > now);
        let waits = waiting.iter();
        let waits = waits.map(|(host, (until, why))| Waiting {
            host: host.clone(),
            why: why.clone(),
            left: coarse(until.duration_since(now)),
        });
        let waiting = waits.collect();
        Reading {
            items: get(&self.items),
            finished: get(&self.finished),
            failed: get(&self.failed),
            bytes,
            done,
            passed,
            rate,
            left,
            pieces: Pieces {
                // What is in place as a whole was never planned.
                platforms: get(&self.platforms).max(get(&self.platforms_done)),
                platforms_done: get(&self.platforms_done),
                blobs: get(&self.blobs),
                moved: get(&self.moved),
                mounted: get(&self.mounted),
                skipped: get(&self.skipped),
            },
            buffer: (buffer.capacity > 0).then_some(buffer),
            waiting,
        }
    }

    fn rate(&self, now: Instant, passed: u64) -> u64 {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push_back((now, passed));
        while samples.len() > 2 && now.duration_since(samples[1].0) > WINDOW {
            samples.pop_front();
        }
        let Some((then, before)) = samples.front().copied() else { return 0 };
        let millis = u64::try_from(now.duration_since(then).as_millis()).unwrap_or(u64::MAX);
        (passed - before.min(passed)).saturating_mul(1000).checked_div(millis).unwrap_or(0)
    }
}

fn coarse(left: Duration) -> Duration {
    let seconds = left.as_secs_f64().ceil() as u64;
    Duration::from_secs(if seconds < 60 { seconds } else { seconds.next_multiple_of(60) })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use airlift_oci::observe::{Event, How, Pause};

    use super::{Buffer, Counts, Waiting};

    #[test]
    fn events_add_up_to_a_reading() {
        let counts = Counts::default();
        let start = Instant::now();
        counts.add(&Event::Planned { items: 2, blobs: 4, bytes: 1000 });
        assert_eq!(counts.read(start).left, None);
        counts.add(&Event::Moved { bytes: 400 });
        counts.add(&Event::Stored { bytes: 400, how: How::Moved });
        counts.add(&Event::Stored { bytes: 100, how: How::Mounted });
        counts.add(&Event::Finished { item: "a", error: Some("no") });
        let wait = Duration::from_secs(60);
        let (pause, cause, brief) = (Pause::Failed, "h/a: it ended", "it ended");
        counts.add(&Event::Waiting { host: "h", wait, pause, cause, brief, tries: 3 });
        let reading = counts.read(start + Duration::from_secs(2));
        assert_eq!((reading.done, reading.bytes, reading.rate), (500, 1000, 200));
        assert_eq!(reading.left, Some(Duration::from_secs(3)));
        assert_eq!((reading.finished, reading.failed, reading.items), (1, 1, 2));
        let (host, why) = ("h".to_owned(), "it ended (try 3)".to_owned());
        let left = reading.waiting[0].left;
        assert!((58..=59).contains(&left.as_secs()), "{left:?}");
        assert_eq!(reading.waiting, [Waiting { host, why, left }]);
        let pieces = reading.pieces;
        assert_eq!((pieces.blobs, pieces.moved, pieces.mounted, pieces.skipped), (4, 1, 1, 0));
        assert_eq!(reading.buffer, None);
        counts.add(&Event::Buffer { filled: 3, capacity: 9, stalls: 1 });
        let later = counts.read(start + Duration::from_secs(90));
        assert_eq!(later.buffer, Some(Buffer { filled: 3, capacity: 9, stalls: 1 }));
        assert!(later.waiting.is_empty());
        assert_eq!(later.rate, 0, "the rate is that of late, not of the whole run");
    }

    #[test]
    fn what_breaks_during_a_long_wait_does_not_hide_it() {
        let counts = Counts::default();
        let waiting = |seconds, brief| Event::Waiting {
            host: "h",
            wait: Duration::from_secs(seconds),
            pause: Pause::Asked,
            cause: brief,
            brief,
            tries: 0,
        };
        counts.add(&waiting(2000, "it answered 429"));
        counts.add(&waiting(1, "it ended"));
        let reading = counts.read(Instant::now() + Duration::from_secs(100));
        assert_eq!(reading.waiting[0].why, "it answered 429");
        assert_eq!(reading.waiting[0].left, Duration::from_secs(32 * 60));
        counts.add(&waiting(3000, "it answered 503"));
        assert_eq!(counts.read(Instant::now()).waiting[0].why, "it answered 503");
    }

    #[test]
    fn repeated_attempts_do_not_pass_the_end() {
        let counts = Counts::default();
        counts.add(&Event::Planned { items: 1, blobs: 1, bytes: 10 });
        counts.add(&Event::Moved { bytes: 25 });
        let reading = counts.read(Instant::now());
        assert_eq!((reading.done, reading.passed), (10, 25));
    }
}
