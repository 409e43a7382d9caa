//! What the destination of a gather holds already.

use std::collections::HashMap;
use std::sync::Arc;

use super::options::GatherError;
use crate::inventory::{Inventory, Item};
use crate::store::{Presence, Store};
use crate::types::{Digest, Manifest, Tag, Version};

/// What the destination holds from an earlier gather.
pub(in crate::mirror) struct Earlier {
    pub(in crate::mirror) index: Option<Manifest>,
    pub(in crate::mirror) items: HashMap<String, Item>,
    pub(in crate::mirror) presence: Presence,
}

impl Earlier {
    pub(in crate::mirror) async fn read(
        store: &Arc<dyn Store>,
        tag: &Tag,
    ) -> Result<Self, GatherError> {
        let failed = |source| GatherError::Destination { place: store.place(), source };
        match store.fetch(&Version::Tag(tag.clone())).await {
            Ok(index) => {
                let inventory =
                    Inventory::read(&index).map(|inventory| inventory.items).unwrap_or_default();
                let items = inventory.into_iter().map(|item| (item.source.clone(), item)).collect();
                Ok(Earlier { index: Some(index), items, presence: Presence::Unknown })
            }
            Err(error) if error.is_not_found() => {
                // A repository that does not exist is empty: nothing in it need be asked for.
                let fresh = match store.tags().await {
                    Ok(_) => false,
                    Err(error) if error.is_not_found() => true,
                    Err(error) => return Err(failed(error)),
                };
                let presence = if fresh { Presence::Absent } else { Presence::Unknown };
                Ok(Earlier { index: None, items: HashMap::new(), presence })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The earlier item of a source that still is what it was.
    pub(in crate::mirror) fn same(&self, source: &str, found: &Digest) -> Option<&Item> {
        let item = self.items.get(source)?;
        let was = item.source_index.as_ref().unwrap_or(&item.descriptor.digest);
        (was == found).then_some(item)
    }
}
