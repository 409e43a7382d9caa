//! Manifests: raw bytes with a view of what they name. The bytes are never written anew, so a
//! foreign manifest keeps its digest whatever it holds (image-spec, manifest.md, image-index.md).

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::{Annotations, Descriptor, Digest, MAX_MANIFEST, media};

/// A manifest: its bytes, and what they name.
///
/// Cheap to clone: a graph of many manifests is held once however many lists name them.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(Arc<Inner>);

#[derive(Debug, PartialEq)]
struct Inner {
    descriptor: Descriptor,
    raw: Bytes,
    view: View,
}

/// What kind of manifest it is, by its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// Names manifests.
    Index,
    /// Names a configuration and layers.
    Image,
    /// Neither: carried as it is; what it names in `blobs`, if anything, goes with it.
    Other,
}

/// Why bytes are no manifest that can be carried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, or a field of the wrong type.
    #[error("the manifest {digest} is malformed")]
    Malformed {
        /// Of the bytes.
        digest: Digest,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// Docker schema 1: its digest covers only part of its bytes.
    #[error(
        "the manifest {0} is Docker schema 1, which is obsolete and cannot be carried; have the image pushed again by a current client"
    )]
    Schema1(Digest),
    /// Over the limit of 4 MiB.
    #[error("the manifest is {0} bytes long, over the limit of 4 MiB")]
    TooLarge(u64),
    /// The `mediaType` within contradicts the one it was given under.
    #[error("the manifest {digest} says it is {inner:?} but was given as {outer:?}")]
    Contradiction {
        /// Of the bytes.
        digest: Digest,
        /// The type in the manifest.
        inner: String,
        /// The type it was served or listed under.
        outer: String,
    },
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<Annotations>,
    #[serde(skip)]
    extra_manifests: Vec<Descriptor>,
}

impl Manifest {
    /// Reads `raw` as a manifest of the type it was served or listed under. An empty or generic
    /// type gives way to the one in the manifest, or to what its structure says.
    pub fn parse(media_type: &str, raw: Bytes) -> Result<Self, ManifestError> {
        let digest = Digest::of(&raw);
        Manifest::parse_as(media_type, digest, raw)
    }

    /// As [`Manifest::parse`], for bytes already known by `digest`, of whatever algorithm. That
    /// the digest is theirs must have been verified.
    pub fn parse_as(media_type: &str, digest: Digest, raw: Bytes) -> Result<Self, ManifestError> {
        if raw.len() as u64 > MAX_MANIFEST {
            return Err(ManifestError::TooLarge(raw.len() as u64));
        }
        let outer = media_type.split(';').next().unwrap_or("").trim();
        let mut view: View = serde_json::from_slice(&raw)
            .map_err(|source| ManifestError::Malformed { digest: digest.clone(), source })?;
        if media::is_schema1(outer) || view.schema_version == Some(1) {
            return Err(ManifestError::Schema1(digest));
        }
        let media_type = effective_type(outer, &view, &digest)?;
        view.extra_manifests = extra_manifests(&view, &digest)?;
        for list in [&mut view.layers, &mut view.manifests, &mut view.blobs].into_iter().flatten() {
            list.shrink_to_fit();
        }
        let mut descriptor = Descriptor::new(media_type, digest, raw.len() as u64);
        descriptor.artifact_type = view.artifact_type.clone();
        // Bytes that came over a connection are a small part of its buffer, which would be kept whole.
        let raw = Bytes::copy_from_slice(&raw);
        Ok(Manifest(Arc::new(Inner { descriptor, raw, view })))
    }

    /// Media type, digest and size, with the artifact type if the manifest states one.
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.0.descriptor.digest
    }

    /// The bytes, as they came.
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    /// The kind, by structure.
    pub fn kind(&self) -> ManifestKind {
        if self.0.view.manifests.is_some() {
            ManifestKind::Index
        } else if self.0.view.config.is_some() || self.0.view.layers.is_some() {
            ManifestKind::Image
        } else {
            ManifestKind::Other
        }
    }

    /// The manifests it names, in order: `manifests`, then those of the extra-manifests annotation.
    pub fn manifests(&self) -> impl Iterator<Item = &Descriptor> {
        self.0.view.manifests.iter().flatten().chain(&self.0.view.extra_manifests)
    }

    /// The manifests that the annotation of an index-fallback gather keeps apart.
    pub fn extra_manifests(&self) -> &[Descriptor] {
        &self.0.view.extra_manifests
    }

    /// The blobs it names, in order: configuration, layers, an artifact manifest's blobs. A blob
    /// named twice comes twice.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let layers = self.0.view.layers.iter().flatten();
        self.0.view.config.iter().chain(layers).chain(self.0.view.blobs.iter().flatten())
    }

    /// The configuration of an image.
    pub fn config(&self) -> Option<&Descriptor> {
        self.0.view.config.as_ref()
    }

    /// The layers of an image.
    pub fn layers(&self) -> &[Descriptor] {
        self.0.view.layers.as_deref().unwrap_or_default()
    }

    /// The manifest that this one refers to.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.0.view.subject.as_ref()
    }

    /// The annotations.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.view.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The annotation `key`, when there is one.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.view.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The artifact type: the manifest's own, else its configuration's media type
    /// (distribution-spec, "Listing Referrers").
    pub fn artifact_type(&self) -> Option<&str> {
        let config = || self.0.view.config.as_ref().map(|config| config.media_type.as_str());
        self.0.view.artifact_type.as_deref().filter(|text| !text.is_empty()).or_else(config)
    }

    /// How a list of referrers describes this manifest: with artifact type and annotations.
    pub fn referrer_descriptor(&self) -> Descriptor {
        let mut descriptor = self.0.descriptor.bare();
        descriptor.artifact_type = self.artifact_type().map(str::to_owned);
        descriptor.annotations = self.0.view.annotations.clone().unwrap_or_default();
        descriptor
    }
}

fn effective_type(outer: &str, view: &View, digest: &Digest) -> Result<String, ManifestError> {
    let inner = view.media_type.as_deref().unwrap_or("");
    let generic = matches!(outer, "" | media::OCTET_STREAM | "application/json" | "text/plain");
    if !inner.is_empty() && !generic && inner != outer {
        let (inner, outer) = (inner.to_owned(), outer.to_owned());
        return Err(ManifestError::Contradiction { digest: digest.clone(), inner, outer });
    }
    Ok(match (generic, inner) {
        (false, _) => outer,
        (true, "") if view.manifests.is_some() => media::OCI_INDEX,
        (true, "") => media::OCI_MANIFEST,
        (true, inner) => inner,
    }
    .to_owned())
}

fn extra_manifests(view: &View, digest: &Digest) -> Result<Vec<Descriptor>, ManifestError> {
    let Some(annotations) = &view.annotations else { return Ok(Vec::new()) };
    let keys = [media::EXTRA_MANIFESTS, media::EXTRA_MANIFESTS_GUIDE];
    let Some(text) = keys.iter().find_map(|key| annotations.get(*key)) else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text)
        .map_err(|source| ManifestError::Malformed { digest: digest.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(media_type: &str, text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(media_type, Bytes::copy_from_slice(text.as_bytes()))
    }

    fn image() -> String {
        let blob = |n: &str| {
            format!(r#"{{"mediaType":"m","digest":"{}","size":1}}"#, Digest::of(n.as_bytes()))
        };
        format!(
            r#"{{ "schemaVersion":2,  "config":{}, "layers":[{},{}] }}"#,
            blob("c"),
            blob("a"),
            blob("a")
        )
    }

    #[test]
    fn bytes_are_kept_and_children_are_in_order() {
        let manifest = parse(media::OCI_MANIFEST, &image()).unwrap();
        assert_eq!(manifest.raw(), image().as_bytes());
        assert_eq!(manifest.kind(), ManifestKind::Image);
        let digests: Vec<_> = manifest.blobs().map(|blob| blob.digest.clone()).collect();
        assert_eq!(digests, [Digest::of(b"c"), Digest::of(b"a"), Digest::of(b"a")]);
    }

    #[test]
    fn a_missing_type_is_found() {
        assert_eq!(parse("", &image()).unwrap().descriptor().media_type, media::OCI_MANIFEST);
        assert_eq!(
            parse("", r#"{"manifests":[]}"#).unwrap().descriptor().media_type,
            media::OCI_INDEX
        );
        let odd = parse("application/x-odd; charset=utf-8", r#"{"a":1}"#).unwrap();
        assert_eq!(
            (odd.kind(), odd.descriptor().media_type.as_str()),
            (ManifestKind::Other, "application/x-odd")
        );
    }

    #[test]
    fn refusals() {
        let schema1 = parse(media::DOCKER_SCHEMA1_SIGNED, r#"{"schemaVersion":1}"#).unwrap_err();
        assert!(schema1.to_string().contains("schema 1"));
        assert!(matches!(parse("", "{"), Err(ManifestError::Malformed { .. })));
        let both = format!(r#"{{"mediaType":"{}"}}"#, media::OCI_INDEX);
        assert!(matches!(
            parse(media::OCI_MANIFEST, &both),
            Err(ManifestError::Contradiction { .. })
        ));
        let large = Bytes::from(vec![b' '; 4 * 1024 * 1024 + 1]);
        assert!(matches!(Manifest::parse("", large), Err(ManifestError::TooLarge(_))));
    }

    #[test]
    fn extra_manifests_are_children() {
        let digest = Digest::of(b"x");
        let text = format!(
            r#"{{"manifests":[],"annotations":{{"{}":"[{{\"mediaType\":\"m\",\"digest\":\"{digest}\",\"size\":1}}]"}}}}"#,
            media::EXTRA_MANIFESTS_GUIDE
        );
        let manifest = parse(media::OCI_INDEX, &text).unwrap();
        assert_eq!(manifest.manifests().map(|child| &child.digest).collect::<Vec<_>>(), [&digest]);
    }
}
