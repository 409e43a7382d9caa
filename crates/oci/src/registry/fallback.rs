//! The fallback tag: an index under `ALGORITHM-HEX` that lists what refers to a manifest, kept by
//! clients where the registry does not (distribution-spec, "Referrers Tag Schema").

use bytes::Bytes;
use serde::Serialize;

use super::manifest;
use super::repo::Repo;
use crate::store::StoreError;
use crate::types::{Descriptor, Digest, Manifest, Tag, Version, media};

/// How often an entry is written anew when others wrote the same tag at the same time.
const TRIES: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u64,
    media_type: &'a str,
    manifests: Vec<Descriptor>,
}

/// The list under the fallback tag; `None` when there is no such tag.
pub(super) async fn read(
    repo: &Repo,
    subject: &Digest,
) -> Result<Option<Vec<Descriptor>>, StoreError> {
    match manifest::fetch(repo, &version(repo, subject)?).await {
        Ok(index) => Ok(Some(index.manifests().cloned().collect())),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds an entry. Within this process one writer at a time; another process's entries are kept, and
/// an entry that another process overwrote is written again.
pub(super) async fn add(
    repo: &Repo,
    entry: Descriptor,
    subject: &Digest,
) -> Result<(), StoreError> {
    let version = version(repo, subject)?;
    let lock = repo.host.facts.subject(&repo.path, &version.to_string());
    let _writer = lock.lock().await;
    for _ in 0..TRIES {
        let mut entries = read(repo, subject).await?.unwrap_or_default();
        if entries.iter().any(|known| known.digest == entry.digest) {
            return Ok(());
        }
        entries.push(entry.clone());
        entries.sort_by(|a, b| a.digest.cmp(&b.digest));
        manifest::put_as(repo, &index(repo, entries)?, &version).await?;
    }
    let text =
        format!("the list of referrers under {version} is overwritten by others all the time");
    Err(repo.protocol(text))
}

fn index(repo: &Repo, manifests: Vec<Descriptor>) -> Result<Manifest, StoreError> {
    let index = Index { schema_version: 2, media_type: media::OCI_INDEX, manifests };
    let wrong = |_| repo.protocol("the list of referrers cannot be written");
    let raw = serde_json::to_vec(&index).map_err(wrong)?;
    Manifest::parse(media::OCI_INDEX, Bytes::from(raw))
        .map_err(|kind| StoreError::new(&*repo.place, kind.into()))
}

fn version(repo: &Repo, subject: &Digest) -> Result<Version, StoreError> {
    let tag: Tag = subject
        .fallback_tag()
        .parse()
        .map_err(|_| repo.protocol(format!("{subject} has no fallback tag")))?;
    Ok(Version::Tag(tag))
}
