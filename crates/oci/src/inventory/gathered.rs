//! The gathered index: one descriptor a source (`docs/formats.md`, "The gathered index").

use serde::Serialize;

use super::Labels;
use crate::types::{Annotations, Descriptor, Digest, Manifest, ManifestError, media};

/// One gathered source.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The manifest as gathered, with the annotations that the index gives it.
    pub descriptor: Descriptor,
    /// The source as written.
    pub source: String,
    /// Its labels.
    pub labels: Labels,
    /// The original index, when platforms were selected from it.
    pub source_index: Option<Digest>,
}

/// Sizes of what was gathered, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Of all blobs, each counted as often as manifests name it.
    pub total: u64,
    /// Of the distinct blobs.
    pub deduplicated: u64,
}

/// What a gathered index says.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// One item a source, sorted by source.
    pub items: Vec<Item>,
    /// Annotations of the index.
    pub annotations: Annotations,
}

/// Why a manifest is no gathered index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// It is an image or index of another kind.
    #[error(
        "{digest} is no gathered index: its artifact type is {found:?}, expected \"application/vnd.act3-ace.data.gather+json\"; only what gather wrote can be used here"
    )]
    NotGathered {
        /// Of the manifest.
        digest: Digest,
        /// Its artifact type, or its media type when it has none.
        found: String,
    },
    /// An item does not say where it came from.
    #[error("item {0} of the gathered index has no source annotation")]
    NoSource(Digest),
    /// An item's labels are no JSON map of strings.
    #[error("the labels of {source_text} in the gathered index are malformed")]
    Labels {
        /// The item's source.
        source_text: String,
        /// What is wrong.
        #[source]
        error: serde_json::Error,
    },
    /// The index that was made is too large for a registry.
    #[error("the gathered index cannot be written")]
    Write(#[from] ManifestError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u64,
    media_type: &'a str,
    artifact_type: &'a str,
    manifests: Vec<&'a Descriptor>,
    annotations: &'a Annotations,
}

impl Item {
    /// An item as it stands in the index: the annotations of `descriptor` are replaced by those of
    /// the item, everything else is kept.
    pub fn new(
        descriptor: &Descriptor,
        source: &str,
        labels: Labels,
        source_index: Option<&Manifest>,
    ) -> Self {
        let mut descriptor = descriptor.clone();
        descriptor.data = None;
        descriptor.annotations =
            [media::SOURCE, media::REF_NAME].map(|key| (key.to_owned(), source.to_owned())).into();
        if !labels.is_empty() {
            let text = serde_json::to_string(&labels).unwrap_or_default();
            descriptor.annotations.insert(media::LABELS.to_owned(), text);
        }
        if let Some(index) = source_index {
            let text = String::from_utf8_lossy(index.raw()).into_owned();
            descriptor.annotations.insert(media::SOURCE_INDEX.to_owned(), text);
        }
        let source_index = source_index.map(|index| index.digest().clone());
        Item { descriptor, source: source.to_owned(), labels, source_index }
    }

    /// Reads an item from a descriptor of a gathered index, or of another list that has its
    /// annotations.
    pub fn read(descriptor: &Descriptor) -> Result<Self, InventoryError> {
        let source =
            descriptor.annotation(media::SOURCE).or_else(|| descriptor.annotation(media::REF_NAME));
        let source =
            source.ok_or_else(|| InventoryError::NoSource(descriptor.digest.clone()))?.to_owned();
        let labels = match descriptor.annotation(media::LABELS) {
            None | Some("") => Labels::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| InventoryError::Labels { source_text: source.clone(), error })?,
        };
        let index =
            descriptor.annotation(media::SOURCE_INDEX).map(|text| Digest::of(text.as_bytes()));
        Ok(Item { descriptor: descriptor.clone(), source, labels, source_index: index })
    }
}

impl Inventory {
    /// Reads a gathered index, of this program or of ace-dt.
    pub fn read(manifest: &Manifest) -> Result<Self, InventoryError> {
        if manifest.descriptor().artifact_type.as_deref() != Some(media::GATHERED) {
            let found =
                manifest.artifact_type().unwrap_or(&manifest.descriptor().media_type).to_owned();
            return Err(InventoryError::NotGathered { digest: manifest.digest().clone(), found });
        }
        let mut items = manifest.manifests().map(Item::read).collect::<Result<Vec<_>, _>>()?;
        items.sort_by(|a, b| a.source.cmp(&b.source));
        let annotations =
            manifest.annotations().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Inventory { items, annotations: annotations.collect() })
    }

    /// Whether a manifest says it is a gathered index.
    pub fn is_gathered(manifest: &Manifest) -> bool {
        manifest.descriptor().artifact_type.as_deref() == Some(media::GATHERED)
    }

    /// Makes the gathered index of `items`. The same items give the same bytes, whatever their
    /// order. `version` is the tool's name and version, `user` the operator's annotations. With
    /// `index_fallback`, indexes are named in an annotation, for registries that refuse them as
    /// children of an index.
    pub fn write(
        mut items: Vec<Item>,
        sizes: Sizes,
        version: &str,
        user: &Annotations,
        index_fallback: bool,
    ) -> Result<Manifest, InventoryError> {
        items.sort_by(|a, b| {
            a.source.cmp(&b.source).then_with(|| a.descriptor.digest.cmp(&b.descriptor.digest))
        });
        let apart = |item: &&Item| index_fallback && media::is_index(&item.descriptor.media_type);
        let extra: Vec<_> = items.iter().filter(apart).map(|item| &item.descriptor).collect();
        let manifests: Vec<_> =
            items.iter().filter(|item| !apart(item)).map(|item| &item.descriptor).collect();
        let mut annotations = user.clone();
        annotations.insert(media::VERSION.to_owned(), version.to_owned());
        for key in [media::SIZE_TOTAL, media::SIZE_TOTAL_GUIDE] {
            annotations.insert(key.to_owned(), sizes.total.to_string());
        }
        for key in [media::SIZE_DEDUP, media::SIZE_DEDUP_GUIDE] {
            annotations.insert(key.to_owned(), sizes.deduplicated.to_string());
        }
        if !extra.is_empty() {
            let text = serde_json::to_string(&extra).unwrap_or_default();
            for key in [media::EXTRA_MANIFESTS, media::EXTRA_MANIFESTS_GUIDE] {
                annotations.insert(key.to_owned(), text.clone());
            }
        }
        let written = Written {
            schema_version: 2,
            media_type: media::OCI_INDEX,
            artifact_type: media::GATHERED,
            manifests,
            annotations: &annotations,
        };
        let raw = serde_json::to_vec(&written).unwrap_or_default();
        Ok(Manifest::parse(media::OCI_INDEX, raw.into())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, media_type: &str) -> Item {
        let labels = Labels::from([("k".to_owned(), name.to_owned())]);
        Item::new(
            &Descriptor::of(media_type, name.as_bytes()),
            &format!("a.io/{name}:1"),
            labels,
            None,
        )
    }

    #[test]
    fn what_is_written_is_read_and_order_does_not_matter() {
        let (a, b) = (item("a", media::OCI_MANIFEST), item("b", media::OCI_INDEX));
        let sizes = Sizes { total: 7, deduplicated: 5 };
        let user = Annotations::from([("owner".to_owned(), "low".to_owned())]);
        let one = Inventory::write(vec![b.clone(), a.clone()], sizes, "v", &user, false).unwrap();
        let two = Inventory::write(vec![a.clone(), b.clone()], sizes, "v", &user, false).unwrap();
        assert_eq!(one.raw(), two.raw());
        let inventory = Inventory::read(&one).unwrap();
        assert_eq!(inventory.items, [a, b]);
        assert_eq!(inventory.annotations[media::SIZE_DEDUP], "5");
        assert_eq!(inventory.annotations[media::SIZE_TOTAL_GUIDE], "7");
        assert_eq!(inventory.annotations["owner"], "low");
    }

    #[test]
    fn index_fallback_keeps_indexes_apart_and_reading_joins_them() {
        let items = vec![item("a", media::OCI_MANIFEST), item("b", media::DOCKER_LIST)];
        let written =
            Inventory::write(items.clone(), Sizes::default(), "v", &Annotations::new(), true)
                .unwrap();
        assert_eq!(written.extra_manifests().len(), 1);
        assert_eq!(Inventory::read(&written).unwrap().items, items);
    }

    #[test]
    fn other_manifests_are_refused_by_name() {
        let plain = Manifest::parse("", r#"{"manifests":[]}"#.into()).unwrap();
        assert!(Inventory::read(&plain).unwrap_err().to_string().contains("no gathered index"));
    }
}
