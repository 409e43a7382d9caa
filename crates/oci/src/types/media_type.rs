//! The media type of a piece of content: a text of which most are one of a few.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::media;

/// Types that nearly all descriptors have. One of these takes no memory of its own, however many
/// descriptors name it.
const COMMON: [&str; 19] = [
    media::OCI_MANIFEST,
    media::OCI_INDEX,
    media::OCI_CONFIG,
    media::OCI_EMPTY,
    media::DOCKER_MANIFEST,
    media::DOCKER_LIST,
    media::DOCKER_CONFIG,
    media::OCTET_STREAM,
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.in-toto+json",
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
];

/// A media type, as written. Nothing is checked: it is only compared and carried.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Cow<'static, str>);

impl MediaType {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MediaType {
    fn default() -> Self {
        MediaType(Cow::Borrowed(""))
    }
}

impl Deref for MediaType {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        let common = COMMON.iter().find(|known| **known == text);
        MediaType(common.map_or_else(|| Cow::Owned(text.to_owned()), |known| Cow::Borrowed(*known)))
    }
}

impl From<&String> for MediaType {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> String {
        media_type.0.into_owned()
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for MediaType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(text.as_ref().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_read_whether_common_or_not() {
        for text in ["", media::OCI_MANIFEST, "application/x-odd", "\u{fc}\"\\"] {
            let media_type = MediaType::from(text);
            let json = serde_json::to_string(&media_type).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<MediaType>(&json).unwrap(), media_type);
            assert_eq!(String::from(media_type), text);
        }
    }

    #[test]
    fn a_common_type_takes_no_memory_of_its_own() {
        let read: MediaType = serde_json::from_str(&format!("{:?}", media::OCI_CONFIG)).unwrap();
        assert!(matches!(read.0, Cow::Borrowed(_)));
    }
}
