//! From a graph to the entries of its archive, in the order of `docs/formats.md`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::header::padding;
use super::index::{Naming, index_json};
use super::layout::{Entry, Layout};
use super::transfer::{EMPTY, ListedBlob, ListedItem, Transfer};
use airlift_oci::graph::Graph;
use airlift_oci::inventory::{Inventory, InventoryError, Item};
use airlift_oci::types::{Descriptor, Digest, ManifestError, Tag, media};

/// Tar's own record: 20 blocks.
pub const DEFAULT_RECORD: u64 = 10_240;

/// Content of `oci-layout`.
pub(crate) const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const VERSION: &str = concat!("airlift ", env!("CARGO_PKG_VERSION"));

/// What the archive's bytes depend on besides the graph.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// Tag of the root.
    pub tag: Option<Tag>,
    /// The archive's length is a multiple of this many bytes.
    pub record: u64,
    /// Write `manifest.json` for docker and ctr.
    pub manifest_json: bool,
    /// Blobs that the far side has, each with the place where it is expected.
    pub existing: BTreeMap<Digest, String>,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        ArchiveOptions {
            tag: None,
            record: DEFAULT_RECORD,
            manifest_json: false,
            existing: BTreeMap::new(),
        }
    }
}

/// A blob that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Omitted {
    /// What it is.
    #[serde(flatten)]
    pub descriptor: Descriptor,
    /// Where it is expected: an image, an earlier archive.
    pub expected: String,
}

/// An archive, planned.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every entry with its offsets.
    pub layout: Layout,
    /// What the transfer manifest says.
    pub transfer: Transfer,
}

impl Plan {
    /// Plans the archive of `graph`. The same graph and options give the same bytes.
    pub fn new(graph: &Graph, options: &ArchiveOptions) -> Result<Self, PlanError> {
        let items = items(graph)?;
        let (kept, omitted) = split(graph, &options.existing);
        let naming =
            Naming { tag: options.tag.as_ref(), items: &items, transfer: None, version: VERSION };
        let docker = options.manifest_json.then(|| Bytes::from(docker(graph, &items, options)));
        let transfer = Transfer {
            version: 1,
            root: graph.root().digest().clone(),
            tag: options.tag.as_ref().map(ToString::to_string),
            record: options.record,
            index: Digest::of(&index_json(graph, &naming)),
            manifest_json: docker.as_deref().map(Digest::of),
            items: items
                .iter()
                .map(|item| ListedItem {
                    source: item.source.clone(),
                    digest: item.descriptor.digest.clone(),
                })
                .collect(),
            blobs: listed(&kept),
            omitted,
        };
        let (manifest, list) = transfer.write(graph.root())?;
        let index = index_json(graph, &Naming { transfer: Some(&manifest), ..naming });

        let mut entries = vec![
            Entry::document("oci-layout", Bytes::from_static(MARKER)),
            Entry::document("index.json", index.into()),
        ];
        let manifests = graph.manifests().iter().chain([&manifest]);
        let manifests = manifests
            .map(|manifest| Entry::inline(manifest.descriptor().clone(), manifest.raw().clone()));
        let manifests: Vec<Entry> = manifests.collect();
        entries.extend(directories(manifests.iter().chain(&kept)));
        entries.extend(manifests);
        let empty = Descriptor::of(media::OCI_EMPTY, EMPTY);
        entries.push(Entry::inline(empty, Bytes::from_static(EMPTY)));
        entries.push(Entry::inline(manifest.layers()[0].clone(), list));
        entries.extend(kept);
        entries.extend(docker.map(|bytes| Entry::document("manifest.json", bytes)));
        Ok(Plan { layout: Layout::new(entries, options.record), transfer })
    }
}

/// Why an archive cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The root says it is a gathered index and is not.
    #[error("the gathered index cannot be read")]
    Inventory(#[from] InventoryError),
    /// The transfer manifest is none.
    #[error("the transfer manifest cannot be made")]
    Manifest(#[from] ManifestError),
}

fn items(graph: &Graph) -> Result<Vec<Item>, InventoryError> {
    if Inventory::is_gathered(graph.root()) {
        Ok(Inventory::read(graph.root())?.items)
    } else {
        Ok(Vec::new())
    }
}

/// The blobs to be written, and those to be left out.
fn split(graph: &Graph, existing: &BTreeMap<Digest, String>) -> (Vec<Entry>, Vec<Omitted>) {
    let empty = Digest::of(EMPTY);
    let (mut kept, mut omitted) = (Vec::new(), Vec::new());
    // The empty configuration goes with the transfer manifest in any case.
    for blob in graph.blobs().iter().filter(|blob| blob.digest != empty) {
        match existing.get(&blob.digest) {
            None => kept.push(Entry::blob(blob.clone())),
            Some(expected) => {
                omitted.push(Omitted { descriptor: blob.clone(), expected: expected.clone() });
            }
        }
    }
    (kept, omitted)
}

fn listed(kept: &[Entry]) -> Vec<ListedBlob> {
    let mut next = 0;
    let listed = |entry: &Entry| {
        let offset = next + entry.header().len() as u64;
        next = offset + entry.size() + padding(entry.size());
        Some(ListedBlob { digest: entry.digest()?.clone(), size: entry.size(), offset })
    };
    kept.iter().filter_map(listed).collect()
}

fn docker(graph: &Graph, items: &[Item], options: &ArchiveOptions) -> Vec<u8> {
    let named: Vec<(Digest, String)> = if items.is_empty() {
        let name = options.tag.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![(graph.root().digest().clone(), name)]
    } else {
        items.iter().map(|item| (item.descriptor.digest.clone(), item.source.clone())).collect()
    };
    super::docker::manifest_json(graph, &named)
}

fn directories<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Entry> {
    let mut used: Vec<_> = entries.filter_map(Entry::digest).map(Digest::algorithm).collect();
    // The transfer manifest's own blobs.
    used.push(airlift_oci::types::Algorithm::Sha256);
    used.sort_unstable();
    used.dedup();
    let mut all = vec![Entry::directory("blobs")];
    all.extend(used.iter().map(|name| Entry::directory(&format!("blobs/{}", name.as_str()))));
    all
}
