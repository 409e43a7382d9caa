//! Plans, the executor that carries them out, and the verbs that make them.
//!
//! A plan is a list of [`Transfer`]s: an image, where it is, and where it is to go. The verbs
//! differ only in how they come by one: [`gather`](gather::gather) from a list of sources,
//! [`scatter`](scatter::scatter) from a gathered index and its routing, [`clone`](clone::clone) from
//! sources and theirs.

pub mod clone;
pub mod copy;
pub mod delivery;
pub mod diff;
mod ended;
mod executor;
pub mod gather;
mod in_place;
pub mod inspect;
mod join;
mod kinship;
mod meet;
mod odds;
mod placement;
mod plan;
mod platforms;
mod report;
mod routed;
pub mod scatter;
mod sources;
mod turns;
mod union;
mod unite;

pub use ended::Ended;
pub use executor::{Executor, ExecutorOptions, TransferError};
pub use join::join;
pub use plan::{Root, Target, Transfer};
pub use platforms::{PlatformFault, Selection, select};
pub use report::{Cause, ItemReport, Report, Status};
pub use sources::{ReadSource, SourceFault, SourceImage, read_source, resolve_source};
pub use union::UnionSource;
pub use unite::{Union, unite, unite_without};
