//! How long to wait before a request is tried again, and when to give up.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use rand::Rng;

use super::settings::Retries;

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What a `Retry-After` header asks for: seconds, an HTTP date, or (seen on Docker Hub) the second
/// of the epoch. `None` when there is none or it means nothing. Never more than a century, so that
/// it can be reckoned with.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    asked(headers, now).map(|wait| wait.min(CENTURY))
}

fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if let Ok(seconds) = text.parse::<u64>() {
        const A_DATE: u64 = 1_000_000_000;
        let asked = Duration::from_secs(seconds);
        return Some(if seconds >= A_DATE { asked.saturating_sub(since_epoch) } else { asked });
    }
    if let Ok(seconds) = text.parse::<f64>() {
        let sensible = seconds.is_finite() && seconds >= 0.0;
        return sensible.then(|| Duration::try_from_secs_f64(seconds).unwrap_or(CENTURY));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Backoff<'a> {
    retries: &'a Retries,
    attempts: u32,
    failures: u32,
    throttled: u32,
}

/// Further tries where something else can be tried instead.
const HASTY: u32 = 1;

impl<'a> Backoff<'a> {
    pub(super) fn new(retries: &'a Retries) -> Self {
        Backoff { retries, attempts: retries.attempts, failures: 0, throttled: 0 }
    }

    /// Tries that soon give way to something else.
    pub(super) fn hasty(retries: &'a Retries) -> Self {
        Backoff { attempts: retries.attempts.min(HASTY), ..Backoff::new(retries) }
    }

    /// The wait before the next try after a failure; `None`: that was the last.
    pub(super) fn after_failure(&mut self) -> Option<Duration> {
        self.failures += 1;
        self.after(self.failures)
    }

    /// Failures so far, since there was progress.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// From now on no more further tries than this.
    pub(super) fn at_most(&mut self, attempts: u32) {
        self.attempts = self.attempts.min(attempts);
    }

    /// The wait after so many failures; `None`: that was the last try.
    pub(super) fn after(&self, failures: u32) -> Option<Duration> {
        (failures <= self.attempts).then(|| self.wait(failures))
    }

    /// The wait before the next try after the host asked for fewer requests without saying how long.
    /// It asked all who ask it so often, without a good answer in between.
    pub(super) fn after_throttling(&mut self, all: u32) -> Option<Duration> {
        self.throttled += 1;
        let often = self.throttled.max(all);
        (often <= self.retries.throttled).then(|| self.wait(often))
    }

    /// Progress was made: what went wrong so far counts no more.
    pub(super) fn progress(&mut self) {
        (self.failures, self.throttled) = (0, 0);
    }

    /// Exponential, half of it random, so that tasks that failed together do not return together.
    fn wait(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1).min(20));
        let full = self.retries.first_wait.saturating_mul(doubled).min(self.retries.longest_wait);
        full / 2 + jitter(full / 2)
    }
}

/// A random part of `most`.
pub(super) fn jitter(most: Duration) -> Duration {
    most.mul_f64(rand::rng().random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_in_every_form() {
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked(" 0 "), Some(0));
        assert_eq!(asked("1.5"), Some(1));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30));
        assert_eq!(asked("Wed, 21 Oct 2015 07:27:30 GMT"), Some(0));
        assert_eq!(asked("1445412500"), Some(20));
        for long in ["99999999999999999999", "18446744073709551615", "1e300"] {
            assert_eq!(asked(long), Some(CENTURY.as_secs()), "{long}");
        }
        for nothing in ["", "soon", "-5", "NaN", "1e400"] {
            assert_eq!(asked(nothing), None, "{nothing}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::now()), None);
    }

    #[test]
    fn waits_grow_and_end() {
        let retries = Retries {
            attempts: 4,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_millis(300),
            ..Retries::default()
        };
        let mut backoff = Backoff::new(&retries);
        for full in [100, 200, 300, 300] {
            let wait = backoff.after_failure().unwrap().as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        assert_eq!(backoff.after_failure(), None);
        assert_eq!(backoff.failures(), 5);
        backoff.progress();
        assert!(backoff.after_failure().is_some());
        backoff.at_most(1);
        assert!(backoff.after_failure().is_none());
        for _ in 0..retries.throttled {
            assert!(backoff.after_throttling(0).is_some());
        }
        assert_eq!(backoff.after_throttling(0), None);
        backoff.progress();
        assert!(backoff.after_throttling(0).is_some());
        assert_eq!(backoff.after_throttling(retries.throttled + 1), None);
    }
}
