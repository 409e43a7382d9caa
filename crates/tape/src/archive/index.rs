//! The archive's `index.json`: names everything in it, so that any tool finds each image.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use airlift_oci::graph::Graph;
use airlift_oci::inventory::Item;
use airlift_oci::types::{Annotations, Descriptor, Digest, Manifest, Tag, media};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    media_type: String,
    manifests: Vec<Descriptor>,
    annotations: Annotations,
}

/// What the index says besides what the graph says.
pub(super) struct Naming<'a> {
    /// Tag of the root.
    pub(super) tag: Option<&'a Tag>,
    /// The gathered images.
    pub(super) items: &'a [Item],
    /// The transfer manifest, if there is one already.
    pub(super) transfer: Option<&'a Manifest>,
    /// Name and version of the writing program.
    pub(super) version: &'a str,
}

/// The index of `graph`: the root; referrers and cosign's tags; the transfer manifest; the
/// gathered images under their sources; every other manifest.
pub(super) fn index_json(graph: &Graph, naming: &Naming<'_>) -> Vec<u8> {
    let root = graph.root();
    let mut list = vec![named(root.descriptor(), naming.tag.map(Tag::as_str))];
    let tags = graph.tags_by_digest();
    let by_digest: HashMap<&Digest, &Manifest> =
        graph.manifests().iter().map(|manifest| (manifest.digest(), manifest)).collect();
    let referrers: BTreeSet<&Digest> = graph.referrers().iter().collect();
    let extra = tags.keys().copied().filter(|digest| !referrers.contains(*digest));
    for digest in graph.referrers().iter().chain(extra) {
        let Some(manifest) = by_digest.get(digest) else { continue };
        let descriptor = manifest.referrer_descriptor();
        match tags.get(digest) {
            None => list.push(named(&descriptor, None)),
            Some(tags) => {
                list.extend(tags.iter().map(|tag| named(&descriptor, Some(tag.as_str()))));
            }
        }
    }
    list.extend(naming.transfer.map(Manifest::referrer_descriptor));
    list.extend(naming.items.iter().map(item));
    let mut seen: HashSet<Digest> = list.iter().map(|entry| entry.digest.clone()).collect();
    let children = graph.manifests().iter().flat_map(Manifest::manifests);
    let described: HashMap<&Digest, &Descriptor> =
        children.map(|child| (&child.digest, child)).collect();
    for manifest in graph.manifests() {
        if seen.insert(manifest.digest().clone()) {
            list.push(other(manifest, described.get(manifest.digest()).copied()));
        }
    }
    let size = match root.annotation(media::SIZE_DEDUP) {
        Some(size) => size.to_owned(),
        None => graph.blobs().iter().map(|blob| blob.size).sum::<u64>().to_string(),
    };
    let annotations = [
        (media::SIZE_DEDUP, size.as_str()),
        (media::SERIALIZATION, "2"),
        (media::VERSION, naming.version),
    ];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let media_type = media::OCI_INDEX.to_owned();
    write(&Index { schema_version: 2, media_type, manifests: list, annotations })
}

/// The bytes of an index written here, without its entry for the transfer manifest. `None` when
/// `text` is no index in the form in which this program writes it, or that entry is not as it
/// must be.
pub(crate) fn without(text: &[u8], transfer: &Manifest) -> Option<Vec<u8>> {
    let mut index: Index = serde_json::from_slice(text).ok()?;
    if write(&index) != text {
        return None;
    }
    let before = index.manifests.len();
    let expected = transfer.referrer_descriptor();
    index.manifests.retain(|entry| *entry != expected);
    (index.manifests.len() + 1 == before).then(|| write(&index))
}

fn write(index: &Index) -> Vec<u8> {
    serde_json::to_vec(index).unwrap_or_default()
}

fn named(descriptor: &Descriptor, name: Option<&str>) -> Descriptor {
    let mut entry = descriptor.clone();
    // What a manifest calls itself is not what the archive calls it.
    entry.annotations.remove(media::REF_NAME);
    entry.annotations.extend(name.map(|name| (media::REF_NAME.to_owned(), name.to_owned())));
    entry
}

fn item(item: &Item) -> Descriptor {
    let mut entry = item.descriptor.clone();
    // As large as an index, and of no use here: the root has it.
    entry.annotations.remove(media::SOURCE_INDEX);
    entry.annotations.insert(media::SOURCE.to_owned(), item.source.clone());
    named(&entry, Some(&item.source))
}

fn other(manifest: &Manifest, described: Option<&Descriptor>) -> Descriptor {
    let mut entry = manifest.descriptor().bare();
    entry.artifact_type = manifest.descriptor().artifact_type.clone();
    entry.platform = described.and_then(|child| child.platform.clone());
    entry
}
