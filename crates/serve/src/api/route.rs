//! What a path asks for (distribution-spec, "Endpoints").
//!
//! Repository names hold slashes, so a path is read from its end. Every part is checked against
//! its grammar here; nothing behind this module sees an unchecked name.

use airlift_oci::types::{Digest, ReferenceError, Tag, Version};
use percent_encoding::percent_decode_str;

use crate::storage::RepositoryName;

/// A path, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// Something in a repository.
    Repository(RepositoryName, Endpoint),
}

/// Something in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `manifests/REFERENCE`
    Manifest(Version),
    /// `blobs/DIGEST`
    Blob(Digest),
    /// `blobs/uploads/`
    Uploads,
    /// `blobs/uploads/ID`
    Upload(String),
    /// `tags/list`
    Tags,
    /// `referrers/DIGEST`
    Referrers(Digest),
}

/// Why a path asks for nothing that there can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteError {
    /// No endpoint of the specification.
    Unknown,
    /// The repository's name breaks the grammar.
    Name(String),
    /// The digest is none.
    Digest(String),
    /// The tag is none.
    Tag(String),
}

impl Route {
    /// Reads the path of a request, percent-encoded as it came.
    pub fn parse(path: &str) -> Result<Route, RouteError> {
        let path = percent_decode_str(path).decode_utf8().map_err(|_| RouteError::Unknown)?;
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Route::Base),
            Some("/_catalog") => return Ok(Route::Catalog),
            Some(rest) => rest.strip_prefix('/').ok_or(RouteError::Unknown)?,
            None => return Err(RouteError::Unknown),
        };
        let (head, last) = rest.rsplit_once('/').ok_or(RouteError::Unknown)?;
        let (head, before) = head.rsplit_once('/').ok_or(RouteError::Unknown)?;
        let (name, endpoint) = match (before, last) {
            ("tags", "list") => (head, Ok(Endpoint::Tags)),
            ("manifests", _) => (head, version(last).map(Endpoint::Manifest)),
            ("referrers", _) => (head, digest(last).map(Endpoint::Referrers)),
            ("blobs", "uploads") => (head, Ok(Endpoint::Uploads)),
            ("blobs", _) => (head, digest(last).map(Endpoint::Blob)),
            ("uploads", _) => {
                (head.strip_suffix("/blobs").ok_or(RouteError::Unknown)?, upload(last))
            }
            _ => return Err(RouteError::Unknown),
        };
        Ok(Route::Repository(repository(name)?, endpoint?))
    }
}

fn repository(text: &str) -> Result<RepositoryName, RouteError> {
    text.parse().map_err(|error| {
        // Which registry it is goes without saying here.
        RouteError::Name(match error {
            ReferenceError::Repository { repository, reason, .. } => {
                format!("invalid repository {repository:?}: {reason}")
            }
            error => error.to_string(),
        })
    })
}

fn version(text: &str) -> Result<Version, RouteError> {
    if text.contains(':') {
        return Ok(Version::Digest(digest(text)?));
    }
    let tag: Tag = text.parse().map_err(|error| RouteError::Tag(format!("{error}")))?;
    Ok(Version::Tag(tag))
}

fn digest(text: &str) -> Result<Digest, RouteError> {
    text.parse().map_err(|error| RouteError::Digest(format!("{error}")))
}

fn upload(text: &str) -> Result<Endpoint, RouteError> {
    match text {
        "" => Ok(Endpoint::Uploads),
        id if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            Ok(Endpoint::Upload(id.to_owned()))
        }
        _ => Err(RouteError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint(path: &str) -> (String, Endpoint) {
        match Route::parse(path).unwrap() {
            Route::Repository(name, endpoint) => (name.to_string(), endpoint),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn endpoints() {
        let digest = Digest::of(b"x");
        assert_eq!(Route::parse("/v2/"), Ok(Route::Base));
        assert_eq!(Route::parse("/v2"), Ok(Route::Base));
        assert_eq!(Route::parse("/v2/_catalog"), Ok(Route::Catalog));
        let tag = Endpoint::Manifest(Version::Tag("t".parse().unwrap()));
        assert_eq!(endpoint("/v2/a/manifests/t"), ("a".into(), tag));
        assert_eq!(endpoint("/v2/a/b/tags/list"), ("a/b".into(), Endpoint::Tags));
        let blob = ("a".to_owned(), Endpoint::Blob(digest.clone()));
        assert_eq!(endpoint(&format!("/v2/a/blobs/{digest}")), blob);
        let encoded = digest.to_string().replace(':', "%3A");
        assert_eq!(endpoint(&format!("/v2/a/blobs/{encoded}")), blob);
        assert_eq!(endpoint("/v2/a/blobs/uploads/"), ("a".into(), Endpoint::Uploads));
        assert_eq!(endpoint("/v2/a/blobs/uploads"), ("a".into(), Endpoint::Uploads));
        let upload = Endpoint::Upload("4f-2".into());
        assert_eq!(endpoint("/v2/a/blobs/uploads/4f-2"), ("a".into(), upload));
        let referrers = Endpoint::Referrers(digest.clone());
        assert_eq!(endpoint(&format!("/v2/a/referrers/{digest}")), ("a".into(), referrers));
        // Names may hold the words of the endpoints.
        assert_eq!(endpoint("/v2/blobs/tags/tags/list"), ("blobs/tags".into(), Endpoint::Tags));
    }

    #[test]
    fn refusals_say_which_part() {
        assert!(matches!(Route::parse("/v2/A/tags/list"), Err(RouteError::Name(_))));
        assert!(matches!(Route::parse("/v2/a/blobs/sha256:0"), Err(RouteError::Digest(_))));
        assert!(matches!(Route::parse("/v2/a/manifests/.x"), Err(RouteError::Tag(_))));
        for unknown in ["", "/", "/v1/", "/v2x", "/v2/a", "/v2/a/b", "/v2/a/uploads/x"] {
            assert_eq!(Route::parse(unknown), Err(RouteError::Unknown), "{unknown}");
        }
        for hostile in ["..", "%2e%2e", "a/..", "..%2f..", "a%00b", "a%0d%0ab", "a\\b", "%ff", ""] {
            assert!(Route::parse(&format!("/v2/{hostile}/tags/list")).is_err(), "{hostile}");
            assert!(Route::parse(&format!("/v2/a/manifests/{hostile}")).is_err(), "{hostile}");
            let upload = Route::parse(&format!("/v2/a/blobs/uploads/{hostile}"));
            assert!(upload.is_err() || hostile.is_empty(), "{hostile}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics_or_leaves_the_grammar(path in "(/v2)?/[a-zA-Z0-9:%/._-]{0,60}(/tags/list)?") {
            if let Ok(Route::Repository(name, _)) = Route::parse(&path) {
                prop_assert!(name.as_str().split('/').all(|part| !part.is_empty() && part != ".."));
                prop_assert!(name.as_str().parse::<RepositoryName>().is_ok());
            }
        }
    }
}
