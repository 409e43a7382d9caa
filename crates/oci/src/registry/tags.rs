//! Tags, page by page (distribution-spec, "Listing Tags").

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;

use super::answer::Answer;
use super::call::Read;
use super::kind::Kind;
use super::pages::{Most, Pages};
use super::repo::Repo;
use crate::store::StoreError;
use crate::types::Tag;

/// The most that is read of one page, in bytes: registries that know no pages answer with all.
const PAGE: usize = 64 << 20;
/// Tags asked for at once: more is refused by some registries.
const COUNT: usize = 100;
/// What all pages may hold.
const MOST: Most = Most { bytes: PAGE, entries: 1_000_000 };

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// Every tag, sorted.
pub(super) async fn list(repo: &Repo) -> Result<Vec<Tag>, StoreError> {
    let mut found = BTreeSet::new();
    let mut pages = Pages::of("tags", MOST);
    let mut call =
        repo.call(Kind::Tags, Method::GET, &format!("tags/list?n={COUNT}"), Read::Whole(PAGE));
    loop {
        let answer = repo.pull(&call).await?;
        if !answer.status.is_success() {
            return Err(answer.error_about(&"the repository"));
        }
        let page = parse(repo, &answer)?;
        found.extend(page.tags.into_iter().flatten().filter_map(|tag| tag.parse::<Tag>().ok()));
        match pages.turn(repo, &answer, found.len())? {
            Some(next) => call.url = next,
            None => return Ok(found.into_iter().collect()),
        }
    }
}

fn parse(repo: &Repo, answer: &Answer) -> Result<Page, StoreError> {
    if answer.body.len() > PAGE {
        return Err(repo.protocol(format!("a page of tags is longer than {PAGE} bytes")));
    }
    serde_json::from_slice(&answer.body).map_err(|_| repo.protocol("the list of tags is malformed"))
}
