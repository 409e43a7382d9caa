//! What a template is rendered with: an OCI descriptor.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An OCI descriptor. What is absent and what is empty differ to a template, so both can be said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescriptorData {
    /// `.MediaType`
    #[serde(deserialize_with = "or_default")]
    pub media_type: String,
    /// `.Digest`
    #[serde(deserialize_with = "or_default")]
    pub digest: String,
    /// `.Size`
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
    /// `.URLs`
    pub urls: Option<Vec<String>>,
    /// `.Annotations`
    pub annotations: Option<BTreeMap<String, String>>,
    /// `.Data`, in JSON as base64
    #[serde(deserialize_with = "base64")]
    pub data: Option<Vec<u8>>,
    /// `.Platform`
    pub platform: Option<PlatformData>,
    /// `.ArtifactType`
    #[serde(deserialize_with = "or_default")]
    pub artifact_type: String,
}

/// The platform of a descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PlatformData {
    /// `.Architecture`
    #[serde(deserialize_with = "or_default")]
    pub architecture: String,
    /// `.OS`
    #[serde(deserialize_with = "or_default")]
    pub os: String,
    /// `.OSVersion`
    #[serde(rename = "os.version", deserialize_with = "or_default")]
    pub os_version: String,
    /// `.OSFeatures`
    #[serde(rename = "os.features")]
    pub os_features: Option<Vec<String>>,
    /// `.Variant`
    #[serde(deserialize_with = "or_default")]
    pub variant: String,
}

impl DescriptorData {
    /// Reads a descriptor's JSON; members it does not know are ignored.
    pub fn from_json(json: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(json)
    }
}

/// A JSON null leaves the default, as it does in Go.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    data_encoding::BASE64.decode(text.as_bytes()).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_empty_differ() {
        let json = serde_json::json!({"mediaType": "m", "size": 3, "urls": [], "data": "YQ==", "platform": {"os": "linux", "os.version": "1"}});
        let data = DescriptorData::from_json(json).unwrap();
        assert_eq!(
            (data.urls, data.annotations, data.data),
            (Some(vec![]), None, Some(b"a".to_vec()))
        );
        assert_eq!(data.platform.unwrap().os_version, "1");
    }
}
