//! Images that have ended while a run goes on.

use std::sync::{Arc, Mutex, PoisonError};

use super::report::{ItemReport, Report};

/// What became of images so far: for whoever has to say it when the run is cut off and has no report
/// of its own. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Ended(Arc<Mutex<Vec<ItemReport>>>);

impl Ended {
    /// One more has ended.
    pub(super) fn note(&self, report: &ItemReport) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report.clone());
    }

    /// All of them, in the order in which they ended.
    pub fn report(&self) -> Report {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Report { items, index: None }
    }
}
