//! Manifests: reading and writing (distribution-spec, "Pulling manifests", "Pushing Manifests").

use airlift_oci::store::{ErrorKind, StoreError};
use airlift_oci::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, Tag, Version};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::Call;
use super::answer::{
    CONTENT_DIGEST, OCI_SUBJECT, OCI_TAG, client_has, entity_tag, location, value,
};
use super::error::{Answer, Failure};
use super::query::Query;
use super::receive::small;
use crate::storage::{Repository, RepositoryName};

/// Tags that one request may set.
const MOST_TAGS: usize = 64;

pub(super) async fn get(call: Call<'_>, version: &Version) -> Answer {
    let repository = call.repository().await?;
    let missing = |error: StoreError| match error.kind() {
        ErrorKind::NotFound(_) => Failure::manifest_unknown(version),
        // What is kept here is damaged, which is no fault of whoever asks.
        ErrorKind::Digest { .. } | ErrorKind::Manifest(_) => Failure::internal(&error),
        _ => error.into(),
    };
    let (descriptor, body) = if call.is_head() {
        (repository.resolve(version).await.map_err(missing)?, Body::empty())
    } else {
        let manifest = repository.fetch(version).await.map_err(missing)?;
        (manifest.descriptor().bare(), Body::from(manifest.raw().clone()))
    };
    if client_has(&call.head.headers, &descriptor.digest) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        identify(&mut response, &descriptor.digest)?;
        return Ok(response);
    }
    let mut response = body.into_response();
    identify(&mut response, &descriptor.digest)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&descriptor.media_type)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(descriptor.size));
    Ok(response)
}

pub(super) async fn put(call: Call<'_>, version: &Version, body: Body) -> Answer {
    let tags = tags(version, call.query)?;
    let given = call.head.headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str).transpose();
    let given = given.map_err(|_| Failure::manifest_invalid("the Content-Type is not text"))?;
    let media_type = given.unwrap_or("").to_owned();
    let idle = call.registry.options.body_idle;
    let raw = small(body, MAX_MANIFEST, idle).await?;
    let raw = raw.ok_or_else(Failure::manifest_too_large)?;
    let digest = match version {
        Version::Digest(expected) => matching(expected, expected.like(&raw))?,
        Version::Tag(_) => Digest::of(&raw),
    };
    let manifest = Manifest::parse_as(&media_type, digest, raw)
        .map_err(|error| Failure::manifest_invalid(airlift_oci::store::chain(&error)))?;
    let repository = call.made().await?;
    check_children(repository.as_ref(), &manifest).await?;
    repository.put_manifest(&manifest, tags.first()).await?;
    for tag in tags.iter().skip(1) {
        repository.put_manifest(&manifest, Some(tag)).await?;
    }
    created(call.name, version, &manifest, &tags)
}

pub(super) async fn delete(call: Call<'_>, version: &Version) -> Answer {
    let repository = call.repository().await?;
    let removed = match version {
        Version::Tag(tag) => repository.remove_tag(tag).await?,
        Version::Digest(digest) => repository.remove_manifest(digest).await?,
    };
    if removed {
        Ok(StatusCode::ACCEPTED.into_response())
    } else {
        Err(Failure::manifest_unknown(version))
    }
}

fn created(name: &RepositoryName, version: &Version, manifest: &Manifest, tags: &[Tag]) -> Answer {
    let mut response = StatusCode::CREATED.into_response();
    identify(&mut response, manifest.digest())?;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(&location(name, "manifests", manifest.digest()))?);
    if let Some(subject) = manifest.subject() {
        headers.insert(OCI_SUBJECT, value(subject.digest.as_str())?);
    }
    if matches!(version, Version::Digest(_)) && !tags.is_empty() {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        headers.insert(OCI_TAG, value(&tags.join(", "))?);
    }
    Ok(response)
}

/// The tags to set: the one of the path, or those of the query when the path has a digest.
fn tags(version: &Version, query: &Query) -> Result<Vec<Tag>, Failure> {
    let Version::Tag(tag) = version else {
        let asked: Vec<&str> = query.all("tag").collect();
        if asked.len() > MOST_TAGS {
            let message = format!("one request may set {MOST_TAGS} tags");
            return Err(Failure::new(StatusCode::URI_TOO_LONG, "MANIFEST_INVALID", message));
        }
        let tags = asked.into_iter().map(str::parse).collect::<Result<_, _>>();
        return tags.map_err(|error: airlift_oci::types::ReferenceError| {
            Failure::manifest_invalid(error.to_string())
        });
    };
    Ok(vec![tag.clone()])
}

fn matching(expected: &Digest, found: Digest) -> Result<Digest, Failure> {
    if *expected == found {
        return Ok(found);
    }
    let message = format!("the manifest was sent as {expected}, but its digest is {found}");
    Err(Failure::digest_invalid(message))
}

/// Everything that the manifest names must be here. Its subject need not be, nor layers that are
/// to be had elsewhere.
async fn check_children(repository: &dyn Repository, manifest: &Manifest) -> Result<(), Failure> {
    for blob in manifest.blobs().filter(|blob| !blob.is_foreign()) {
        if !repository.claim(&blob.digest).await? {
            return Err(Failure::missing_child(&blob.digest));
        }
    }
    for child in manifest.manifests() {
        if !repository.has(child).await? {
            return Err(Failure::missing_child(&child.digest));
        }
        claim_below(repository, child).await?;
    }
    Ok(())
}

/// What a manifest that is there names is relied on from now on.
async fn claim_below(repository: &dyn Repository, manifest: &Descriptor) -> Result<(), Failure> {
    let mut left = vec![manifest.digest.clone()];
    while let Some(digest) = left.pop() {
        let manifest = match repository.fetch(&Version::Digest(digest)).await {
            Err(error) if error.is_not_found() => continue,
            found => found?,
        };
        for blob in manifest.blobs() {
            repository.claim(&blob.digest).await?;
        }
        for child in manifest.manifests() {
            repository.claim(&child.digest).await?;
            left.push(child.digest.clone());
        }
    }
    Ok(())
}

fn identify(response: &mut Response, digest: &Digest) -> Result<(), Failure> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, value(digest.as_str())?);
    headers.insert(header::ETAG, value(&entity_tag(digest))?);
    Ok(())
}
