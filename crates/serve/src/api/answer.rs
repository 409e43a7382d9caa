//! Parts that several answers share: locations, content headers, conditions.

use airlift_oci::types::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::Failure;
use crate::storage::RepositoryName;

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// A header value of text that came from outside.
pub(super) fn value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text)
        .map_err(|_| Failure::manifest_invalid("a media type holds what no header can"))
}

/// Where the content `digest` of the kind `kind` (`blobs`, `manifests`) can be pulled.
pub(super) fn location(name: &RepositoryName, kind: &str, digest: &Digest) -> String {
    format!("/v2/{name}/{kind}/{digest}")
}

/// The entity tag of content: its digest, which never names other bytes.
pub(super) fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether the client says that it has the content already.
pub(super) fn client_has(headers: &HeaderMap, digest: &Digest) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let own = entity_tag(digest);
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == own || tag == "*")
}
