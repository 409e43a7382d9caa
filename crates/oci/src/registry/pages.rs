//! Lists that come in pages: the next one by its `Link`, and an end to them.

use std::collections::BTreeSet;

use url::Url;

use super::answer::Answer;
use super::redirect::same_host;
use super::repo::Repo;
use crate::store::StoreError;

/// More pages than any list has.
const MOST: usize = 20_000;
/// So many pages in a row that bring nothing new are no list.
const MOST_IDLE: usize = 32;

/// How long a list may be over all its pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// What all pages and the links between them take.
    pub(super) bytes: usize,
    /// Different ones.
    pub(super) entries: usize,
}

/// The pages of one list so far.
#[derive(Debug)]
pub(super) struct Pages {
    /// For messages: of what.
    what: &'static str,
    most: Most,
    bytes: usize,
    entries: usize,
    seen: BTreeSet<String>,
    idle: usize,
}

impl Pages {
    /// No page yet of a list of `what`.
    pub(super) fn of(what: &'static str, most: Most) -> Self {
        Pages { what, most, bytes: 0, entries: 0, seen: BTreeSet::new(), idle: 0 }
    }

    /// Whether no page was turned yet.
    pub(super) fn is_first(&self) -> bool {
        self.seen.is_empty()
    }

    /// The page behind `answer`, by whose own there are `entries` now; `None` when it was the last
    /// one. Pages that lead in a circle, to another host, or on and on are an error, and so are
    /// more than a list may have.
    pub(super) fn turn(
        &mut self,
        repo: &Repo,
        answer: &Answer,
        entries: usize,
    ) -> Result<Option<Url>, StoreError> {
        let what = self.what;
        self.bytes += answer.body.len();
        let news = entries > self.entries;
        self.entries = entries;
        let next = next_page(repo, answer)?;
        self.bytes += next.as_ref().map_or(0, |next| next.as_str().len());
        let Most { bytes, entries: most } = self.most;
        if self.bytes > bytes || entries > most {
            let (pages, size) = (self.seen.len() + 1, bytes >> 20);
            return Err(repo.protocol(format!(
                "the list of {what} is longer than any that is in use: after {pages} pages more than {most} entries or {size} MiB"
            )));
        }
        let Some(next) = next else { return Ok(None) };
        if !self.seen.insert(next.to_string()) {
            return Err(repo.protocol(format!("the pages of {what} lead in a circle")));
        }
        self.idle = if news { 0 } else { self.idle + 1 };
        if self.idle >= MOST_IDLE || self.seen.len() >= MOST {
            return Err(repo.protocol(format!("the pages of {what} go on without end")));
        }
        Ok(Some(next))
    }
}

/// The next page, by the `Link` header (RFC 8288). It must be on the same host.
fn next_page(repo: &Repo, answer: &Answer) -> Result<Option<Url>, StoreError> {
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
