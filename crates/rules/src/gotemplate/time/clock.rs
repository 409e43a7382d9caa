//! The one moment that counts as now.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Time, Zone};

/// Read when a template first asks for it and never again, so that every item of a run is routed at the same moment.
/// Only `ago` and `durationRound` of a time ask.
#[derive(Default)]
pub(crate) struct Clock(OnceLock<Time>);

impl Clock {
    pub(super) fn read(&self) -> &Time {
        self.0.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let secs = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            Time { secs, nanos: since.subsec_nanos(), zone: Zone::Local }
        })
    }

    /// The moment.
    pub(crate) fn now(&self) -> Time {
        self.read().clone()
    }
}
