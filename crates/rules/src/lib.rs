//! Rulesets and label selectors: from where an image came to where it goes.
//!
//! A [`Ruleset`] gives every item its destinations, [`Routing::plan`] gives those of a whole
//! inventory and finds what is wrong with them before anything moves, and a [`Selectors`] picks
//! items by their labels. Everything is computed from what is passed in: rule files are read
//! through [`Files`], there is no network and no environment, and the same input gives the same
//! answer in any order. Only the Go functions that are about the present moment read a clock, once
//! for each rule file. `docs/rules.md` describes the file formats.

mod files;
pub mod gotemplate;
mod nearest;
mod origin;
mod routing;
mod rule;
mod ruleset;
mod selector;
mod subset;
mod table;
mod template;

pub use files::Files;
pub use nearest::nearest;
pub use origin::{Origin, Routable};
pub use routing::{Claim, Conflict, Join, Routing, RoutingError, Row, Status};
pub use rule::{Destination, Place, RouteError};
pub use ruleset::{KINDS, Ruleset, RulesetError};
pub use selector::{Selector, SelectorError, Selectors};
pub use subset::{SubsetError, Unknown, subset};
pub use table::TableError;
