//! Kinds of requests, and how many of each went to which host.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// GET of a manifest.
    ManifestGet,
    /// HEAD of a manifest.
    ManifestHead,
    /// PUT of a manifest.
    ManifestPut,
    /// GET of a blob, whole or in part.
    BlobGet,
    /// HEAD of a blob.
    BlobHead,
    /// POST that opens an upload.
    UploadStart,
    /// POST of a whole blob.
    UploadWhole,
    /// POST that asks for a mount.
    Mount,
    /// PATCH of an upload.
    UploadChunk,
    /// PUT that ends an upload.
    UploadFinish,
    /// GET of how far an upload came.
    UploadStatus,
    /// DELETE of an upload.
    UploadCancel,
    /// GET of a page of tags.
    Tags,
    /// GET of a page of referrers.
    Referrers,
    /// GET of the base, to see whether the registry lets us in.
    Base,
    /// Exchange of credentials for a token.
    Token,
    /// A further request because the answer was a redirect.
    Redirect,
}

impl Kind {
    /// The name, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::ManifestGet => "manifest-get",
            Kind::ManifestHead => "manifest-head",
            Kind::ManifestPut => "manifest-put",
            Kind::BlobGet => "blob-get",
            Kind::BlobHead => "blob-head",
            Kind::UploadStart => "upload-start",
            Kind::UploadWhole => "upload-whole",
            Kind::Mount => "mount",
            Kind::UploadChunk => "upload-chunk",
            Kind::UploadFinish => "upload-finish",
            Kind::UploadStatus => "upload-status",
            Kind::UploadCancel => "upload-cancel",
            Kind::Tags => "tags",
            Kind::Referrers => "referrers",
            Kind::Base => "base",
            Kind::Token => "token",
            Kind::Redirect => "redirect",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Requests sent so far, tries that failed included.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<String, BTreeMap<Kind, u64>>>);

impl Counts {
    pub(super) fn add(&self, host: &str, kind: Kind) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kinds) = counts.get_mut(host) {
            *kinds.entry(kind).or_default() += 1;
        } else {
            counts.insert(host.to_owned(), BTreeMap::from([(kind, 1)]));
        }
    }

    pub(super) fn read(&self) -> BTreeMap<String, BTreeMap<Kind, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
