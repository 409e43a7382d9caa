//! The settings of the two clients of a registry: one for whom somebody waits, one for copying.

use std::collections::BTreeMap;
use std::time::Duration;

use airlift_oci::registry::{Credential, Endpoint, HostSettings, Retries, Settings, Tls};
use url::Url;

use super::config::{self, Registry};

/// The settings of a client with the patience of somebody whom a client waits for.
pub(super) fn settings(
    host_name: &str,
    registry: &Registry,
    timeouts: &config::Timeouts,
) -> Settings {
    let tls = Tls {
        insecure_skip_verify: registry.tls.insecure,
        ca: registry.tls.ca.clone(),
        cert: registry.tls.cert.clone(),
        key: registry.tls.key.clone(),
    };
    let endpoint = Endpoint { url: registry.url.clone(), tls, ..Endpoint::default() };
    let headers = registry.headers.iter().map(|(name, value)| (name.clone(), value.0.clone()));
    let host = HostSettings {
        endpoints: vec![endpoint],
        headers: headers.collect(),
        ..HostSettings::default()
    };
    let mut settings = Settings {
        hosts: BTreeMap::from([(host_name.to_owned(), host)]),
        max_connections_per_host: 512,
        retries: Retries { attempts: 0, throttled: 0, ..Retries::default() },
        retry_after_limit: Duration::ZERO,
        connect_timeout: timeouts.connect.0,
        answer_timeout: timeouts.answer.0,
        stall_timeout: timeouts.stall.0,
        ..Settings::default()
    };
    if !registry.username.is_empty() {
        let credential = Credential::Basic {
            username: registry.username.clone(),
            password: registry.password.0.clone(),
        };
        settings.credentials.fixed.insert(host_name.to_owned(), credential);
    }
    settings
}

/// What a registry is known by: its host, and its port where it is not the usual.
pub(super) fn host(url: &str) -> Option<String> {
    let url: Url = url.parse().ok()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The same registry, with the patience of somebody whom nobody waits for.
pub(super) fn patient(settings: &Settings) -> Settings {
    Settings {
        hosts: settings.hosts.clone(),
        credentials: settings.credentials.clone(),
        retries: Retries { attempts: 4, throttled: 4, ..Retries::default() },
        retry_after_limit: Duration::from_secs(120),
        max_connections_per_host: 8,
        ..Settings::default()
    }
}
