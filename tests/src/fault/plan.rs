//! The plan: built in a test, then given to the registry at its start.

use std::time::Duration;

use super::auth::Auth;
use super::quirk::Quirk;
use super::rule::{Fault, Rule, When};
use crate::Kind;

/// What goes wrong. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    pub(crate) delay: Duration,
    pub(crate) rate: Option<u64>,
    pub(crate) limit: Option<Limit>,
    pub(crate) page: Option<usize>,
    pub(crate) auth: Auth,
    pub(crate) rules: Vec<Rule>,
    pub(crate) mounts_refused: bool,
    pub(crate) range_ignored: bool,
    pub(crate) referrers_missing: bool,
    pub(crate) blobs_redirected: bool,
    pub(crate) monolithic_limit: Option<u64>,
    pub(crate) body_limit: Option<u64>,
    pub(crate) digest_header: DigestHeader,
    pub(crate) location: UploadLocation,
    pub(crate) quirks: Vec<Quirk>,
}

/// How many requests are admitted, and what the others are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) requests_per_second: u32,
    /// `Retry-After`, in seconds
    pub(crate) wait: u32,
}

/// What the registry says in `Docker-Content-Digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestHeader {
    /// The digest.
    #[default]
    Right,
    /// Nothing.
    Missing,
    /// Another digest.
    Wrong,
}

/// How the registry writes where an upload goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UploadLocation {
    /// `/v2/…`
    #[default]
    Relative,
    /// `http://HOST:PORT/v2/…`
    Absolute,
    /// With a query that must come back.
    WithQuery,
    /// At the second host, with a query.
    OtherHost,
    /// At this host, but not below `/v2/`, with a query.
    OtherPath,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        FaultPlan::default()
    }

    /// `fault` happens to requests of this kind, `when` counted among them.
    pub fn on(self, kind: Kind, when: When, fault: Fault) -> Self {
        self.rule(Rule::new(Some(kind), "", when, fault))
    }

    /// `fault` happens to requests of this kind whose path holds `part`.
    pub fn on_path(self, kind: Kind, part: &str, when: When, fault: Fault) -> Self {
        self.rule(Rule::new(Some(kind), part, when, fault))
    }

    /// `fault` happens to requests of any kind.
    pub fn on_any(self, when: When, fault: Fault) -> Self {
        self.rule(Rule::new(None, "", when, fault))
    }

    fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The registry always does this otherwise.
    pub fn with(mut self, quirk: Quirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    /// Every request waits for this long before it is looked at.
    pub fn delayed(self, delay: Duration) -> Self {
        FaultPlan { delay, ..self }
    }

    /// Every connection carries so many bytes a second, in each direction.
    pub fn rate(self, bytes_per_second: u64) -> Self {
        FaultPlan { rate: Some(bytes_per_second), ..self }
    }

    /// More requests than this within a second are answered with 429 and `Retry-After: 1`, and so
    /// is everything until that second has passed.
    pub fn limited(self, requests_per_second: u32) -> Self {
        self.limited_for(requests_per_second, 1)
    }

    /// The same, but those above it are to wait for so many seconds.
    pub fn limited_for(self, requests_per_second: u32, wait: u32) -> Self {
        FaultPlan { limit: Some(Limit { requests_per_second, wait }), ..self }
    }

    /// Lists of tags, referrers and repositories come in pages of `n`.
    pub fn paged(self, n: usize) -> Self {
        FaultPlan { page: Some(n), ..self }
    }

    /// Who may do what.
    pub fn auth(self, auth: Auth) -> Self {
        FaultPlan { auth, ..self }
    }

    /// Mounts are answered with 202 and an upload.
    pub fn refusing_mounts(self) -> Self {
        FaultPlan { mounts_refused: true, ..self }
    }

    /// `Range` of a download is ignored: everything comes, with 200.
    pub fn ignoring_range(self) -> Self {
        FaultPlan { range_ignored: true, ..self }
    }

    /// There is no referrers API, and no `OCI-Subject`.
    pub fn without_referrers(self) -> Self {
        FaultPlan { referrers_missing: true, ..self }
    }

    /// An index in an index is refused with `MANIFEST_INVALID`.
    pub fn refusing_nested_indexes(self) -> Self {
        self.with(Quirk::NestedIndexRefused)
    }

    /// `GET` of a blob is answered with 307 to a second host.
    pub fn redirecting_blobs(self) -> Self {
        FaultPlan { blobs_redirected: true, ..self }
    }

    /// A blob sent in one request of more than `bytes` is answered with 413. Chunks are not.
    pub fn monolithic_limit(self, bytes: u64) -> Self {
        FaultPlan { monolithic_limit: Some(bytes), ..self }
    }

    /// Any upload request with more than `bytes` is answered with 413, as by a proxy in front.
    pub fn body_limit(self, bytes: u64) -> Self {
        FaultPlan { body_limit: Some(bytes), ..self }
    }

    /// What `Docker-Content-Digest` says.
    pub fn digest_header(self, digest_header: DigestHeader) -> Self {
        FaultPlan { digest_header, ..self }
    }

    /// How `Location` of uploads is written.
    pub fn location(self, location: UploadLocation) -> Self {
        FaultPlan { location, ..self }
    }
}
