//! Listing referrers: by the API, or by the fallback tag where there is none
//! (distribution-spec, "Listing Referrers").

use std::collections::{BTreeMap, HashSet};

use http::{HeaderValue, Method, header};
use serde::Deserialize;

use super::call::Read;
use super::fallback;
use super::kind::Kind;
use super::pages::{Most, Pages};
use super::repo::Repo;
use super::settings::ReferrersMode;
use crate::store::{ErrorKind, StoreError};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, ManifestError, media};

/// What all pages may hold: thousands of signatures, and no more memory than other work takes.
const MOST: Most = Most { bytes: 16 << 20, entries: 100_000 };

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

/// Everything that refers to `subject`, sorted by digest. Only a 404 means that there is nothing.
pub(super) async fn list(repo: &Repo, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
    let facts = &repo.host.facts;
    let ask = match facts.referrers {
        ReferrersMode::Tag => false,
        ReferrersMode::Api => true,
        ReferrersMode::Auto => facts.referrers_api.get() != Some(false),
    };
    let listed = if ask { by_api(repo, subject).await? } else { None };
    if facts.referrers == ReferrersMode::Auto && ask {
        note(repo, listed.is_some());
    }
    let found = match listed {
        Some(found) => found,
        None if facts.referrers == ReferrersMode::Api => Vec::new(),
        None => fallback::read(repo, subject).await?.unwrap_or_default(),
    };
    let sorted: BTreeMap<_, _> =
        found.into_iter().map(|found| (found.digest.clone(), found)).collect();
    Ok(sorted.into_values().collect())
}

/// Remembers whether the host has the API. A host that has shown it keeps it: some answer 404
/// where nothing refers to a manifest.
fn note(repo: &Repo, has: bool) {
    let known = &repo.host.facts.referrers_api;
    if has || known.get().is_none() {
        known.set(has);
    }
}

/// Whether a host that says so does list what refers to `subject`, seen once: some keep subjects
/// and have no list of what refers to them.
pub(super) async fn are_listed(repo: &Repo, subject: &Digest) -> bool {
    let facts = &repo.host.facts;
    if facts.referrers_api.get() == Some(true) {
        return true;
    }
    if let Some(known) = facts.keeps_lists.get() {
        return known;
    }
    // A host that cannot be asked now is believed.
    let Ok(listed) = by_api(repo, subject).await else { return true };
    facts.keeps_lists.set(listed.is_some());
    note(repo, listed.is_some());
    listed.is_some()
}

/// `None`: the host has no such API, or says so of this manifest.
async fn by_api(repo: &Repo, subject: &Digest) -> Result<Option<Vec<Descriptor>>, StoreError> {
    let read = Read::Whole(MAX_MANIFEST as usize);
    let mut call = repo.call(Kind::Referrers, Method::GET, &format!("referrers/{subject}"), read);
    call.headers.insert(header::ACCEPT, HeaderValue::from_static(media::OCI_INDEX));
    let mut found = Vec::new();
    let mut known = HashSet::new();
    let mut pages = Pages::of("referrers", MOST);
    loop {
        let answer = repo.pull(&call).await?;
        if !answer.status.is_success() {
            // Registries without the API answer so, the older ones not only with 404.
            let absent = matches!(answer.status.as_u16(), 400 | 404 | 405 | 406 | 501);
            return if absent && pages.is_first() { Ok(None) } else { Err(answer.error()) };
        }
        if answer.body.len() as u64 > MAX_MANIFEST {
            let kind = ManifestError::TooLarge(answer.body.len() as u64);
            return Err(StoreError::new(&*repo.place, ErrorKind::Manifest(kind)));
        }
        let json = answer.header("content-type").is_some_and(|text| text.contains("json"));
        let page = match serde_json::from_slice::<Page>(&answer.body) {
            Ok(page) => page,
            // A page for browsers at an address that the registry does not know.
            Err(_) if !json && pages.is_first() => return Ok(None),
            Err(_) => return Err(repo.protocol("the list of referrers is malformed")),
        };
        let new = page.manifests.into_iter().flatten();
        found.extend(new.filter(|entry| known.insert(entry.digest.clone())));
        match pages.turn(repo, &answer, found.len())? {
            Some(next) => call.url = next,
            None => return Ok(Some(found)),
        }
    }
}
