//! The routing of a whole inventory, complete and checked before any byte moves.

mod conflict;
mod key;
mod row;
#[cfg(test)]
mod tests;

use std::fmt;

pub use conflict::{Claim, Conflict, Join};
pub use row::{Row, Status};

use crate::rule::{Destination, RouteError, destination};
use crate::{Origin, Routable, Ruleset};

/// Where every item of an inventory goes, and everything that is wrong with it.
///
/// Items are known by their position in the inventory. A destination takes little more room than
/// its text.
#[derive(Debug)]
pub struct Routing<'a> {
    ruleset: &'a Ruleset,
    /// The destinations' texts, one behind another.
    text: String,
    /// One route a destination, items in ascending order.
    routes: Vec<Route>,
    /// Items without a destination, ascending. They are not errors.
    pub unmatched: Vec<usize>,
    /// Items with an invalid destination, with what is wrong, in the items' order.
    pub invalid: Vec<(usize, RouteError)>,
    /// Destinations that cannot all be served, in the destinations' order.
    pub conflicts: Vec<Conflict>,
    /// Platforms of one source that share a destination: to be joined there into one index.
    pub joins: Vec<Join>,
}

/// One valid destination.
#[derive(Debug)]
struct Route {
    item: u32,
    /// Line of the ruleset's file; 0 is none.
    line: u32,
    /// Where the text ends; it starts where the one before ends.
    end: usize,
}

impl<'a> Routing<'a> {
    /// Routes all items. What is wrong is collected, not returned early: see [`Routing::check`].
    pub fn plan(ruleset: &'a Ruleset, items: &[impl Routable]) -> Self {
        let mut routing = Routing {
            ruleset,
            text: String::new(),
            routes: Vec::new(),
            unmatched: Vec::new(),
            invalid: Vec::new(),
            conflicts: Vec::new(),
            joins: Vec::new(),
        };
        for (position, item) in items.iter().enumerate() {
            routing.add(position, &item.origin());
        }
        let (conflicts, joins) = conflict::find(&routing, items);
        routing.conflicts = conflicts;
        routing.joins = joins;
        routing
    }

    fn add(&mut self, item: usize, origin: &Origin<'_>) {
        let proposals = match self.ruleset.propose(origin) {
            Ok(proposals) => proposals,
            Err(error) => return self.invalid.push((item, error)),
        };
        if proposals.is_empty() {
            self.unmatched.push(item);
        }
        let first = self.routes.len();
        for proposal in proposals {
            match self.ruleset.check(&proposal, origin) {
                Ok(destination) => self.push(item, first, &proposal.text, &destination),
                Err(error) => self.invalid.push((item, error)),
            }
        }
    }

    /// Adds a destination unless the item, whose routes start at `first`, has it already.
    fn push(&mut self, item: usize, first: usize, text: &str, destination: &Destination) {
        let start = self.text.len();
        if destination.reference.digest.is_some() {
            // It may be another than the rule gave.
            self.text.push_str(&destination.reference.to_string());
        } else {
            self.text.push_str(text);
        }
        if (first..self.routes.len()).any(|route| self.text(route) == &self.text[start..]) {
            return self.text.truncate(start);
        }
        let line = destination.rule.line.unwrap_or(0);
        self.routes.push(Route { item: item as u32, line, end: self.text.len() });
    }

    /// The text of a route's destination.
    fn text(&self, route: usize) -> &str {
        let start = route.checked_sub(1).map_or(0, |before| self.routes[before].end);
        &self.text[start..self.routes[route].end]
    }

    fn rule(&self, route: usize) -> crate::Place {
        let line = self.routes[route].line;
        self.ruleset.place((line > 0).then_some(line))
    }

    /// The routes of an item.
    fn routes(&self, item: usize) -> std::ops::Range<usize> {
        let start = self.routes.partition_point(|route| (route.item as usize) < item);
        let end = self.routes.partition_point(|route| route.item as usize <= item);
        start..end
    }

    /// The valid destinations of `item`, which stands at `position`, in the order of the rules,
    /// without repeats. What [`Routing::invalid`] lists for it is not among them.
    pub fn destinations(
        &self,
        position: usize,
        item: &impl Routable,
    ) -> Result<Vec<Destination>, RouteError> {
        let origin = item.origin();
        let read = |route| destination(self.text(route), self.rule(route), &origin);
        self.routes(position).map(read).collect()
    }

    /// How many transfers there are: pairs of an item and a destination.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether nothing goes anywhere.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Everything that forbids a start, listed together: invalid destinations and conflicts.
    /// Unmatched items do not.
    pub fn check(&self) -> Result<(), RoutingError> {
        let invalid = self.invalid.iter().map(|(_, error)| chain(error));
        let conflicts = self.conflicts.iter().map(ToString::to_string);
        let problems: Vec<String> = invalid.chain(conflicts).collect();
        if problems.is_empty() { Ok(()) } else { Err(RoutingError { problems }) }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// All that forbids a start. Displayed as a list, one problem a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingError {
    /// One text a problem.
    pub problems: Vec<String>,
}

/// More problems than these are counted, not shown.
const SHOWN: usize = 100;

impl fmt::Display for RoutingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("the ruleset gives 1 problem; nothing was moved")?,
            count => write!(f, "the ruleset gives {count} problems; nothing was moved")?,
        }
        for problem in self.problems.iter().take(SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  .. and {more} more"),
        }
    }
}

impl std::error::Error for RoutingError {}
