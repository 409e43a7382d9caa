//! Changes to the entries of an index: which are added, which give way, which stay without a tag.

use std::path::Path;

use crate::store::index::{is_plainly_a_manifest, tag_of};
use crate::types::{Descriptor, Manifest, media};

/// Adds an entry. Whether anything changed.
pub(super) fn insert(root: &Path, entries: &mut Vec<Descriptor>, entry: Descriptor) -> bool {
    let Some(tag) = tag_of(&entry) else {
        let known = entries.iter().any(|old| old.digest == entry.digest);
        if !known {
            entries.push(entry);
        }
        return !known;
    };
    let moved = release(root, entries, |old| tag_of(old) == Some(tag) && *old != entry);
    if entries.contains(&entry) {
        return moved;
    }
    // An entry without a tag was there only so that the manifest is listed, which it is now.
    entries.retain(|old| old.digest != entry.digest || tag_of(old).is_some());
    entries.push(entry);
    true
}

/// Takes the tags from entries. What must be listed to be found stays, without a tag.
pub(super) fn release(
    root: &Path,
    entries: &mut Vec<Descriptor>,
    which: impl Fn(&Descriptor) -> bool,
) -> bool {
    if !entries.iter().any(&which) {
        return false;
    }
    let (mut gone, kept): (Vec<_>, Vec<_>) = entries.drain(..).partition(which);
    *entries = kept;
    for entry in &mut gone {
        entry.annotations.remove(media::REF_NAME);
        let listed = entries.iter().any(|other| other.digest == entry.digest);
        if !listed && must_be_listed(root, entry) {
            entries.push(entry.clone());
        }
    }
    true
}

/// Whether nobody would find a manifest, or know its type, if it were not in the index.
fn must_be_listed(root: &Path, entry: &Descriptor) -> bool {
    let digest = &entry.digest;
    let path = root.join("blobs").join(digest.algorithm().as_str()).join(digest.hex());
    let Ok(raw) = std::fs::read(path) else { return false };
    Manifest::parse_as(&entry.media_type, digest.clone(), raw.into())
        .is_ok_and(|manifest| manifest.subject().is_some() || !is_plainly_a_manifest(&manifest))
}
