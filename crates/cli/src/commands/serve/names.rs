//! The names under which the images of a layout or archive are served.

use std::collections::BTreeMap;

use airlift_oci::inventory::{Inventory, Item, Labels};
use airlift_oci::mirror::scatter::platform_index;
use airlift_oci::store::Source;
use airlift_oci::types::{Descriptor, Digest, Manifest, Reference, Tag, Version, media};
use airlift_rules::Ruleset;
use airlift_serve::storage::RepositoryName;
use anyhow::Context;

use super::medium::Medium;
use crate::dispatch;

/// What is where on a medium.
pub(super) struct Named {
    pub(super) listed: Vec<(RepositoryName, Tag, Digest)>,
    /// Indexes that are not on it, of images that were gathered platform by platform.
    pub(super) joined: Vec<Manifest>,
}

/// The images of a medium under the names that the ruleset gives, or that of their sources: as
/// with `nest=`, the registry's host is the first part of the path. What has no name that says
/// where it is from, and the gathered artifact itself, is named after the file.
pub(super) async fn of(medium: &Medium, ruleset: Option<&Ruleset>) -> anyhow::Result<Named> {
    let (gathered, mut items) = gathered(medium).await?;
    if gathered.is_empty() {
        items = foreign(&medium.entries);
    }
    let own = if gathered.is_empty() { own_images(&medium.entries) } else { gathered };
    if ruleset.is_some() {
        items.extend(own.iter().map(|(tag, descriptor)| {
            let source = format!("localhost/{}:{tag}", medium.own_name);
            Item::new(descriptor, &source, Labels::new(), None)
        }));
    }
    let mut named = routed(&items, ruleset)?;
    if ruleset.is_none() {
        let name: RepositoryName = medium.own_name.parse()?;
        let own = own.into_iter().map(|(tag, descriptor)| (name.clone(), tag, descriptor.digest));
        named.listed.extend(own);
    }
    Ok(named)
}

/// The gathered indexes of a medium with their tags, and the items of all of them.
async fn gathered(medium: &Medium) -> anyhow::Result<(Vec<(Tag, Descriptor)>, Vec<Item>)> {
    let (mut roots, mut items) = (Vec::new(), Vec::new());
    for (position, entry) in medium.entries.iter().enumerate() {
        // Older writers do not say it in the index; theirs stands first, or has a tag for a name.
        let said = entry.artifact_type.as_deref() == Some(media::GATHERED);
        let known = roots.iter().any(|(_, known): &(Tag, Descriptor)| known.digest == entry.digest);
        if known || !said && position > 0 && !is_tagged_index(entry) {
            continue;
        }
        let version = Version::Digest(entry.digest.clone());
        let index = match Source::fetch(medium.store.as_ref(), &version).await {
            Err(error) if error.is_not_found() && !said => continue,
            index => index?,
        };
        if Inventory::is_gathered(&index) {
            items.extend(Inventory::read(&index)?.items);
            roots.push((tag_of(entry), entry.clone()));
        }
    }
    Ok((roots, items))
}

fn is_tagged_index(entry: &Descriptor) -> bool {
    let tagged = entry.annotation(media::REF_NAME).is_some_and(|name| name.parse::<Tag>().is_ok());
    tagged && media::is_index(&entry.media_type)
}

/// Images whose names say where they are from.
fn foreign(entries: &[Descriptor]) -> Vec<Item> {
    let named = entries
        .iter()
        .filter_map(|entry| Some(Item::new(entry, whole_name(entry)?, Labels::new(), None)));
    named.collect()
}

/// Images that have a tag alone, and one without any name when there is no other.
fn own_images(entries: &[Descriptor]) -> Vec<(Tag, Descriptor)> {
    let alone = entries.len() == 1;
    let own = entries.iter().filter(|entry| whole_name(entry).is_none()).filter(|entry| {
        let name = entry.annotation(media::REF_NAME);
        name.map_or(alone, |name| name.parse::<Tag>().is_ok())
    });
    own.map(|entry| (tag_of(entry), entry.clone())).collect()
}

fn whole_name(entry: &Descriptor) -> Option<&str> {
    [media::IMAGE_NAME, media::REF_NAME]
        .into_iter()
        .filter_map(|key| entry.annotation(key))
        .find(|name| name.parse::<Reference>().is_ok())
}

/// The tag of an entry, by whatever form its name has.
fn tag_of(entry: &Descriptor) -> Tag {
    let name = entry.annotation(media::REF_NAME).unwrap_or_default();
    let tag = name.parse::<Tag>().ok();
    tag.or_else(|| name.parse::<Reference>().ok()?.tag).unwrap_or_else(Tag::latest)
}

fn routed(items: &[Item], ruleset: Option<&Ruleset>) -> anyhow::Result<Named> {
    let own_names = Ruleset::parse("nest=localhost", &no_files)?;
    let routing = dispatch::route(ruleset.unwrap_or(&own_names), items)?;
    let mut names: BTreeMap<(RepositoryName, Tag), Vec<&Descriptor>> = BTreeMap::new();
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
            let known = names.entry((name, tag)).or_default();
            if known.iter().all(|known| known.digest != item.descriptor.digest) {
                known.push(&item.descriptor);
            }
        }
    }
    let mut named = Named { listed: Vec::new(), joined: Vec::new() };
    for ((name, tag), images) in names {
        // The routing refused everything else that would be two images under one name.
        let digest = if let [only] = images[..] {
            only.digest.clone()
        } else {
            let index = platform_index(images)?;
            let digest = index.digest().clone();
            named.joined.push(index);
            digest
        };
        named.listed.push((name, tag, digest));
    }
    Ok(named)
}

/// There is no file in a ruleset that needs none.
fn no_files(_: &str) -> std::io::Result<String> {
    Err(std::io::ErrorKind::NotFound.into())
}
