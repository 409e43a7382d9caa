//! What is asked for (`sources.list`) and what was gathered (the index that says so).

mod gathered;
mod labels;
mod sources;

pub use gathered::{Inventory, InventoryError, Item, Sizes};
pub use labels::{LabelError, Labels, parse_label};
pub use sources::{SourceLine, SourcesError, parse_sources};
