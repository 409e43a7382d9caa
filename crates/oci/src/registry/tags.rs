//! Tags, page by page (distribution-spec, "Listing Tags").

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;
use url::Url;

use super::answer::Answer;
use super::call::Read;
use super::kind::Kind;
use super::redirect::same_host;
use super::repo::Repo;
use crate::store::StoreError;
use crate::types::Tag;

/// The most that is read of one page, in bytes: registries that know no pages answer with all.
const PAGE: usize = 64 << 20;
/// Tags asked for at once: more is refused by some registries.
const COUNT: usize = 100;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// Every tag, sorted.
pub(super) async fn list(repo: &Repo) -> Result<Vec<Tag>, StoreError> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut call =
        repo.call(Kind::Tags, Method::GET, &format!("tags/list?n={COUNT}"), Read::Whole(PAGE));
    loop {
        let answer = repo.pull(&call).await?;
        if !answer.status.is_success() {
            return Err(answer.error_about(&"the repository"));
        }
        let page = parse(repo, &answer)?;
        found.extend(page.tags.into_iter().flatten().filter_map(|tag| tag.parse::<Tag>().ok()));
        let Some(next) = next_page(repo, &answer)? else { return Ok(found.into_iter().collect()) };
        if !seen.insert(next.to_string()) {
            return Err(repo.protocol("the pages of tags lead in a circle"));
        }
        call.url = next;
    }
}

fn parse(repo: &Repo, answer: &Answer) -> Result<Page, StoreError> {
    if answer.body.len() > PAGE {
        return Err(repo.protocol(format!("a page of tags is longer than {PAGE} bytes")));
    }
    serde_json::from_slice(&answer.body).map_err(|_| repo.protocol("the list of tags is malformed"))
}

/// The next page, by the `Link` header (RFC 8288). It must be on the same host.
pub(super) fn next_page(repo: &Repo, answer: &Answer) -> Result<Option<Url>, StoreError> {
    let links = answer.headers.get_all(http::header::LINK).iter();
    let next = links.filter_map(|link| link.to_str().ok()).find_map(next_link);
    let Some(next) = next else { return Ok(None) };
    let mut url = answer
        .url
        .join(next)
        .map_err(|_| repo.protocol(format!("the link to the next page {next:?} is no URL")))?;
    if url.host() == repo.host.base.host() && repo.host.base.scheme() == "https" {
        // Behind a proxy that ends TLS, registries write http.
        if url.scheme() == "http" && url.set_scheme("https").is_ok() {
            let _ = url.set_port(repo.host.base.port());
        }
    }
    if !same_host(&url, &repo.host.base) {
        return Err(repo.protocol("the link to the next page leads to another host"));
    }
    Ok(Some(url))
}

/// The target of `<target>; rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let start = rest.find('<')?;
        let end = start + rest[start..].find('>')?;
        let target = &rest[start + 1..end];
        let parameters = &rest[end + 1..];
        let until = parameters.find(",<").or_else(|| parameters.find(", <"));
        let own = &parameters[..until.unwrap_or(parameters.len())];
        let is_next = own.split(';').any(|parameter| {
            let parameter = parameter.trim().to_ascii_lowercase().replace([' ', '"'], "");
            parameter == "rel=next"
        });
        if is_next {
            return Some(target);
        }
        rest = &parameters[until?..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        assert_eq!(
            next_link(r#"</v2/a/tags/list?n=1&last=b>; rel="next""#),
            Some("/v2/a/tags/list?n=1&last=b")
        );
        assert_eq!(next_link("<x>; title=\"t\"; rel=next"), Some("x"));
        assert_eq!(next_link(r#"<a>; rel="prev", <b,c>; rel = "next""#), Some("b,c"));
        for none in ["", "<a>; rel=\"last\"", "a; rel=next", "<a", "<a>"] {
            assert_eq!(next_link(none), None, "{none}");
        }
    }
}
