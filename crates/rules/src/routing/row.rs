//! The explanation of a routing: one row for every item and destination.

use std::collections::HashMap;

use serde::Serialize;

use super::key::Key;
use super::{Routing, chain};
use crate::{Origin, Routable};

/// What becomes of an item at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is sent there.
    Routed,
    /// It is joined there with the other platforms of its source.
    Joined,
    /// No rule matches it: it is not sent.
    Unmatched,
    /// The rule gives no valid destination.
    Invalid,
    /// The destination cannot be served: two items claim it, or it is a source.
    Conflict,
}

/// One row of the explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The item's source.
    pub source: String,
    /// The item's digest.
    pub digest: String,
    /// Where it goes; for an invalid destination what the rule gave.
    pub destination: Option<String>,
    /// The rule that gave the destination, as `FILE:LINE`.
    pub rule: Option<String>,
    /// What becomes of it.
    pub status: Status,
    /// What is wrong, when something is.
    pub problem: Option<String>,
}

impl Routing<'_> {
    /// The rows of all items in order: valid destinations in the order of the rules, then invalid
    /// ones. `items` are those of [`Routing::plan`].
    pub fn rows<'s>(&'s self, items: &'s [impl Routable]) -> impl Iterator<Item = Row> + 's {
        let notes = self.notes();
        let origins = items.iter().map(Routable::origin).enumerate();
        origins.flat_map(move |(item, origin)| self.item_rows(item, &origin, &notes))
    }

    fn item_rows(&self, item: usize, origin: &Origin<'_>, notes: &Notes<'_>) -> Vec<Row> {
        let row = |destination: Option<&str>, rule, status, problem| Row {
            source: origin.source.to_owned(),
            digest: origin.descriptor.digest.to_string(),
            destination: destination.map(str::to_owned),
            rule,
            status,
            problem,
        };
        let mut rows: Vec<Row> = Vec::new();
        for route in self.routes(item) {
            let text = self.text(route);
            let note = Key::of(text).and_then(|key| notes.get(&(item, key)));
            let (status, problem) = match note {
                None => (Status::Routed, None),
                Some(None) => (Status::Joined, None),
                Some(Some(problem)) => (Status::Conflict, Some(problem.clone())),
            };
            rows.push(row(Some(text), Some(self.rule(route).to_string()), status, problem));
        }
        let start = self.invalid.partition_point(|(other, _)| *other < item);
        for (_, error) in self.invalid[start..].iter().take_while(|(other, _)| *other == item) {
            let rule = Some(error.rule().to_string());
            rows.push(row(error.text(), rule, Status::Invalid, Some(chain(error))));
        }
        if rows.is_empty() {
            rows.push(row(None, None, Status::Unmatched, None));
        }
        rows
    }

    /// What is to be said about an item at a destination, however that is written: a conflict's text,
    /// or that it is joined.
    fn notes(&self) -> Notes<'_> {
        let mut notes = HashMap::new();
        for join in &self.joins {
            let key = Key::of(&join.destination).into_iter();
            let items = key.flat_map(|key| join.items.iter().map(move |item| (*item, key)));
            notes.extend(items.map(|place| (place, None)));
        }
        for conflict in &self.conflicts {
            let text = conflict.to_string();
            let key = Key::of(conflict.destination()).into_iter();
            let items = key.flat_map(|key| conflict.claims().iter().map(move |c| (c.item, key)));
            notes.extend(items.map(|place| (place, Some(text.clone()))));
        }
        notes
    }
}

type Notes<'a> = HashMap<(usize, Key<'a>), Option<String>>;
