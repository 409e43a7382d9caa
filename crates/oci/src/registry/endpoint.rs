//! Where a registry is reached: its endpoints, and the URLs beneath them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::settings::{HostSettings, ReferrersMode, Tls};
use super::transport::is_loopback;
use crate::store::{ErrorKind, StoreError};

/// The registry that is Docker Hub, as written in references.
pub(super) const DOCKER_HUB: &str = "docker.io";

/// A registry's name in the one spelling that settings, tokens and mounts go by.
pub(super) fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        other => other,
    }
}

/// One address of a registry, ready for use.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// Ends in `/v2/`, or in a path below it and a slash.
    pub(super) base: Url,
    /// The name that credentials go by.
    pub(super) account: String,
    pub(super) tls: Tls,
    pub(super) referrers: ReferrersMode,
    pub(super) headers: HeaderMap,
    /// The URL, for messages, when the registry's name does not say it.
    pub(super) shown: Option<Arc<str>>,
}

/// The addresses of `registry`, at least one.
pub(super) fn addresses(
    registry: &str,
    settings: &HostSettings,
) -> Result<Vec<Address>, StoreError> {
    let wrong = |text: String| StoreError::new(registry, ErrorKind::Configuration(text));
    let headers = headers(settings).map_err(wrong)?;
    if settings.endpoints.is_empty() {
        let url = at_its_name(registry, settings).map_err(wrong)?;
        return Ok(vec![Address {
            base: base(url),
            account: registry.to_owned(),
            tls: settings.tls.clone(),
            referrers: settings.referrers,
            headers,
            shown: None,
        }]);
    }
    let address = |endpoint: &super::settings::Endpoint| {
        let url = parse(&endpoint.url)?;
        let account = canonical(&authority(&url)).to_owned();
        let base = base(docker_hub(url));
        let shown = base.as_str().trim_end_matches('/').trim_end_matches("/v2");
        Ok(Address {
            shown: (account != registry || settings.endpoints.len() > 1).then(|| shown.into()),
            base,
            account,
            tls: endpoint.tls.clone(),
            referrers: endpoint.referrers,
            headers: headers.clone(),
        })
    };
    settings.endpoints.iter().map(address).collect::<Result<_, String>>().map_err(wrong)
}

/// Host, and port when it is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn parse(text: &str) -> Result<Url, String> {
    let url: Url =
        text.parse().map_err(|error| format!("the endpoint {text:?} is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("the endpoint {text:?} must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let place = url.host_str().unwrap_or_default();
        return Err(format!(
            "the endpoint at {place} holds credentials: they belong into an auth file"
        ));
    }
    Ok(url)
}

fn at_its_name(registry: &str, settings: &HostSettings) -> Result<Url, String> {
    let https = parse(&format!("https://{registry}"))?;
    let plain = settings.plain_http || (is_loopback(&https) && settings.tls == Tls::default());
    if plain { parse(&format!("http://{registry}")) } else { Ok(docker_hub(https)) }
}

/// Docker Hub's registry is not at its name.
fn docker_hub(mut url: Url) -> Url {
    if url.host_str() == Some(DOCKER_HUB) {
        // The new host is valid, so this cannot fail.
        let _ = url.set_host(Some("registry-1.docker.io"));
    }
    url
}

fn base(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/');
    let versioned = path.split('/').any(|part| part == "v2");
    let path = if versioned { format!("{path}/") } else { format!("{path}/v2/") };
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn headers(settings: &HostSettings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let fault = |what| format!("the header {name:?} has an invalid {what}");
        let header: HeaderName = name.parse().map_err(|_| fault("name"))?;
        let mut value: HeaderValue = value.expose().parse().map_err(|_| fault("value"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::Endpoint;

    fn bases(registry: &str, settings: &HostSettings) -> Vec<String> {
        let found = addresses(registry, settings).unwrap();
        found.iter().map(|address| format!("{} {}", address.base, address.account)).collect()
    }

    #[test]
    fn at_the_name() {
        let none = HostSettings::default();
        assert_eq!(bases("quay.io", &none), ["https://quay.io/v2/ quay.io"]);
        assert_eq!(bases("docker.io", &none), ["https://registry-1.docker.io/v2/ docker.io"]);
        assert_eq!(bases("reg:5000", &none), ["https://reg:5000/v2/ reg:5000"]);
        for loopback in ["localhost:5000", "127.0.0.1:1", "[::1]:5000", "localhost"] {
            let base = format!("http://{loopback}/v2/ {loopback}");
            assert_eq!(bases(loopback, &none), [base]);
        }
        let plain = HostSettings { plain_http: true, ..HostSettings::default() };
        assert_eq!(bases("reg:5000", &plain), ["http://reg:5000/v2/ reg:5000"]);
        let tls = Tls { insecure_skip_verify: true, ..Tls::default() };
        let tls = HostSettings { tls, ..HostSettings::default() };
        assert_eq!(bases("localhost:5000", &tls), ["https://localhost:5000/v2/ localhost:5000"]);
    }

    #[test]
    fn at_endpoints() {
        let endpoint = |url: &str| Endpoint { url: url.to_owned(), ..Endpoint::default() };
        let urls =
            ["https://index.docker.io", "http://m:5000/", "https://h/v2/cache", "https://h/p"];
        let endpoints = urls.into_iter().map(endpoint).collect();
        let settings = HostSettings { endpoints, ..HostSettings::default() };
        let expected = [
            "https://index.docker.io/v2/ docker.io",
            "http://m:5000/v2/ m:5000",
            "https://h/v2/cache/ h",
            "https://h/p/v2/ h",
        ];
        assert_eq!(bases("docker.io", &settings), expected);
    }

    #[test]
    fn bad_endpoints_are_refused_without_their_secrets() {
        for bad in ["m:5000", "ftp://m/", "", "https://user:hunter2@m/"] {
            let endpoints = vec![Endpoint { url: bad.to_owned(), ..Endpoint::default() }];
            let settings = HostSettings { endpoints, ..HostSettings::default() };
            let error = addresses("reg", &settings).unwrap_err().to_string();
            assert!(
                error.starts_with("reg: the endpoint") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
