//! Rules: which requests a fault happens to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Kind;

/// When a fault happens, counted among the requests that its rule is for, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Every time.
    Always,
    /// The first so many times.
    First(u64),
    /// Every time but the first so many.
    After(u64),
    /// This one time.
    Nth(u64),
    /// Every so many times.
    Every(u64),
    /// With a probability in percent, the same times for the same seed.
    Chance {
        /// Probability in percent.
        percent: u64,
        /// What decides which.
        seed: u64,
    },
}

impl When {
    fn is(self, number: u64) -> bool {
        match self {
            When::Always => true,
            When::First(first) => number <= first,
            When::After(first) => number > first,
            When::Nth(nth) => number == nth,
            When::Every(every) => number.is_multiple_of(every),
            When::Chance { percent, seed } => mix(seed ^ mix(number)) % 100 < percent,
        }
    }
}

/// A permutation of 64 bits without visible pattern (`splitmix64`).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with a status, headers and a text, without having been looked at.
    Answer {
        /// The status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// It waits.
    Delay(Duration),
    /// It is never answered; the connection stays open.
    Hang,
    /// The connection ends without the request having been looked at.
    Break,
    /// The request is carried out, then the connection ends without an answer.
    LoseAnswer,
    /// The connection ends after so many bytes of the answer's body.
    CutDownload(u64),
    /// The connection ends half way through the answer's body.
    HalveDownload,
    /// A byte of the answer's body is another one, somewhere else each time.
    CorruptDownload,
    /// Nothing more comes after so many bytes of the answer's body.
    StallDownload(u64),
    /// The byte at this offset of the answer's body is another one.
    FlipDownload(u64),
    /// The connection ends after so many bytes of the request's body were taken in.
    CutUpload(u64),
    /// No more than so many bytes of the request's body are taken in; the connection stays open.
    StallUpload(u64),
}

impl Fault {
    /// An answer with a status and nothing else.
    pub fn status(status: u16) -> Fault {
        Fault::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// Adds a header to an answer.
    pub fn header(mut self, name: &str, value: &str) -> Fault {
        if let Fault::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Gives an answer a body.
    pub fn body(mut self, text: &str) -> Fault {
        if let Fault::Answer { body, .. } = &mut self {
            text.clone_into(body);
        }
        self
    }
}

/// A fault, and the requests it is for.
#[derive(Debug)]
pub(crate) struct Rule {
    kind: Option<Kind>,
    part: String,
    when: When,
    fault: Fault,
    seen: AtomicU64,
}

impl Clone for Rule {
    /// Counts anew.
    fn clone(&self) -> Self {
        Rule::new(self.kind, &self.part, self.when, self.fault.clone())
    }
}

impl Rule {
    pub(crate) fn new(kind: Option<Kind>, part: &str, when: When, fault: Fault) -> Rule {
        Rule { kind, part: part.to_owned(), when, fault, seen: AtomicU64::new(0) }
    }

    /// The fault, when it happens to this request.
    pub(crate) fn strike(&self, kind: Kind, path: &str) -> Option<Fault> {
        if self.kind.is_some_and(|own| own != kind) || !path.contains(&self.part) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        self.when.is(number).then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when() {
        let times = |when: When| (1..=6).filter(|n| when.is(*n)).collect::<Vec<_>>();
        assert_eq!(times(When::First(2)), [1, 2]);
        assert_eq!(times(When::Nth(3)), [3]);
        assert_eq!(times(When::Every(3)), [3, 6]);
        let chance =
            |seed| (1..=1000).filter(|n| When::Chance { percent: 20, seed }.is(*n)).count();
        assert!((150..250).contains(&chance(1)), "{}", chance(1));
        assert_ne!(
            times(When::Chance { percent: 50, seed: 1 }),
            times(When::Chance { percent: 50, seed: 2 })
        );
    }

    #[test]
    fn a_rule_counts_only_its_own() {
        let rule = Rule::new(Some(Kind::BlobGet), "/a/", When::Nth(2), Fault::Hang);
        assert_eq!(rule.strike(Kind::BlobGet, "/v2/a/blobs/x"), None);
        assert_eq!(rule.strike(Kind::BlobHead, "/v2/a/blobs/x"), None);
        assert_eq!(rule.strike(Kind::BlobGet, "/v2/b/blobs/x"), None);
        assert_eq!(rule.strike(Kind::BlobGet, "/v2/a/blobs/x"), Some(Fault::Hang));
    }
}
