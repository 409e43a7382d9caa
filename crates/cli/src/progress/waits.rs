//! How often and how long a run was asked to wait, by cause, for the report.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use airlift_oci::observe::{Event, Pause};
use serde::Serialize;

/// Waits so far.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<BTreeMap<Pause, Wait>>);

/// Waits of one cause. Those that lie over each other, as when many downloads break at once, are
/// counted and added each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Wait {
    count: u64,
    seconds: f64,
}

impl Waits {
    pub(super) fn add(&self, event: &Event<'_>) {
        if let Event::Waiting { wait, pause, .. } = event {
            self.note(*pause, *wait);
        }
    }

    fn note(&self, pause: Pause, wait: Duration) {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = waits.entry(pause).or_default();
        entry.count += 1;
        entry.seconds += wait.as_secs_f64();
    }

    /// By cause, in a word.
    pub(crate) fn read(&self) -> BTreeMap<&'static str, Wait> {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waits.iter().map(|(pause, wait)| (pause.as_str(), *wait)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_by_cause() {
        let waits = Waits::default();
        waits.note(Pause::Asked, Duration::from_secs(2));
        waits.note(Pause::Asked, Duration::from_secs(1));
        waits.note(Pause::Broken, Duration::from_millis(500));
        assert_eq!(waits.read()["asked"], Wait { count: 2, seconds: 3.0 });
        assert_eq!(waits.read()["broken"], Wait { count: 1, seconds: 0.5 });
    }
}
