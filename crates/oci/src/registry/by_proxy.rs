//! Proxies that the environment names: who is asked in a host's place, so that a proxy that is gone
//! is not taken for a registry that is.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::transport::is_loopback;

/// No connection was had, or none beyond the proxy.
#[derive(Debug, thiserror::Error)]
#[error("asked of the proxy {proxy}, which the environment names for this host")]
pub(super) struct ByProxy {
    proxy: String,
    #[source]
    source: reqwest::Error,
}

impl ByProxy {
    /// `error` with the proxy that was asked, if there is one for its URL, else as it was. Only what
    /// failed before the host itself could answer says anything of the proxy.
    pub(super) fn explain(error: reqwest::Error) -> Result<Self, reqwest::Error> {
        let proxy = if error.is_connect() { error.url().and_then(proxy) } else { None };
        match proxy {
            Some(proxy) => Ok(ByProxy { proxy, source: error.without_url() }),
            None => Err(error.without_url()),
        }
    }
}

/// The proxy by which a URL is asked, without its password.
fn proxy(url: &Url) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let uri: Uri = url.as_str().parse().ok()?;
    let proxy = Matcher::from_system().intercept(&uri)?;
    let (scheme, host) = (proxy.uri().scheme_str()?, proxy.uri().host()?);
    let port = proxy.uri().port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}
