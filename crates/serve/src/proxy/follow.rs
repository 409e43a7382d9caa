//! Where the proxy itself goes when a registry's answer sends it on.
//!
//! A registry could send us to any service that this machine reaches, so we go to the registry
//! itself and to hosts that the operator named. Everything else is for the client to follow, or
//! refused.

use airlift_oci::registry::{Access, Forward, Forwarded, Kind};
use airlift_oci::store::{ErrorKind, StoreError};
use http::{HeaderMap, Method};
use url::Url;

use super::backend::Backend;
use super::redirects::{Follow, below, same_place, target};

/// Redirects that are followed for one request.
const MOST: usize = 5;

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
