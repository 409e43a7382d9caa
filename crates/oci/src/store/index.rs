//! What an image layout's `index.json` names, wherever the layout is (image-spec, image-layout.md).

use std::collections::BTreeSet;

use super::{ErrorKind, StoreError};
use crate::types::{Descriptor, Manifest, ManifestKind, Tag, media};

/// The tag, or whatever name, of an entry.
pub(super) fn tag_of(entry: &Descriptor) -> Option<&str> {
    entry.annotation(media::REF_NAME)
}

/// The names that are tags, sorted.
pub(super) fn tags_of(entries: &[Descriptor]) -> Vec<Tag> {
    let tags: BTreeSet<Tag> =
        entries.iter().filter_map(|entry| tag_of(entry)?.parse().ok()).collect();
    tags.into_iter().collect()
}

/// The entry that an operator means by `name`; without one the only entry, else the first when it
/// is the root that the others belong to, else `latest`.
pub(super) fn pick(
    place: &str,
    entries: &[Descriptor],
    name: Option<&str>,
) -> Result<Descriptor, StoreError> {
    let whole = |entry: &&Descriptor, name: &str| entry.annotation(media::IMAGE_NAME) == Some(name);
    let by_name = |name: &str| {
        let named = entries.iter().find(|entry| tag_of(entry) == Some(name));
        named.or_else(|| entries.iter().find(|entry| whole(entry, name)))
    };
    let found = match (name, entries) {
        (Some(name), _) => by_name(name),
        (None, [only]) => Some(only),
        // One image under several names.
        (None, [first, rest @ ..]) if rest.iter().all(|entry| entry.digest == first.digest) => {
            Some(first)
        }
        (None, [first, ..]) if first.artifact_type.as_deref() == Some(media::GATHERED) => {
            Some(first)
        }
        (None, _) => by_name("latest"),
    };
    found.cloned().ok_or_else(|| {
        let mut names: Vec<&str> = entries.iter().filter_map(tag_of).collect();
        names.truncate(20);
        let names = names.join(", ");
        let kind = match name {
            Some(name) => ErrorKind::NotFound(format!("{name:?} (it names {names})")),
            None if names.is_empty() => ErrorKind::NotFound("any image".to_owned()),
            None => ErrorKind::Configuration(format!(
                "it holds several images; name one, as in {place}:NAME: {names}"
            )),
        };
        StoreError::new(place, kind)
    })
}

/// Whether a manifest's type can be told from its content, so that an index need not tell it.
pub(super) fn is_plainly_a_manifest(manifest: &Manifest) -> bool {
    let media_type = manifest.descriptor().media_type.as_str();
    media::is_manifest(media_type)
        && manifest.kind() != ManifestKind::Other
        && Manifest::parse("", manifest.raw().clone())
            .is_ok_and(|found| found.descriptor().media_type == media_type)
}
