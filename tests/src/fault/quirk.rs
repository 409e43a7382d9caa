//! The ways in which registries differ, each by its name.

use std::time::Duration;

/// What a registry always does otherwise than the one that faults are laid over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quirk {
    /// An index in an index is refused (GCR, older Artifactory).
    NestedIndexRefused,
    /// An index that names both OCI and Docker manifests is refused (older Quay).
    MixedIndexRefused,
    /// An index that names a child twice is answered with 404 (Harbor).
    RepeatedChildRefused,
    /// Docker's media types are refused (zot without its compatibility mode).
    DockerTypesRefused,
    /// A manifest whose config is neither OCI's nor Docker's is refused (older Quay).
    ConfigTypesGated,
    /// A manifest whose subject is not there is refused (GitLab).
    SubjectRequired,
    /// The answer to a manifest says that its subject lists it, but there is no referrers API.
    ReferrersUnlisted,
    /// A tag that exists cannot be put again, not even for the same manifest (ECR).
    TagsImmutable,
    /// Of manifests that arrive at the same time one is refused (Artifactory).
    ManifestsOneAtATime,
    /// So many manifests can be read; further GETs are answered with 429, HEADs are free (Docker Hub).
    ManifestGetsMetered(u64),
    /// A mount needs `from` and `mount`: without `from` it opens an upload, without `mount` it is
    /// answered with 405 (distribution, zot).
    MountNeedsBoth,
    /// A blob is mounted from whatever repository has it; `from` is not read (zot).
    MountFromAnywhere,
    /// Only blobs that a manifest of `from` names can be mounted (ECR, Artifactory).
    MountOnlyReferenced,
    /// These repositories exist; others are not made by writing to them (ECR, Harbor).
    RepositoriesMade(Vec<String>),
    /// Names of repositories have at most so many parts (GitLab).
    PathDepth(usize),
    /// A page of more tags than this is refused (Quay, ECR).
    TagPageAtMost(usize),
    /// A body that has not arrived whole after so long is given up, and nothing of it is kept
    /// (GHCR, proxies that buffer).
    UploadDeadline(Duration),
    /// The connection of a body of more bytes than this ends without an answer (proxies in front).
    BodyLimitBreaks(u64),
    /// An upload is forgotten when a request of it breaks (ACR).
    BrokenUploadsForgotten,
    /// The body of the request that opens an upload is read over, with the digest beside it
    /// (distribution, Harbor).
    SinglePostIgnored,
    /// The smallest chunk, as `OCI-Chunk-Min-Length` says.
    SmallestChunk(u64),
    /// Of a chunk no more bytes than these are taken in, as the `Range` of the answer says.
    ChunkTakenInPart(u64),
    /// An `Authorization` header of more bytes than this is refused (Quay, ACR).
    AuthorizationAtMost(usize),
}
