//! A manifest as a registry gave it.

use airlift_oci::types::Digest;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// A manifest as a registry gave it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) status: StatusCode,
    pub(super) media_type: Option<HeaderValue>,
    pub(super) digest: Option<Digest>,
    pub(super) length: Option<HeaderValue>,
    pub(super) body: Bytes,
    /// The bytes are at hand and have the digest.
    pub(super) checked: bool,
}
