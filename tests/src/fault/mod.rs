//! What goes wrong with a test registry, and when.
//!
//! A [`FaultPlan`] lies over the registry as a layer: the registry itself is the one that users
//! get. Rules hit single requests, by kind and number; quirks are how a registry always behaves.

mod auth;
mod body;
mod layer;
mod manifest_quirks;
mod plan;
mod profiles;
mod quirk;
mod quirks;
mod remembered;
mod rule;

mod upload_quirks;

pub use auth::{Auth, Bearer, Challenge};
pub(crate) use layer::{Faults, lay, lay_elsewhere};
pub use plan::{DigestHeader, FaultPlan, UploadLocation};
pub use profiles::{Like, USER};
pub use quirk::Quirk;
pub use rule::{Fault, When};
