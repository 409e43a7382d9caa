//! The names under which the images of a layout or archive are served.

use std::sync::Arc;

use airlift_oci::inventory::{Inventory, Item, Labels};
use airlift_oci::store::{ArchiveStore, LayoutStore, Source};
use airlift_oci::types::{Descriptor, Digest, Location, Reference, Tag, Version, media};
use airlift_rules::{Routing, Ruleset};
use airlift_serve::storage::{Fixed, Repository, RepositoryName};
use anyhow::Context;

use crate::dispatch;
use crate::failure::Usage;

/// Images of one store with their names.
pub(super) struct Names {
    store: Arc<dyn Repository>,
    names: Vec<(RepositoryName, Tag, Digest)>,
}

impl Names {
    /// Repositories and tags, in order.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&str, &Tag)> {
        self.names.iter().map(|(repository, tag, _)| (repository.as_str(), tag))
    }

    /// The repositories to be served.
    pub(super) fn storage(self) -> Fixed {
        Fixed::of_names(&self.store, self.names)
    }
}

/// The images at `location` under the names that the ruleset gives, or that of their sources: as
/// with `nest=`, the registry's host is the first part of the path.
pub(super) async fn of(location: &Location, ruleset: Option<&Ruleset>) -> anyhow::Result<Names> {
    let (store, root, entries) = open(location)?;
    let items = items(store.as_ref(), &root, &entries).await?;
    let own_names = Ruleset::parse("nest=localhost", &no_files)?;
    let ruleset = ruleset.unwrap_or(&own_names);
    let routing = dispatch::route(ruleset, &items)?;
    let names = names(&routing, &items)?;
    if names.is_empty() {
        let hint = "`airlift inspect` shows what is in it, `airlift route` what a ruleset does";
        return Err(
            Usage::new(format!("nothing in {location} has a name to be served"), hint).into()
        );
    }
    Ok(Names { store, names })
}

/// There is no file in a ruleset that needs none.
fn no_files(_: &str) -> std::io::Result<String> {
    Err(std::io::ErrorKind::NotFound.into())
}

type Opened = (Arc<dyn Repository>, Descriptor, Vec<Descriptor>);

fn open(location: &Location) -> anyhow::Result<Opened> {
    match location {
        Location::Archive { file, tag } => {
            let store = ArchiveStore::open(file)?;
            let (root, entries) = (store.named(tag.as_deref())?, store.entries().to_vec());
            Ok((Arc::new(store), root, entries))
        }
        Location::Layout { directory, tag } => {
            let store = LayoutStore::open(directory)?;
            let (root, entries) = (store.named(tag.as_deref())?, store.entries()?);
            Ok((Arc::new(store), root, entries))
        }
        Location::Registry(_) => anyhow::bail!("{location} is served by its registry"),
    }
}

/// The items of the gathered index; without one, what the layout's index names.
async fn items(
    store: &dyn Repository,
    root: &Descriptor,
    entries: &[Descriptor],
) -> anyhow::Result<Vec<Item>> {
    let index = Source::fetch(store, &Version::Digest(root.digest.clone())).await?;
    if Inventory::is_gathered(&index) {
        return Ok(Inventory::read(&index)?.items);
    }
    let named = entries.iter().filter_map(|entry| {
        let name = entry.annotation(media::REF_NAME)?;
        name.parse::<Reference>().ok()?;
        Some(Item::new(entry, name, Labels::new(), None))
    });
    Ok(named.collect())
}

fn names(
    routing: &Routing<'_>,
    items: &[Item],
) -> anyhow::Result<Vec<(RepositoryName, Tag, Digest)>> {
    let mut names = Vec::new();
    for (position, item) in items.iter().enumerate() {
        for destination in routing.destinations(position, item)? {
            let reference = destination.reference;
            let name = reference.name.repository();
            let name: RepositoryName =
                name.parse().with_context(|| format!("{name} cannot be served"))?;
            // What is named by digest alone can be had by it once its repository is there.
            let tag = match (&reference.tag, &reference.digest) {
                (Some(tag), _) => tag.clone(),
                (None, None) => Tag::latest(),
                (None, Some(_)) => continue,
            };
            names.push((name, tag, item.descriptor.digest.clone()));
        }
    }
    Ok(names)
}
