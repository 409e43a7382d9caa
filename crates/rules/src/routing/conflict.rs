//! Destinations that more than one item claims, and destinations that are sources.

use std::fmt;

use airlift_oci::types::{Digest, Platform};

use super::Routing;
use super::key::Key;
use crate::{Origin, Place, Routable};

/// One item's claim to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The item's position in the inventory.
    pub item: usize,
    /// Its source.
    pub source: String,
    /// Its digest.
    pub digest: Digest,
    /// The rule that sends it there.
    pub rule: Place,
}

/// A destination that cannot be served as the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// Items with different content claim one destination.
    Several {
        /// The destination.
        destination: String,
        /// The claims, in the items' order.
        claims: Vec<Claim>,
    },
    /// A destination is also the source of an item: sending would overwrite what is read.
    Source {
        /// The destination.
        destination: String,
        /// Who claims it.
        claim: Claim,
        /// The item whose source it is.
        item: usize,
    },
}

/// Platforms of one source that go to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The destination.
    pub destination: String,
    /// Positions of the items to be joined into one index, ascending.
    pub items: Vec<usize>,
}

/// A number of a key and the position of what has the key.
type Numbered = (u64, u32);

/// Finds all conflicts and joins, sorted by destination.
pub(super) fn find(routing: &Routing<'_>, items: &[impl Routable]) -> (Vec<Conflict>, Vec<Join>) {
    let key = |route: u32| Key::of(routing.text(route as usize));
    let mut routes: Vec<Numbered> = (0..routing.routes.len() as u32)
        .filter_map(|route| key(route).map(|key| (key.number(), route)))
        .collect();
    routes.sort_unstable();
    let shared = shared(&routes, key);
    let sources = sources(&routes, key, items);
    if shared.is_empty() && sources.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let (mut conflicts, mut joins) = (Vec::new(), Vec::new());
    for routes in shared {
        judge(routing, items, &routes, &mut conflicts, &mut joins);
    }
    for (route, item) in sources {
        let destination = routing.text(route).to_owned();
        let claim = claim(routing, items, route);
        conflicts.push(Conflict::Source { destination, claim, item });
    }
    conflicts.sort_by(|a, b| a.order().cmp(&b.order()));
    joins.sort_by(|a, b| a.destination.cmp(&b.destination));
    (conflicts, joins)
}

/// Groups of two and more routes with one key. Equal numbers alone are not trusted.
fn shared<'k>(numbered: &[Numbered], key: impl Fn(u32) -> Option<Key<'k>>) -> Vec<Vec<usize>> {
    let mut groups = Vec::new();
    for run in numbered.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let mut rest: Vec<u32> = run.iter().map(|(_, route)| *route).collect();
        while let Some(first) = rest.first().copied() {
            let (same, other): (Vec<u32>, Vec<u32>) =
                rest.into_iter().partition(|route| key(*route) == key(first));
            if same.len() > 1 {
                groups.push(same.into_iter().map(|route| route as usize).collect());
            }
            rest = other;
        }
    }
    groups
}

/// Pairs of a route and the item whose source it leads to.
fn sources<'k>(
    numbered: &[Numbered],
    key: impl Fn(u32) -> Option<Key<'k>>,
    items: &[impl Routable],
) -> Vec<(usize, usize)> {
    let number = |(item, origin): (usize, Origin<'_>)| {
        Key::of(origin.source).map(|key| (key.number(), item as u32))
    };
    let origins = items.iter().map(Routable::origin).enumerate();
    let mut sources: Vec<Numbered> = origins.filter_map(number).collect();
    sources.sort_unstable();
    let mut found = Vec::new();
    let mut routes = numbered;
    for (number, item) in sources {
        let behind = routes.iter().take_while(|(other, _)| *other < number).count();
        routes = &routes[behind..];
        let run = routes.iter().take_while(|(other, _)| *other == number);
        // Looked up only now: most sources are no destination, and a million of them in this
        // order are a million places in memory.
        let source = || Key::of(items[item as usize].origin().source);
        let same = run.filter(|(_, route)| key(*route) == source());
        found.extend(same.map(|(_, route)| (*route as usize, item as usize)));
    }
    found
}

/// Decides about several routes to one place: the same content, a join or a conflict.
fn judge(
    routing: &Routing<'_>,
    items: &[impl Routable],
    routes: &[usize],
    conflicts: &mut Vec<Conflict>,
    joins: &mut Vec<Join>,
) {
    // An item may claim one place twice, in two spellings.
    let mut routes: Vec<usize> = routes.to_vec();
    routes.dedup_by_key(|route| routing.routes[*route].item);
    let members: Vec<usize> =
        routes.iter().map(|route| routing.routes[*route].item as usize).collect();
    let digest = |item: &usize| &items[*item].origin().descriptor.digest;
    if members.iter().all(|item| digest(item) == digest(&members[0])) {
        return;
    }
    let destination = routing.text(routes[0]).to_owned();
    if platforms_of_one_source(items, &members) {
        joins.push(Join { destination, items: members });
    } else {
        let claims = routes.iter().map(|route| claim(routing, items, *route)).collect();
        conflicts.push(Conflict::Several { destination, claims });
    }
}

/// Whether the items are platforms of one source, each another one. What was gathered twice, as a
/// source with two sets of labels is, counts once.
fn platforms_of_one_source(items: &[impl Routable], members: &[usize]) -> bool {
    let source = items[members[0]].origin().source;
    let mut known: Vec<(&Platform, &Digest)> = Vec::new();
    members.iter().all(|item| {
        let item = items[*item].origin();
        let Some(platform) = item.descriptor.platform.as_deref() else { return false };
        let digest = &item.descriptor.digest;
        let good = known.iter().all(|(other, content)| *other != platform || *content == digest);
        known.push((platform, digest));
        good && item.source == source
    })
}

fn claim(routing: &Routing<'_>, items: &[impl Routable], route: usize) -> Claim {
    let item = routing.routes[route].item as usize;
    let origin = items[item].origin();
    Claim {
        item,
        source: origin.source.to_owned(),
        digest: origin.descriptor.digest.clone(),
        rule: routing.rule(route),
    }
}

impl Conflict {
    /// The destination in question.
    pub fn destination(&self) -> &str {
        match self {
            Conflict::Several { destination, .. } | Conflict::Source { destination, .. } => {
                destination
            }
        }
    }

    /// The claims to it.
    pub fn claims(&self) -> &[Claim] {
        match self {
            Conflict::Several { claims, .. } => claims,
            Conflict::Source { claim, .. } => std::slice::from_ref(claim),
        }
    }

    fn order(&self) -> (&str, bool, Option<usize>) {
        let source = matches!(self, Conflict::Source { .. });
        (self.destination(), source, self.claims().first().map(|claim| claim.item))
    }
}

/// More claims than these are counted, not shown.
const SHOWN: usize = 5;

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Several { destination, claims } => {
                write!(f, "{destination} is claimed by {} items:", claims.len())?;
                for (at, claim) in claims.iter().take(SHOWN).enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma} {} ({})", claim.source, claim.rule)?;
                }
                match claims.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Conflict::Source { destination, claim, .. } => write!(
                f,
                "{destination} is the destination of {} ({}) and also a source",
                claim.source, claim.rule
            ),
        }
    }
}
