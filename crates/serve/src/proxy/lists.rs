//! Tags and referrers: what all registries have, as one list.

use std::collections::{BTreeMap, BTreeSet};

use airlift_oci::registry::{Access, Forward, Kind};
use airlift_oci::types::{Digest, MAX_MANIFEST, Tag, media};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::asked::Asked;
use super::backend::Backend;
use super::call::Call;
use super::failure::{Failure, Reply};
use super::silence::Silence;

/// Tags of one registry and repository that are read; a list of more is not a list for people.
const MOST_TAGS: usize = 100_000;
/// Tags in one answer when the client asks for no number or a larger one.
const PAGE: usize = 1000;
/// The largest list that is read in one answer.
const LIST_BYTES: u64 = MAX_MANIFEST;
/// The size up to which referrers are passed on, in bytes: clients read them as a manifest.
const REFERRERS_BYTES: usize = MAX_MANIFEST as usize;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Value>,
}

/// Every tag that any registry has, sorted, in pages.
pub(super) async fn tags(call: &Call<'_>) -> Reply {
    let way = call.setup.way(call.name)?;
    let asked = way.turn.iter().map(|at| {
        let backend = &call.setup.backends[*at];
        let repository = &way.repository;
        async move { (backend, tags_of(backend, repository).await) }
    });
    let mut silence = Silence::default();
    let mut found: Option<BTreeSet<String>> = None;
    for (backend, asked) in join_all(asked).await {
        if let Some(tags) = silence.unless(&backend.name, asked) {
            found.get_or_insert_default().extend(tags);
        }
    }
    let message = format!("there is no repository {}", call.name);
    let nothing = Failure::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message);
    let Some(found) = found else { return Err(silence.failure(nothing)) };
    let (page, next) = page(found, call)?;
    let body = json!({ "name": call.name.as_str(), "tags": page }).to_string();
    let mut response = list("application/json", body);
    response.headers_mut().extend(next.map(|next| (header::LINK, next)));
    warn(&mut response, &silence);
    Ok(response)
}

/// The tags that the client asks for with `n` and `last`, and the `Link` to the next.
fn page(
    tags: BTreeSet<String>,
    call: &Call<'_>,
) -> Result<(Vec<String>, Option<HeaderValue>), Failure> {
    let query: BTreeMap<_, _> =
        form_urlencoded::parse(call.head.uri.query().unwrap_or("").as_bytes()).collect();
    let asked = query.get("n").map(|n| n.parse::<usize>()).transpose().map_err(|_| {
        let message = "n must be a number";
        Failure::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", message)
    })?;
    let size = asked.unwrap_or(PAGE).min(PAGE);
    let last = query.get("last").map_or("", |last| last.as_ref());
    let mut left = tags.into_iter().filter(|tag| last.is_empty() || tag.as_str() > last);
    let page: Vec<String> = left.by_ref().take(size).collect();
    let next = match page.last() {
        Some(last) if left.next().is_some() => {
            let link = format!("</v2/{}/tags/list?n={size}&last={last}>; rel=\"next\"", call.name);
            HeaderValue::try_from(link).ok()
        }
        _ => None,
    };
    Ok((page, next))
}

/// All tags of one registry, page by page.
async fn tags_of(backend: &Backend, repository: &str) -> Asked<Vec<String>> {
    let mut all = Vec::new();
    let mut query = "n=1000".to_owned();
    loop {
        let path = format!("{repository}/tags/list?{query}");
        let request = get(Kind::Tags, &path, repository);
        let asked = backend
            .ask_whole(request, LIST_BYTES, |head, body| {
                let tags: Tags = serde_json::from_slice(&body)
                    .map_err(|_| "its answer is no list".to_owned())?;
                Ok((tags.tags.unwrap_or_default(), next_query(&head.headers)))
            })
            .await;
        let (tags, next) = match asked {
            Asked::Answer(answer) => answer,
            other => return other.map(|(tags, _)| tags),
        };
        // What is no tag by its grammar would be a way to put words into our answer.
        let before = all.len();
        all.extend(tags.into_iter().filter(|tag| tag.parse::<Tag>().is_ok()));
        match next {
            Some(next) if next != query && all.len() > before && all.len() < MOST_TAGS => {
                query = next;
            }
            _ => return Asked::Answer(all),
        }
    }
}

/// The query of the next page. Where it is said to be does not matter: only the registry is asked.
fn next_query(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(header::LINK)?.to_str().ok()?;
    let (target, rest) = link.split_once('<')?.1.split_once('>')?;
    let query = target.split_once('?')?.1;
    (rest.contains("next") && query.len() <= 1024).then(|| query.to_owned())
}

/// Every referrer that any registry knows, sorted by digest, each once.
pub(super) async fn referrers(call: &Call<'_>, subject: &Digest) -> Reply {
    let way = call.setup.way(call.name)?;
    let asked = way.turn.iter().map(|at| {
        let backend = &call.setup.backends[*at];
        let repository = &way.repository;
        async move { (backend, referrers_of(backend, repository, subject).await) }
    });
    let mut silence = Silence::default();
    let mut found = BTreeMap::new();
    let mut answered = false;
    for (backend, asked) in join_all(asked).await {
        if let Some(descriptors) = silence.unless(&backend.name, asked) {
            answered = true;
            found.extend(descriptors);
        }
    }
    if !answered && !silence.is_plain() {
        // "None" would be an answer that a check of signatures believes.
        let nothing = Failure::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "");
        return Err(silence.failure(nothing));
    }
    let filter = form_urlencoded::parse(call.head.uri.query().unwrap_or("").as_bytes())
        .find(|(key, value)| key == "artifactType" && !value.is_empty())
        .map(|(_, value)| value.into_owned());
    if let Some(wanted) = &filter {
        let is = |value: &Value| value.get("artifactType").and_then(Value::as_str) == Some(wanted);
        found.retain(|_, descriptor| is(descriptor));
    }
    let manifests: Vec<Value> = found.into_values().collect();
    let index = json!({
        "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": manifests
    });
    let text = index.to_string();
    if text.len() > REFERRERS_BYTES {
        let message = "there are more referrers than fit into one answer";
        return Err(Failure::new(StatusCode::BAD_GATEWAY, "UNAVAILABLE", message));
    }
    let mut response = list(media::OCI_INDEX, text);
    if filter.is_some() {
        let name = HeaderName::from_static("oci-filters-applied");
        response.headers_mut().insert(name, HeaderValue::from_static("artifactType"));
    }
    warn(&mut response, &silence);
    Ok(response)
}

/// The referrers that one registry knows, by digest: by the API, else by the fallback tag.
async fn referrers_of(
    backend: &Backend,
    repository: &str,
    subject: &Digest,
) -> Asked<BTreeMap<String, Value>> {
    let take = |_, body: bytes::Bytes| {
        let index: Index =
            serde_json::from_slice(&body).map_err(|_| "its answer is no index".to_owned())?;
        let by_digest = index.manifests.into_iter().filter_map(|descriptor| {
            let digest: Digest = descriptor.get("digest")?.as_str()?.parse().ok()?;
            Some((digest.to_string(), descriptor))
        });
        Ok(by_digest.collect::<BTreeMap<_, _>>())
    };
    let path = format!("{repository}/referrers/{subject}");
    let request = get(Kind::Referrers, &path, repository);
    let asked = backend.ask_whole(request, LIST_BYTES, take).await;
    if !matches!(asked, Asked::Missing | Asked::Refused(..)) {
        return asked;
    }
    let path = format!("{repository}/manifests/{}", subject.fallback_tag());
    let mut request = get(Kind::ManifestGet, &path, repository);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static(media::ACCEPT_MANIFESTS));
    backend.ask_whole(request, LIST_BYTES, take).await
}

fn get<'a>(kind: Kind, path: &'a str, repository: &'a str) -> Forward<'a> {
    let (method, access) = (Method::GET, Access::Pull(repository));
    Forward { kind, method, path, headers: HeaderMap::new(), access, body: None }
}

fn list(media_type: &'static str, body: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
}

/// Says that the list may not be whole (distribution-spec, "Warnings").
fn warn(response: &mut Response, silence: &Silence) {
    if silence.is_plain() {
        return;
    }
    let said = silence.troubles().replace(['"', '\\'], "'");
    let said: String = said.chars().filter(|c| c.is_ascii() && !c.is_control()).collect();
    let text = format!("299 - \"this list may lack something: {said}\"");
    let name = HeaderName::from_static("warning");
    response.headers_mut().extend(HeaderValue::try_from(text).ok().map(|value| (name, value)));
}
