//! Where an answer sends on to, and which of that is followed.

use airlift_oci::registry::Forwarded;
use http::{HeaderMap, header};
use url::Url;

/// Which redirects are followed; others are answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// None.
    Nothing,
    /// Those to the registry itself.
    Own,
    /// Those to the registry itself and to its storage; others are errors.
    Storage,
}

/// Where an answer sends its client, made absolute; `None` when it does not.
pub(super) fn target(answer: &Forwarded) -> Result<Option<Url>, String> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let next = location(&answer.headers).and_then(|text| answer.url.join(text).ok());
    let next = next.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(next) = next else {
        return Err("a redirect leads nowhere".to_owned());
    };
    if answer.url.scheme() == "https" && next.scheme() == "http" {
        return Err("a redirect from https to a place without TLS is refused".to_owned());
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err("a redirect with a user in it is refused".to_owned());
    }
    Ok(Some(next))
}

fn location(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::LOCATION)?.to_str().ok()
}

/// Whether two addresses are at one service.
pub(super) fn same_place(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port() == b.port()
}

/// The path of `url` below `base`, with its query.
pub(super) fn below(url: &Url, base: &Url) -> Option<String> {
    let path = url.path().strip_prefix(base.path())?;
    Some(url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}
