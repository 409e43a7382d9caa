//! `copy`: images from where they are to where they belong, one by one, as specs, a list or a
//! prefix say.
//!
//! Three inputs make the same plan: [`read_specs`] from a stream of JSON, [`read_list`] from lines,
//! [`under_prefix`] from names. Each is checked as a whole before anything is asked of a registry;
//! then [`copy`] carries out the plan.

mod keep;
mod known;
mod limit;
mod list;
mod open;
mod prefix;
mod remember;
mod spec;
mod specs;
mod split;
mod tags;
#[cfg(test)]
mod tests;
mod validate;
mod verb;
mod violation;

pub use keep::Keep;
pub use limit::LimitFault;
pub use list::{ListError, ListOptions, read_line, read_list};
pub use open::Open;
pub use prefix::{Images, Prefix, PrefixError, all_tags, under_prefix};
pub use spec::{Place, Spec};
pub use specs::{SpecsError, read_specs};
pub use tags::{Pattern, PatternError, TagFilter};
pub use verb::{CopyOptions, copy};
pub use violation::{Fault, Violation, Violations};
