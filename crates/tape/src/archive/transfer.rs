//! The transfer manifest: what an archive holds, what it leaves out, and where each blob stands.
//!
//! An OCI artifact with the root as its subject, so other tools take it for a referrer. Offsets
//! count from the end of the list's own entry, which makes the list independent of its own length.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use airlift_oci::types::{Descriptor, Digest, Manifest, Tag, media};

/// Media type of the transfer manifest's one layer.
pub const TRANSFER_LIST: &str = "application/vnd.airlift.transfer.list.v1+json";
/// Content of the empty configuration (image-spec, manifest.md, "Guidance for an Empty Descriptor").
pub(super) const EMPTY: &[u8] = b"{}";

/// The list in the transfer manifest's layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Version of this list: 1.
    pub version: u64,
    /// The root.
    pub root: Digest,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The archive's length is a multiple of this many bytes.
    pub record: u64,
    /// Digest of `index.json` without its entry for the transfer manifest.
    pub index: Digest,
    /// Digest of `manifest.json`, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_json: Option<Digest>,
    /// Every gathered image.
    #[serde(default)]
    pub items: Vec<ListedItem>,
    /// Every other blob of the archive, in order.
    #[serde(default)]
    pub blobs: Vec<ListedBlob>,
    /// Every blob that is needed and not here.
    #[serde(default)]
    pub omitted: Vec<super::Omitted>,
}

/// A gathered image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedItem {
    /// Where it was gathered from.
    pub source: String,
    /// Its manifest.
    pub digest: Digest,
}

/// A blob in the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedBlob {
    /// Digest.
    pub digest: Digest,
    /// Bytes of content.
    pub size: u64,
    /// Bytes from the end of the list's entry, padding included, to the first byte of content.
    pub offset: u64,
}

impl Transfer {
    /// Reads the layer of a transfer manifest.
    pub fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The list as bytes, and the manifest that carries it.
    pub(super) fn write(
        &self,
        root: &Manifest,
    ) -> Result<(Manifest, Bytes), airlift_oci::types::ManifestError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            schema_version: u64,
            media_type: &'static str,
            artifact_type: &'static str,
            config: Descriptor,
            layers: [Descriptor; 1],
            subject: Descriptor,
        }
        let list = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        let written = Written {
            schema_version: 2,
            media_type: media::OCI_MANIFEST,
            artifact_type: media::TRANSFER,
            config: Descriptor::of(media::OCI_EMPTY, EMPTY),
            layers: [Descriptor::of(TRANSFER_LIST, &list)],
            subject: root.descriptor().bare(),
        };
        let raw = serde_json::to_vec(&written).unwrap_or_default();
        Ok((Manifest::parse(media::OCI_MANIFEST, raw.into())?, list))
    }

    /// Whether a manifest is a transfer manifest.
    pub fn is_transfer(manifest: &Manifest) -> bool {
        manifest.descriptor().artifact_type.as_deref() == Some(media::TRANSFER)
    }

    /// The tag, when it is one.
    pub fn tag(&self) -> Option<Tag> {
        self.tag.as_deref().and_then(|tag| tag.parse().ok())
    }
}
