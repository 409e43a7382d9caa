//! Descriptors: type, digest and size of a piece of content (image-spec, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, MediaType, Platform, media};

/// Annotations, sorted, so that what is written is the same every time.
pub type Annotations = BTreeMap<String, String>;

/// Type, digest and size of a piece of content.
///
/// Serialized in the field order of the specification; unknown fields are kept. Small, since a run
/// holds one for each mention of a blob: what is common to many is shared, what is rare is apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    #[serde(default)]
    pub media_type: MediaType,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content in bytes.
    pub size: u64,
    /// Where else the content may be had (foreign layers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The content itself, base64, when it was embedded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
    /// Type of an artifact, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Fields this version does not know, kept as they are.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Descriptor {
    /// A descriptor of content that is known by type, digest and size alone.
    pub fn new(media_type: impl Into<MediaType>, digest: Digest, size: u64) -> Self {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: Annotations::new(),
            data: None,
            platform: None,
            artifact_type: None,
            extra: BTreeMap::new(),
        }
    }

    /// The descriptor of `bytes` under SHA-256.
    pub fn of(media_type: impl Into<MediaType>, bytes: &[u8]) -> Self {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Type, digest and size alone, without what the place it was found in added.
    pub fn bare(&self) -> Self {
        Descriptor::new(self.media_type.clone(), self.digest.clone(), self.size)
    }

    /// As [`Descriptor::bare`], with the places a foreign layer may be had from.
    pub(crate) fn bare_with_urls(&self) -> Self {
        Descriptor { urls: self.urls.clone(), ..self.bare() }
    }

    /// Whether the media type is a known one of a manifest.
    pub fn is_manifest(&self) -> bool {
        media::is_manifest(&self.media_type)
    }

    /// Whether the content need not be in the registry: a layer that may only be had from its
    /// `urls` (Docker's foreign layers, OCI's non-distributable ones).
    pub fn is_foreign(&self) -> bool {
        !self.urls.is_empty()
            && (self.media_type.contains(".foreign.")
                || self.media_type.contains(".nondistributable."))
    }

    /// The annotation `key`, when there is one.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_unknown_ones_survive() {
        let json = format!(
            r#"{{"mediaType":"{}","digest":"{}","size":3,"annotations":{{"a":"1","b":"2"}},"zz":[1]}}"#,
            media::OCI_MANIFEST,
            Digest::of(b"abc")
        );
        let descriptor: Descriptor = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&descriptor).unwrap(), json);
    }

    #[test]
    fn many_of_them_take_little_memory() {
        assert!(size_of::<Descriptor>() <= 176, "{}", size_of::<Descriptor>());
    }

    #[test]
    fn negative_sizes_are_refused() {
        let json = format!(r#"{{"mediaType":"x","digest":"{}","size":-1}}"#, Digest::of(b""));
        assert!(serde_json::from_str::<Descriptor>(&json).is_err());
    }
}
