//! Which headers pass. Only those on a list do, so that credentials, cookies and what belongs to one
//! connection stay where they are.

use airlift_oci::types::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Headers of a blob's answer that are the client's to see.
pub(super) const OF_BLOBS: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    header::LAST_MODIFIED,
    header::CACHE_CONTROL,
    CONTENT_DIGEST,
];

/// The headers that are on the list.
pub(super) fn kept(headers: &HeaderMap, list: &[HeaderName]) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(list.len());
    for name in list {
        for value in headers.get_all(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// The entity tag of content: its digest.
pub(super) fn entity_tag(digest: &Digest) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{digest}\"")).ok()
}

/// Whether the client says that it has the content.
pub(super) fn client_has(headers: &HeaderMap, digest: &Digest) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let own = format!("\"{digest}\"");
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == own || tag == "*")
}
