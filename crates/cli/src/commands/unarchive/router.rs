//! The routing of an archive's items, asked for while the archive passes.

use std::sync::{Mutex, PoisonError};

use airlift_oci::inventory::Item;
use airlift_oci::mirror::Report;
use airlift_oci::mirror::delivery::Route;
use airlift_oci::mirror::scatter::Routed;
use airlift_oci::store::{ErrorKind, StoreError};
use airlift_oci::stores::Stores;
use airlift_rules::Ruleset;
use async_trait::async_trait;

use crate::commands::scatter::Choice;
use crate::dispatch;
use crate::table::Format;

/// Chooses, routes and opens; keeps what a reader of archives cannot hand on.
pub(super) struct Router {
    ruleset: Ruleset,
    stores: Stores,
    choice: Choice,
    ended: Mutex<Ended>,
}

/// Why no more is to be read.
#[derive(Default)]
struct Ended {
    /// All is known that a dry run shows.
    plan: Option<(String, Report)>,
    failure: Option<anyhow::Error>,
}

impl Router {
    pub(super) fn new(ruleset: Ruleset, stores: Stores, choice: Choice) -> Self {
        Router { ruleset, stores, choice, ended: Mutex::default() }
    }

    /// What a dry run shows, and what it reports.
    pub(super) fn plan(&self) -> Option<(String, Report)> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).plan.take()
    }

    /// Why the items could not be routed.
    pub(super) fn failure(&self) -> Option<anyhow::Error> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    /// The items with their destinations; none in a dry run.
    async fn routed(&self, items: Vec<Item>) -> anyhow::Result<Option<Vec<Routed>>> {
        let items = self.choice.of(items)?;
        let routing = dispatch::route(&self.ruleset, &items)?;
        if self.choice.check {
            let table = dispatch::table(&routing, &items, Format::Table)?;
            let plan = (table, dispatch::planned(&routing, &items)?);
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).plan = Some(plan);
            return Ok(None);
        }
        Ok(Some(dispatch::open(&routing, items, &self.stores).await?))
    }
}

#[async_trait]
impl Route for Router {
    async fn route(&self, items: Vec<Item>) -> Result<Vec<Routed>, StoreError> {
        let stop = |text: &str| StoreError::new("", ErrorKind::Configuration(text.to_owned()));
        match self.routed(items).await {
            Ok(Some(routed)) => Ok(routed),
            Ok(None) => Err(stop("a dry run ends here")),
            Err(error) => {
                let text = format!("{error:#}");
                self.ended.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(error);
                Err(stop(&text))
            }
        }
    }
}
