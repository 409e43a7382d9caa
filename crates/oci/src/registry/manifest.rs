//! Manifests: resolved, fetched, looked for, and put, one request each.

use http::{HeaderValue, Method, StatusCode, header};

use super::answer::Answer;
use super::call::{Call, Payload, Read};
use super::failure;
use super::kind::Kind;
use super::repo::Repo;
use crate::store::{ErrorKind, StoreError, chain};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestError, Version, media};

const DIGEST_HEADER: &str = "docker-content-digest";

/// The descriptor of what `version` names: one HEAD, or a GET where its answer does not say enough.
pub(super) async fn resolve(repo: &Repo, version: &Version) -> Result<Descriptor, StoreError> {
    let call = call(repo, Kind::ManifestHead, Method::HEAD, version, Read::Whole(0));
    match repo.pull(&call).await {
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
            return Err(answer.error_about(version));
        }
        Ok(answer) if answer.status.is_success() => {
            if let Some(descriptor) = described(&answer, version) {
                return Ok(descriptor);
            }
        }
        // Registries that refuse HEAD do so in many ways; a GET tells what is really wrong.
        Ok(_) => {}
        Err(error) if error.is_denied() => {}
        Err(error) => return Err(error),
    }
    Ok(fetch(repo, version).await?.descriptor().bare())
}

/// The descriptor that the headers state, when they are complete.
fn described(answer: &Answer, version: &Version) -> Option<Descriptor> {
    let stated = answer.header(DIGEST_HEADER).and_then(|text| text.trim().parse::<Digest>().ok());
    let digest = match version {
        Version::Digest(digest) => digest.clone(),
        Version::Tag(_) => stated?,
    };
    let media_type = answer.header("content-type")?.split(';').next()?.trim().to_owned();
    let size = answer.length()?;
    media::is_manifest(&media_type).then(|| Descriptor::new(media_type, digest, size))
}

/// The manifest that `version` names, verified; damaged once, it is fetched once more.
pub(super) async fn fetch(repo: &Repo, version: &Version) -> Result<Manifest, StoreError> {
    let answer = get(repo, version).await?;
    let (stated, packed) = (expected(version, &answer), answer.packed());
    let error = match check(repo, stated.clone(), answer) {
        Err(error) if is_other(&error) => error,
        result => return result,
    };
    if let Some(packed) = packed {
        return Err(failure::packed(&repo.place, &packed));
    }
    if !may_pass(&error, stated.as_ref()) {
        return Err(error);
    }
    tracing::debug!(place = repo.place, error = %error, "manifest fetched once more");
    let answer = get(repo, version).await?;
    check(repo, expected(version, &answer), answer)
}

/// Whether other content may have come to be so on its way: where nobody states a digest or a length, one that was cut off is malformed and nothing else.
fn may_pass(error: &StoreError, stated: Option<&Digest>) -> bool {
    matches!(error.kind(), ErrorKind::Digest { .. }) || stated.is_none()
}

/// Whether what came is other content than was asked for, or none.
fn is_other(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Digest { .. } | ErrorKind::Manifest(ManifestError::Malformed { .. })
    )
}

async fn get(repo: &Repo, version: &Version) -> Result<Answer, StoreError> {
    let read = Read::Whole(MAX_MANIFEST as usize);
    let answer = repo.pull(&call(repo, Kind::ManifestGet, Method::GET, version, read)).await?;
    if !answer.status.is_success() {
        return Err(answer.error_about(version));
    }
    Ok(answer)
}

/// The digest that a manifest must have, as far as anybody says.
fn expected(version: &Version, answer: &Answer) -> Option<Digest> {
    match version {
        Version::Digest(digest) => Some(digest.clone()),
        Version::Tag(_) => answer.header(DIGEST_HEADER).and_then(|text| text.trim().parse().ok()),
    }
}

fn check(repo: &Repo, expected: Option<Digest>, answer: Answer) -> Result<Manifest, StoreError> {
    let wrong = |kind: ManifestError| StoreError::new(&*repo.place, ErrorKind::Manifest(kind));
    let length = answer.body.len() as u64;
    if length > MAX_MANIFEST {
        let stated = answer.length().unwrap_or(length).max(length);
        return Err(wrong(ManifestError::TooLarge(stated)));
    }
    let media_type = answer.header("content-type").unwrap_or("").to_owned();
    if media::is_schema1(media_type.split(';').next().unwrap_or("").trim()) {
        // Its digest leaves out its signatures, so it cannot be checked: say what it is instead.
        let digest = expected.unwrap_or_else(|| Digest::of(&answer.body));
        return Err(wrong(ManifestError::Schema1(digest)));
    }
    let found = expected
        .as_ref()
        .map_or_else(|| Digest::of(&answer.body), |expected| expected.like(&answer.body));
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(StoreError::new(&*repo.place, ErrorKind::Digest { expected, found }));
    }
    Manifest::parse_as(&media_type, found, answer.body).map_err(wrong)
}

/// Whether a manifest is there.
pub(super) async fn has(repo: &Repo, digest: &Digest) -> Result<bool, StoreError> {
    let version = Version::Digest(digest.clone());
    let call = call(repo, Kind::ManifestHead, Method::HEAD, &version, Read::Whole(0));
    let answer = repo.pull(&call).await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(false),
        status if status.is_success() => Ok(true),
        _ => Err(answer.error()),
    }
}

/// One PUT.
pub(super) async fn put_as(
    repo: &Repo,
    manifest: &Manifest,
    version: &Version,
) -> Result<Answer, StoreError> {
    let mut call = call(repo, Kind::ManifestPut, Method::PUT, version, Read::Whole(1024));
    let media_type = &manifest.descriptor().media_type;
    let media_type = HeaderValue::from_str(media_type)
        .map_err(|_| repo.protocol(format!("the media type {media_type:?} fits no header")))?;
    call.headers.insert(header::CONTENT_TYPE, media_type);
    call.payload = Payload::Bytes(manifest.raw().clone());
    let answer = repo.push(&call).await?;
    if !answer.status.is_success() {
        if failure::codes(&answer.body).iter().any(|code| code.contains("BLOB_UNKNOWN")) {
            // What was thought to be there is not: the next try shall not think so.
            repo.facts.forget();
        }
        return Err(answer.error());
    }
    let stated = answer.header(DIGEST_HEADER).and_then(|text| text.trim().parse::<Digest>().ok());
    let expected = manifest.digest();
    match stated.filter(|stated| stated.algorithm() == expected.algorithm() && stated != expected) {
        Some(found) => {
            let expected = expected.clone();
            Err(StoreError::new(&*repo.place, ErrorKind::Digest { expected, found }))
        }
        None if says_stored(&answer) => Ok(answer),
        None => {
            // Whoever stands in between may well answer so.
            is_stored(repo, manifest, version, &answer).await?;
            Ok(answer)
        }
    }
}

/// Whether a good answer to a PUT is that of a registry which has stored something.
fn says_stored(answer: &Answer) -> bool {
    answer.status == StatusCode::CREATED || answer.headers.contains_key(DIGEST_HEADER)
}

/// Makes sure that a manifest is there after an answer that does not say so.
async fn is_stored(
    repo: &Repo,
    manifest: &Manifest,
    version: &Version,
    answer: &Answer,
) -> Result<(), StoreError> {
    let expected = manifest.digest();
    let why = match resolve(repo, version).await {
        Ok(there) if there.digest.algorithm() != expected.algorithm() => return Ok(()),
        Ok(there) if there.digest == *expected => return Ok(()),
        Ok(there) => format!("{version} is {} there", there.digest),
        Err(error) if error.is_retryable() => return Err(error),
        Err(error) => chain(error.kind()),
    };
    let (status, media_type) = (answer.status, answer.header("content-type").unwrap_or("no type"));
    Err(repo.protocol(format!(
        "PUT of the manifest {version} was answered with {status} ({media_type}) rather than 201, and it is not there ({why}): is it a registry that answers at this address?"
    )))
}

fn call(repo: &Repo, kind: Kind, method: Method, version: &Version, read: Read) -> Call {
    let mut call = repo.call(kind, method, &format!("manifests/{version}"), read);
    if matches!(kind, Kind::ManifestGet | Kind::ManifestHead) {
        call.headers.insert(header::ACCEPT, HeaderValue::from_static(media::ACCEPT_MANIFESTS));
    }
    call
}
