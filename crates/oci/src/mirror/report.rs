//! What became of every item: for the report file, the summary and the exit code.

use serde::Serialize;

use crate::observe::Totals;
use crate::store::{StoreError, Trouble, chain};
use crate::types::Digest;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemReport {
    /// The item: its source as written.
    pub item: String,
    /// Where it went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
    /// What became of it.
    pub status: Status,
    /// What arrived, when something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What it took.
    #[serde(flatten)]
    pub totals: Totals,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What somebody has to do about that, when it is known.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What lies behind a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// The store that has it.
    pub place: String,
    /// The URL where that was asked for, when its name does not say so, or the host that it was sent
    /// on to and that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl Cause {
    /// What lies behind `error`: the nearest of its causes that a store told of.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<StoreError>() {
                let trouble = error.trouble()?;
                let place = error.place().to_owned();
                let endpoint = error.sent_on().or(error.endpoint());
                return Some(Cause { trouble, place, endpoint: endpoint.map(str::to_owned) });
            }
            next = error.source();
        }
        None
    }
}

impl ItemReport {
    /// A report of an item of which nothing is known yet.
    pub fn new(item: &str) -> Self {
        ItemReport {
            item: item.to_owned(),
            destinations: Vec::new(),
            status: Status::Unmatched,
            digest: None,
            totals: Totals::default(),
            error: None,
            cause: None,
        }
    }

    /// Notes that the item is where it should be, and what that took.
    pub fn succeed(&mut self, totals: Totals) {
        self.totals = totals;
        let unchanged = totals.moved + totals.mounted == 0;
        self.status = if unchanged { Status::Unchanged } else { Status::Done };
    }

    /// Notes that the item did not arrive.
    pub fn fail(&mut self, error: String) {
        self.status = Status::Failed;
        self.error = Some(error);
    }

    /// The same, with what lies behind it.
    pub fn fail_by(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.fail(chain(error));
        self.cause = Cause::of(error);
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is where it should be, and something was done for that.
    Done,
    /// It was where it should be.
    Unchanged,
    /// No rule gave it a destination.
    Unmatched,
    /// It did not arrive, or not everywhere.
    Failed,
    /// It would be sent: this was a dry run.
    Planned,
}

/// What became of all items of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The items, in the order of the plan.
    pub items: Vec<ItemReport>,
    /// The index that was written, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
}

impl Report {
    /// How many items ended so.
    pub fn count(&self, status: Status) -> usize {
        self.items.iter().filter(|item| item.status == status).count()
    }

    /// The items that failed.
    pub fn failed(&self) -> impl Iterator<Item = &ItemReport> {
        self.items.iter().filter(|item| item.status == Status::Failed)
    }

    /// What the run took in all.
    pub fn totals(&self) -> Totals {
        self.items.iter().fold(Totals::default(), |sum, item| Totals {
            moved: sum.moved + item.totals.moved,
            bytes: sum.bytes + item.totals.bytes,
            mounted: sum.mounted + item.totals.mounted,
            skipped: sum.skipped + item.totals.skipped,
        })
    }
}
