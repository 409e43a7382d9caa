//! Quirks of uploads and mounts.

use airlift_oci::types::{Digest, Version};
use airlift_serve::Route;
use airlift_serve::storage::{Repositories, RepositoryName};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use url::form_urlencoded;

use super::layer::{Faults, broken};
use super::quirk::Quirk;
use super::quirks::error;
use crate::Kind;

const CHUNK_MIN: HeaderName = HeaderName::from_static("oci-chunk-min-length");
/// More than any body that is collected.
const MOST: usize = 256 << 20;

/// Changes a request that writes blobs, or answers it.
pub(super) async fn before(
    faults: &Faults,
    kind: Kind,
    mut request: Request,
) -> Result<Request, Response> {
    if faults.remembered.is_forgotten(request.uri().path()) {
        return Err(error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"));
    }
    for quirk in &faults.plan.quirks {
        request = match (quirk, kind) {
            (
                Quirk::MountNeedsBoth | Quirk::MountFromAnywhere | Quirk::MountOnlyReferenced,
                Kind::Mount | Kind::UploadPost,
            ) => mount(faults, quirk, request).await?,
            (Quirk::SinglePostIgnored, Kind::UploadPost) => bare(request),
            (Quirk::UploadDeadline(limit), Kind::UploadPut | Kind::UploadPatch) => {
                let (head, body) = request.into_parts();
                match tokio::time::timeout(*limit, to_bytes(body, MOST)).await {
                    Ok(Ok(bytes)) => Request::from_parts(head, Body::from(bytes)),
                    _ => return Err(broken()),
                }
            }
            (Quirk::BodyLimitBreaks(limit), Kind::UploadPut | Kind::UploadPatch) => {
                let length = request.headers().get(header::CONTENT_LENGTH);
                let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
                if length.is_some_and(|length| length > *limit) {
                    return Err(broken());
                }
                request
            }
            (Quirk::ChunkTakenInPart(most), Kind::UploadPatch) => in_part(*most, request).await,
            _ => request,
        };
    }
    Ok(request)
}

/// The request with the first bytes of its body alone.
async fn in_part(most: u64, request: Request) -> Request {
    let (mut head, body) = request.into_parts();
    let mut bytes = to_bytes(body, MOST).await.unwrap_or_default();
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    for said in [header::CONTENT_LENGTH, header::CONTENT_RANGE] {
        head.headers.remove(said);
    }
    Request::from_parts(head, Body::from(bytes))
}

/// Says how small chunks may be.
pub(super) fn after(faults: &Faults, kind: Kind, response: &mut Response) {
    let opens = matches!(kind, Kind::UploadPost | Kind::Mount);
    for quirk in &faults.plan.quirks {
        if let (Quirk::SmallestChunk(least), true) = (quirk, opens) {
            response.headers_mut().insert(CHUNK_MIN, HeaderValue::from(*least));
        }
    }
}

/// The request without what it says of a blob.
fn bare(request: Request) -> Request {
    let (mut head, _) = request.into_parts();
    head.uri = Uri::try_from(head.uri.path().to_owned()).expect("a path is a URI");
    Request::from_parts(head, Body::empty())
}

async fn mount(faults: &Faults, quirk: &Quirk, request: Request) -> Result<Request, Response> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or("").as_bytes();
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(query);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let (digest, from) = (field("mount"), field("from"));
    let to = match (quirk, digest, from) {
        (Quirk::MountNeedsBoth, None, Some(_)) => {
            return Err(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"));
        }
        (Quirk::MountNeedsBoth, Some(_), None) => path,
        (Quirk::MountFromAnywhere, Some(digest), _) => {
            let owner = owner(faults, &digest).await;
            owner.map_or(path.clone(), |from| format!("{path}?mount={digest}&from={from}"))
        }
        (Quirk::MountOnlyReferenced, Some(digest), Some(from))
            if !is_referenced(faults, &digest, &from).await =>
        {
            path
        }
        _ => return Ok(request),
    };
    let (mut head, body) = request.into_parts();
    head.uri = Uri::try_from(to).expect("a path and a query are a URI");
    Ok(Request::from_parts(head, body))
}

/// A repository that has a blob.
async fn owner(faults: &Faults, digest: &str) -> Option<RepositoryName> {
    let digest: Digest = digest.parse().ok()?;
    for name in faults.storage.list().await.ok()? {
        let repository = faults.storage.get(&name).await.ok()??;
        if repository.blob_size(&digest).await.ok()?.is_some() {
            return Some(name);
        }
    }
    None
}

/// Whether a manifest of `from` names a blob.
async fn is_referenced(faults: &Faults, digest: &str, from: &str) -> bool {
    let (Ok(digest), Ok(from)) = (digest.parse::<Digest>(), from.parse()) else { return false };
    let Ok(Some(repository)) = faults.storage.get(&from).await else { return false };
    for known in faults.storage.store(&from).digests() {
        if let Ok(manifest) = repository.fetch(&Version::Digest(known)).await
            && manifest.blobs().any(|blob| blob.digest == digest)
        {
            return true;
        }
    }
    false
}

/// The refusal of a repository that is written to and does not exist.
pub(super) fn no_repository(faults: &Faults, kind: Kind, request: &Request) -> Option<Response> {
    let writes = [Kind::UploadPost, Kind::Mount, Kind::ManifestPut];
    let Ok(Route::Repository(name, _)) = Route::parse(request.uri().path()) else { return None };
    let name = name.to_string();
    let refused = faults.plan.quirks.iter().any(|quirk| match quirk {
        Quirk::RepositoriesMade(made) => !made.contains(&name),
        Quirk::PathDepth(most) => name.split('/').count() > *most,
        _ => false,
    });
    let refused = refused && writes.contains(&kind);
    refused.then(|| error(StatusCode::NOT_FOUND, "NAME_UNKNOWN"))
}
