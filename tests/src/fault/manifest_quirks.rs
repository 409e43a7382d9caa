//! Quirks of putting and reading manifests.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use airlift_oci::types::{Manifest, Version, media};
use airlift_serve::storage::Repositories;
use airlift_serve::{Endpoint, Route};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::layer::Faults;
use super::quirk::Quirk;
use super::quirks::error;

/// More than any manifest.
const MOST: usize = 16 << 20;

/// The refusal of a GET when there were too many.
pub(super) fn over_quota(faults: &Faults) -> Option<Response> {
    let most = faults.plan.quirks.iter().find_map(|quirk| match quirk {
        Quirk::ManifestGetsMetered(most) => Some(*most),
        _ => None,
    })?;
    let before = faults.remembered.manifest_gets.fetch_add(1, Ordering::Relaxed);
    (before >= most).then(|| error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"))
}

/// Looks at a manifest on its way in.
pub(super) async fn admit(faults: &Faults, request: Request) -> Result<Request, Response> {
    let invalid = || error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID");
    let route = Route::parse(request.uri().path());
    let Ok(Route::Repository(name, Endpoint::Manifest(version))) = route else {
        return Ok(request);
    };
    let (head, body) = request.into_parts();
    let raw = to_bytes(body, MOST).await.map_err(|_| invalid())?;
    let parsed = Manifest::parse("", raw.clone());
    let request = Request::from_parts(head, Body::from(raw));
    let Ok(manifest) = parsed else { return Ok(request) };
    let repository = faults.storage.get(&name).await.ok().flatten();
    for quirk in &faults.plan.quirks {
        let refusal = match quirk {
            Quirk::RepeatedChildRefused if repeats(&manifest) => {
                Some((StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"))
            }
            Quirk::TagsImmutable => {
                let there = match (&version, &repository) {
                    (Version::Tag(_), Some(repository)) => {
                        repository.resolve(&version).await.is_ok()
                    }
                    _ => false,
                };
                there.then_some((StatusCode::BAD_REQUEST, "TAG_INVALID"))
            }
            Quirk::SubjectRequired => {
                let lacks = match (manifest.subject(), &repository) {
                    (Some(subject), Some(repository)) => {
                        let subject = Version::Digest(subject.digest.clone());
                        repository.resolve(&subject).await.is_err()
                    }
                    (subject, _) => subject.is_some(),
                };
                lacks.then_some((StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"))
            }
            Quirk::ManifestsOneAtATime => {
                // So that those which come together meet.
                tokio::time::sleep(Duration::from_millis(5)).await;
                let company = faults.remembered.manifest_puts.load(Ordering::Relaxed) > 1;
                company.then_some((StatusCode::BAD_REQUEST, "MANIFEST_INVALID"))
            }
            quirk if is_refused(quirk, &manifest) => {
                Some((StatusCode::BAD_REQUEST, "MANIFEST_INVALID"))
            }
            _ => None,
        };
        if let Some((status, code)) = refusal {
            return Err(error(status, code));
        }
    }
    Ok(request)
}

/// Whether a manifest is refused for what it is.
fn is_refused(quirk: &Quirk, manifest: &Manifest) -> bool {
    let is_docker = |media_type: &str| media_type.starts_with("application/vnd.docker.");
    // What an annotation names is no child to a registry.
    let named = manifest.manifests().count() - manifest.extra_manifests().len();
    let mut children = manifest.manifests().take(named);
    match quirk {
        Quirk::NestedIndexRefused => children.any(|child| media::is_index(&child.media_type)),
        Quirk::MixedIndexRefused => {
            let kinds: BTreeSet<bool> =
                children.map(|child| is_docker(&child.media_type)).collect();
            kinds.len() > 1
        }
        Quirk::DockerTypesRefused => is_docker(&manifest.descriptor().media_type),
        Quirk::ConfigTypesGated => {
            let known = [media::OCI_CONFIG, media::DOCKER_CONFIG];
            manifest.config().is_some_and(|config| !known.contains(&&*config.media_type))
        }
        _ => false,
    }
}

fn repeats(manifest: &Manifest) -> bool {
    let mut seen = BTreeSet::new();
    manifest.manifests().any(|child| !seen.insert(&child.digest))
}
