//! The descriptor as a template sees it: `v1.Descriptor` and `v1.Platform` with their Go fields.

use std::rc::Rc;

use super::{Elem, List, StrMap, Value};
use crate::gotemplate::descriptor::{DescriptorData, PlatformData};
use crate::gotemplate::text::GoStr;

/// `v1.Descriptor`
#[derive(Debug)]
pub(crate) struct Descriptor {
    media_type: GoStr,
    digest: GoStr,
    size: i64,
    urls: List,
    annotations: StrMap,
    data: Option<Rc<[u8]>>,
    platform: Option<Rc<Platform>>,
    artifact_type: GoStr,
}

/// `v1.Platform`
#[derive(Debug)]
pub(crate) struct Platform {
    architecture: GoStr,
    os: GoStr,
    os_version: GoStr,
    os_features: List,
    variant: GoStr,
}

fn strings(items: Option<&Vec<String>>) -> List {
    items.map_or_else(
        || List::nil(Elem::Str),
        |items| {
            let texts = items.iter().map(|item| Value::str(item.as_str())).collect();
            List::appended(Elem::Str, texts, 0)
        },
    )
}

impl Descriptor {
    /// The Go names of the fields, in order.
    pub(crate) const FIELDS: [&'static str; 8] =
        ["MediaType", "Digest", "Size", "URLs", "Annotations", "Data", "Platform", "ArtifactType"];

    pub(crate) fn new(data: &DescriptorData) -> Self {
        let annotations = data.annotations.as_ref().map(|entries| {
            Rc::new(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
                    .collect(),
            )
        });
        Self {
            media_type: data.media_type.as_str().into(),
            digest: data.digest.as_str().into(),
            size: data.size,
            urls: strings(data.urls.as_ref()),
            annotations,
            data: data.data.as_deref().map(Rc::from),
            platform: data.platform.as_ref().map(|platform| Rc::new(Platform::new(platform))),
            artifact_type: data.artifact_type.as_str().into(),
        }
    }

    /// The field of that Go name.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "MediaType" => Value::Str(self.media_type.clone()),
            "Digest" => Value::Digest(self.digest.clone()),
            "Size" => Value::Int64(self.size),
            "URLs" => Value::List(self.urls.clone()),
            "Annotations" => Value::StrMap(self.annotations.clone()),
            "Data" => Value::Bytes(self.data.clone()),
            "Platform" => Value::Platform(self.platform.clone()),
            "ArtifactType" => Value::Str(self.artifact_type.clone()),
            _ => return None,
        })
    }

    /// Every field, in order.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        Self::FIELDS.iter().filter_map(|&name| Some((name, self.field(name)?))).collect()
    }
}

impl Platform {
    /// The Go names of the fields, in order.
    pub(crate) const FIELDS: [&'static str; 5] =
        ["Architecture", "OS", "OSVersion", "OSFeatures", "Variant"];

    fn new(data: &PlatformData) -> Self {
        Self {
            architecture: data.architecture.as_str().into(),
            os: data.os.as_str().into(),
            os_version: data.os_version.as_str().into(),
            os_features: strings(data.os_features.as_ref()),
            variant: data.variant.as_str().into(),
        }
    }

    /// The field of that Go name.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Architecture" => Value::Str(self.architecture.clone()),
            "OS" => Value::Str(self.os.clone()),
            "OSVersion" => Value::Str(self.os_version.clone()),
            "OSFeatures" => Value::List(self.os_features.clone()),
            "Variant" => Value::Str(self.variant.clone()),
            _ => return None,
        })
    }

    /// Every field, in order.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        Self::FIELDS.iter().filter_map(|&name| Some((name, self.field(name)?))).collect()
    }
}
