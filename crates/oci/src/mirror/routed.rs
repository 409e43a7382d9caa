//! What goes where: an item, and its destinations as they were opened.

use std::sync::Arc;

use crate::inventory::Item;
use crate::store::Store;
use crate::types::Tag;

/// One item with its destinations, opened.
pub struct Routed {
    /// The item.
    pub item: Item,
    /// Where it is to go; nowhere means that no rule matched.
    pub destinations: Vec<Destination>,
}

/// One destination.
#[derive(Clone)]
pub struct Destination {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// The tag; none for a destination by digest.
    pub tag: Option<Tag>,
    /// The destination as the rules give it.
    pub label: String,
}
