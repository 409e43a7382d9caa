//! Media types and annotation keys, by the specification that defines each.

/// OCI image manifest (image-spec).
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index (image-spec).
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI artifact manifest (removed from image-spec 1.1, still found in registries).
pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// OCI empty configuration (image-spec 1.1).
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// OCI image configuration (image-spec).
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI image layer, not compressed; compressed ones have a suffix (image-spec, layer.md).
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Docker manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker manifest, version 2 schema 1, which is refused.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// The signed form of Docker's schema 1, which is refused.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// What a blob is served as when nothing more is known of it.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// `artifactType` of a gathered index.
pub const GATHERED: &str = "application/vnd.act3-ace.data.gather+json";
/// `artifactType` of a transfer manifest.
pub const TRANSFER: &str = "application/vnd.airlift.transfer.v1+json";

/// Name or tag of a descriptor in an index (image-spec).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The whole name of an image, where docker and containerd put it; their [`REF_NAME`] is the tag alone.
pub const IMAGE_NAME: &str = "io.containerd.image.name";
/// A gathered item's source, as written.
pub const SOURCE: &str = "vnd.act3-ace.manifest.source";
/// A gathered item's labels: a JSON map.
pub const LABELS: &str = "data.act3-ace.io/labels";
/// A gathered item's original index, when platforms were selected from it.
pub const SOURCE_INDEX: &str = "data.act3-ace.io/source-index";
/// Tool and version that made an index.
pub const VERSION: &str = "vnd.act3-ace.data.version";
/// Version of the archive's serialization.
pub const SERIALIZATION: &str = "vnd.act3-ace.data.serialization.version";
/// Index descriptors kept out of `manifests`: a JSON array. As ace-dt's programs write it.
pub const EXTRA_MANIFESTS: &str = "vnd.act3-ace.data.extra-manifests";
/// The same, as ace-dt's guide spells it.
pub const EXTRA_MANIFESTS_GUIDE: &str = "vnd.act3-ace.extra-manifests";
/// Bytes of all blobs, once per manifest that names them. As programs write it.
pub const SIZE_TOTAL: &str = "vnd.act3-ace.data.layer.size.total";
/// The same, as ace-dt's guide spells it.
pub const SIZE_TOTAL_GUIDE: &str = "vnd.act3-ace.layer.size.total";
/// Bytes of the distinct blobs. As programs write it.
pub const SIZE_DEDUP: &str = "vnd.act3-ace.data.layer.size.deduplicated";
/// The same, as ace-dt's guide spells it.
pub const SIZE_DEDUP_GUIDE: &str = "vnd.act3-ace.layer.size.deduplicated";
/// A ledger line's offset: bytes on the medium once the entry is complete.
pub const LEDGER_OFFSET: &str = "vnd.act3-ace.data.offset";

/// The manifest types asked for, as an `Accept` header.
pub const ACCEPT_MANIFESTS: &str = concat!(
    "application/vnd.oci.image.index.v1+json, ",
    "application/vnd.oci.image.manifest.v1+json, ",
    "application/vnd.docker.distribution.manifest.list.v2+json, ",
    "application/vnd.docker.distribution.manifest.v2+json, ",
    "application/vnd.oci.artifact.manifest.v1+json, ",
    "*/*"
);

/// Whether a media type is one of an index: its children are manifests.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Whether a media type is a known one of a manifest, index or artifact manifest.
pub fn is_manifest(media_type: &str) -> bool {
    is_index(media_type) || matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT)
}

/// Whether a media type is Docker's schema 1, which cannot be carried by digest.
pub fn is_schema1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
}

/// Whether content of this type is compressed already, so that squeezing it again is in vain.
pub fn is_compressed(media_type: &str) -> bool {
    media_type.ends_with("gzip") || media_type.ends_with("+zstd") || media_type.ends_with(".zstd")
}
