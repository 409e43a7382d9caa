//! Tags, referrers and the catalog (distribution-spec, "Content Discovery").

use airlift_oci::types::{Descriptor, Digest, media};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::json;

use super::answer::FILTERS;
use super::error::Answer;
use super::page::{Page, page};
use super::query::Query;
use super::{Call, Registry};
use crate::access::{Right, Visitor};
use crate::storage::RepositoryName;

/// The size up to which a list of referrers is returned in one answer, in bytes: clients read it
/// as a manifest.
const REFERRERS_BYTES: usize = 3 * 1024 * 1024;

pub(super) async fn tags(call: Call<'_>) -> Answer {
    let tags = call.repository().await?.tags().await?;
    let name = call.name;
    let path = format!("/v2/{name}/tags/list");
    let page = page(tags, |tag| tag.as_str(), call.query, call.registry.options.page, &path, &[])?;
    let tags: Vec<&str> = page.items.iter().map(airlift_oci::types::Tag::as_str).collect();
    let body = json!({ "name": name.as_str(), "tags": tags }).to_string();
    Ok(list("application/json", body, page.next))
}

/// The repositories that the visitor may read: the others are not even named.
pub(super) async fn catalog(registry: &Registry, visitor: &Visitor, query: &Query) -> Answer {
    let mut names = registry.storage.list().await?;
    names.retain(|name| visitor.may(Right::Read, name));
    let key = RepositoryName::as_str;
    let page = page(names, key, query, registry.options.page, "/v2/_catalog", &[])?;
    let names: Vec<&str> = page.items.iter().map(key).collect();
    Ok(list("application/json", json!({ "repositories": names }).to_string(), page.next))
}

/// A repository that is not there has no referrers: a 404 would say that there is no such API.
pub(super) async fn referrers(call: Call<'_>, subject: &Digest) -> Answer {
    let (registry, name, query) = (call.registry, call.name, call.query);
    let mut found = match registry.storage.get(name).await? {
        Some(repository) => repository.referrers(subject).await?,
        None => Vec::new(),
    };
    let filter = query.get("artifactType").filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = filter {
        found.retain(|descriptor| descriptor.artifact_type.as_deref() == Some(wanted));
    }
    let path = format!("/v2/{name}/referrers/{subject}");
    let kept: Vec<_> = filter.map(|wanted| ("artifactType", wanted)).into_iter().collect();
    let most = registry.options.page.min(fitting(&found));
    let Page { items, next } = page(found, digest_of, query, most, &path, &kept)?;
    let index = json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": items });
    let mut response = list(media::OCI_INDEX, index.to_string(), next);
    if filter.is_some() {
        response.headers_mut().insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

fn digest_of(descriptor: &Descriptor) -> &str {
    descriptor.digest.as_str()
}

/// How many of the descriptors surely fit into one answer, wherever a page begins.
fn fitting(descriptors: &[Descriptor]) -> usize {
    let size = |descriptor| serde_json::to_vec(descriptor).map_or(0, |text| text.len() + 1);
    let largest = descriptors.iter().map(size).max().unwrap_or(1);
    (REFERRERS_BYTES / largest).max(1)
}

fn list(media_type: &'static str, body: String, next: Option<HeaderValue>) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    let mut response = ([(header::CONTENT_TYPE, media_type)], body).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next);
    }
    response
}
