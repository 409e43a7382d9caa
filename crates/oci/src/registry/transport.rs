//! Connections: TLS, proxies, and what every request has in common.
//!
//! Redirects are not followed here ([`super::wire`] does, so that credentials stay home), nothing is
//! decoded, no referer is sent. Proxies come from the environment as everywhere; loopback addresses
//! are always reached directly.

use std::net::IpAddr;
use std::path::Path;
use std::sync::OnceLock;

use reqwest::{Certificate, ClientBuilder, Identity};
use url::{Host, Url};

use super::settings::{Settings, Tls};
use crate::store::{ErrorKind, StoreError, read_small};

/// The clients towards hosts that share TLS settings.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    proxied: reqwest::Client,
    direct: reqwest::Client,
}

impl Transport {
    /// Reads the certificates. An error names the file.
    pub(super) fn new(settings: &Settings, tls: &Tls) -> Result<Self, StoreError> {
        let material = Material::read(tls)?;
        let build = |builder: ClientBuilder| build(builder, tls, &material);
        Ok(Transport { proxied: build(base(settings))?, direct: build(base(settings).no_proxy())? })
    }

    /// The client for `url`.
    pub(super) fn client(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(url) { &self.direct } else { &self.proxied }
    }
}

/// Whether an address can only be this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

fn base(settings: &Settings) -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        // One large body over HTTP/2 is several times slower, for its windows.
        .http1_only()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.most_far())
        .pool_idle_timeout(std::time::Duration::from_secs(30))
        .tcp_nodelay(true)
        .tcp_keepalive(std::time::Duration::from_secs(30))
}

struct Material {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

impl Material {
    fn read(tls: &Tls) -> Result<Self, StoreError> {
        let mut authorities = Vec::new();
        for path in &tls.ca {
            let found =
                Certificate::from_pem_bundle(&read(path)?).map_err(|error| bad(path, &error))?;
            if found.is_empty() {
                return Err(bad(path, &"it holds no certificate"));
            }
            authorities.extend(found);
        }
        Ok(Material { authorities, identity: identity(tls)? })
    }
}

fn identity(tls: &Tls) -> Result<Option<Identity>, StoreError> {
    let Some(cert) = &tls.cert else { return Ok(None) };
    let mut pem = read(cert)?;
    if let Some(key) = &tls.key {
        pem.push(b'\n');
        pem.extend(read(key)?);
    }
    Identity::from_pem(&pem).map(Some).map_err(|error| bad(cert, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_small(path).map_err(|source| StoreError::io("reading", path, source))
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    let text = format!("{} cannot be used for TLS: {error}", path.display());
    StoreError::new("", ErrorKind::Configuration(text))
}

fn build(
    mut builder: ClientBuilder,
    tls: &Tls,
    material: &Material,
) -> Result<reqwest::Client, StoreError> {
    if let Some(identity) = &material.identity {
        builder = builder.identity(identity.clone());
    }
    if tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else if !system_has_roots() {
        // A container from scratch has no certificates: the bundled ones serve.
        let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        let bundled = bundled.filter_map(|der| Certificate::from_der(der).ok());
        builder = builder.tls_certs_only(bundled.chain(material.authorities.clone()));
    } else if !material.authorities.is_empty() {
        builder = builder.tls_certs_merge(material.authorities.clone());
    }
    builder.build().map_err(|error| {
        let text = format!("TLS cannot be set up: {}", crate::store::chain(&error));
        StoreError::new("", ErrorKind::Configuration(text))
    })
}

/// Whether a client can be built on the system's own authorities alone.
fn system_has_roots() -> bool {
    static ROOTS: OnceLock<bool> = OnceLock::new();
    *ROOTS.get_or_init(|| reqwest::Client::builder().no_proxy().build().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses() {
        for yes in
            ["http://localhost:1/", "http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]:5/"]
        {
            assert!(is_loopback(&yes.parse().unwrap()), "{yes}");
        }
        for no in ["http://localhost.example.com/", "http://128.0.0.1/", "http://[::2]/"] {
            assert!(!is_loopback(&no.parse().unwrap()), "{no}");
        }
    }

    #[test]
    fn bad_certificates_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.crt");
        let tls = Tls { ca: vec![path.clone()], ..Tls::default() };
        let error = Transport::new(&Settings::default(), &tls).unwrap_err().to_string();
        assert!(error.contains("ca.crt"), "{error}");
        std::fs::write(&path, "not a certificate").unwrap();
        let error = Transport::new(&Settings::default(), &tls).unwrap_err().to_string();
        assert!(error.contains("ca.crt") && error.contains("TLS"), "{error}");
    }
}
