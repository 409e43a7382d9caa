//! Where the proxy itself goes when a registry's answer sends it on.
//!
//! A registry could send us to any service that this machine reaches, so we go to the registry
//! itself and to hosts that the operator named. Everything else is for the client to follow, or
//! refused.

use airlift_oci::registry::{Access, Forward, Forwarded, Kind};
use airlift_oci::store::{ErrorKind, StoreError};
use http::{HeaderMap, Method, header};
use url::Url;

use super::backend::Backend;

/// Redirects that are followed for one request.
const MOST: usize = 5;

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

impl Backend {
    /// Sends a request, and follows as far as `follow` says.
    pub(super) async fn follow(
        &self,
        request: Forward<'_>,
        follow: Follow,
    ) -> Result<Forwarded, StoreError> {
        let again = Again {
            kind: request.kind,
            method: request.method.clone(),
            headers: request.headers.clone(),
        };
        let access = request.access;
        let (client, host) = self.client();
        let mut answer = client.forward(host, request).await?;
        for _ in 0..MOST {
            let Some(next) = target(&answer).map_err(|text| self.protocol(text))? else {
                return Ok(answer);
            };
            let own = same_place(&next, &self.base);
            if follow == Follow::Nothing || (follow == Follow::Own && !own) {
                return Ok(answer);
            }
            answer = if let Some(path) = own.then(|| below(&next, &self.base)).flatten() {
                Box::pin(client.forward(host, again.at(&path, access))).await?
            } else if own || self.is_storage(&next) {
                let request = again.at("", Access::None);
                Box::pin(client.forward_elsewhere(host, next, request)).await?
            } else {
                let other = next.host_str().unwrap_or_default();
                return Err(self.protocol(format!(
                    "it sends on to {other}, which registry.{}.storage does not list",
                    self.name
                )));
            };
        }
        Err(self.protocol(format!("more than {MOST} redirects")))
    }

    /// Whether the operator said that the registry keeps content there.
    fn is_storage(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        self.storage.iter().any(|known| match known.strip_prefix("*.") {
            Some(domain) => {
                host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => *known == host || *known == with_port,
        })
    }

    fn protocol(&self, text: String) -> StoreError {
        StoreError::new(&*self.name, ErrorKind::Protocol(text))
    }
}

/// What stays the same from one redirect to the next.
struct Again {
    kind: Kind,
    method: Method,
    headers: HeaderMap,
}

impl Again {
    fn at<'a>(&self, path: &'a str, access: Access<'a>) -> Forward<'a> {
        let (kind, method, headers) = (self.kind, self.method.clone(), self.headers.clone());
        Forward { kind, method, path, headers, access, body: None }
    }
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

fn same_place(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port() == b.port()
}

/// The path of `url` below `base`, with its query.
fn below(url: &Url, base: &Url) -> Option<String> {
    let path = url.path().strip_prefix(base.path())?;
    Some(url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}
