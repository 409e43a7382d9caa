//! From what is in force to the settings of the registry client.

use std::collections::{BTreeMap, BTreeSet};

use airlift_oci::registry::{Endpoint, HostSettings, ReferrersMode, Settings, Tls};
use regex::Regex;

use super::file::{self, Referrers, Registry};
use super::{Config, ConfigError, Origin};
use crate::pacing::Between;

impl Config {
    /// The settings of the registry client. What the client cannot know to be wrong (patterns that
    /// are none, endpoints without a scheme or with a password) is refused here.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        for url in self.endpoints.keys() {
            self.check_url(url)?;
        }
        let mut settings = Settings::default();
        let hosts: BTreeSet<&str> = self
            .registries
            .keys()
            .chain(self.certificates.keys())
            .map(String::as_str)
            .chain(self.endpoints.keys().map(|url| authority(url)))
            .collect();
        for host in hosts {
            settings.hosts.insert(host.to_owned(), self.host(host)?);
        }
        if let Some(number) = self.concurrent_http.value {
            settings.max_connections_per_host = usize::from(number);
        }
        let limits = &self.limits;
        settings.rate = limits.rate.value;
        settings.requests_per_second = limits.requests.value;
        settings.hours = limits.between.value.map(Between::hours);
        settings.retry_after_limit = limits.patience.value.unwrap_or(settings.retry_after_limit);
        settings.stall_timeout = limits.stall.value.unwrap_or(settings.stall_timeout);
        settings.blob_hints = self.cache.value.as_ref().map(|path| path.join("blobs"));
        settings.credentials.auth_files =
            self.auth_files.iter().map(|file| file.value.clone()).collect();
        Ok(settings)
    }

    fn host(&self, host: &str) -> Result<HostSettings, ConfigError> {
        let registry = self.registries.get(host).cloned().unwrap_or_default();
        let endpoints = registry.endpoints.iter().map(|url| {
            self.check_url(url)?;
            Ok(self.endpoint(url))
        });
        let own = self.endpoint(&format!("https://{host}"));
        let plain = self.endpoints.keys().find(|url| is(url, "http", host));
        Ok(HostSettings {
            endpoints: endpoints.collect::<Result<_, ConfigError>>()?,
            rewrite_pull: self.rewrites(&registry)?,
            plain_http: plain.is_some(),
            tls: own.tls,
            referrers: plain.map_or(own.referrers, |url| mode(&self.endpoints[url])),
            headers: BTreeMap::new(),
        })
    }

    /// One endpoint with what `endpointConfig` and `certs.d` say of it.
    fn endpoint(&self, url: &str) -> Endpoint {
        let host = authority(url);
        let same = |(other, _): &(&String, &file::Endpoint)| {
            other.trim_end_matches('/') == url.trim_end_matches('/')
        };
        let configured = self.endpoints.iter().find(same).map(|(_, endpoint)| endpoint);
        let certificates = self.certificates.get(host).cloned().unwrap_or_default();
        let (cert, key) = certificates.identity.unzip();
        Endpoint {
            url: url.to_owned(),
            tls: Tls {
                insecure_skip_verify: configured.is_some_and(|c| c.tls.insecure_skip_verify),
                ca: certificates.authorities,
                cert,
                key,
            },
            referrers: configured.map(mode).unwrap_or_default(),
        }
    }

    fn rewrites(&self, registry: &Registry) -> Result<Vec<(Regex, String)>, ConfigError> {
        let compile = |(pattern, to): (&String, &String)| match Regex::new(pattern) {
            Ok(regex) => Ok((regex, to.clone())),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim().to_owned();
                Err(self.wrong("rewritePull", format!("`{pattern}` is no pattern: {last}")))
            }
        };
        registry.rewrite_pull.iter().map(compile).collect()
    }

    fn check_url(&self, url: &str) -> Result<(), ConfigError> {
        let host = authority(url);
        if !url.starts_with("http://") && !url.starts_with("https://") || host.is_empty() {
            let text =
                format!("`{url}` is no URL: write https://HOST[:PORT] or http://HOST[:PORT]");
            return Err(self.wrong("the endpoint", text));
        }
        if host.contains('@') {
            let text = format!(
                "`{}` holds credentials: remove them and use `airlift login`",
                super::show::masked(url)
            );
            return Err(self.wrong("the endpoint", text));
        }
        Ok(())
    }

    fn wrong(&self, key: &str, message: String) -> ConfigError {
        let origin = Origin::File(self.file.clone().unwrap_or_default());
        ConfigError::Value { key: key.to_owned(), origin, message }
    }
}

fn mode(endpoint: &file::Endpoint) -> ReferrersMode {
    match endpoint.supports_referrers {
        Referrers::Tag => ReferrersMode::Tag,
        Referrers::Api => ReferrersMode::Api,
        Referrers::Auto => ReferrersMode::Auto,
    }
}

/// `HOST[:PORT]` of a URL; empty when it has none.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn is(url: &str, scheme: &str, host: &str) -> bool {
    url.split_once("://").is_some_and(|(found, _)| found == scheme) && authority(url) == host
}

#[cfg(test)]
mod tests {
    use airlift_oci::registry::ReferrersMode;

    use crate::config::from_yaml;

    const YAML: &str = "concurrentHTTP: 5
registryConfig:
  docker.io:
    endpoints: [http://mirror:5000, https://registry-1.docker.io]
    rewritePull: {'^rancher/(.*)': 'm/$1'}
  endpointConfig:
    http://mirror:5000: {supportsReferrers: tag}
    https://registry-1.docker.io/: {tls: {insecureSkipVerify: true}}
    http://plain.lab: {supportsReferrers: api}
";

    #[test]
    fn settings_say_what_the_file_says() {
        let settings = from_yaml(YAML).expect("reads").settings().expect("makes settings");
        assert_eq!(settings.max_connections_per_host, 5);
        let docker = &settings.hosts["docker.io"];
        assert_eq!(docker.endpoints[0].url, "http://mirror:5000");
        assert_eq!(docker.endpoints[0].referrers, ReferrersMode::Tag);
        assert!(!docker.endpoints[0].tls.insecure_skip_verify);
        assert!(docker.endpoints[1].tls.insecure_skip_verify);
        assert_eq!(docker.rewrite_pull[0].0.replace("rancher/x", "m/$1"), "m/x");
        let plain = &settings.hosts["plain.lab"];
        assert!(plain.plain_http);
        assert_eq!(plain.referrers, ReferrersMode::Api);
    }

    #[test]
    fn limits_of_the_file_are_in_force() {
        let yaml = "rate: 50MB/s\nrequestsPerSecond: 2.5\nbetween: 20:00-06:00\npatience: 2h\n\
                    stallTimeout: 90\ncachePath: /var/cache/x\n";
        let settings = from_yaml(yaml).expect("reads").settings().expect("makes settings");
        assert_eq!(settings.rate, Some(50_000_000));
        assert_eq!(settings.requests_per_second, Some(2.5));
        assert_eq!(settings.hours.map(|hours| hours.to_string()), Some("20:00-06:00".to_owned()));
        assert_eq!(settings.retry_after_limit.as_secs(), 7200);
        assert_eq!(settings.stall_timeout.as_secs(), 90);
        assert_eq!(settings.blob_hints, Some("/var/cache/x/blobs".into()));
        let error = from_yaml("between: 8-9").expect_err("no hours").to_string();
        assert!(error.contains("between") && error.contains("20:00-06:00"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_secrets() {
        for (yaml, wanted) in [
            ("registryConfig: {a.io: {endpoints: [b.io]}}", "`b.io` is no URL"),
            ("registryConfig: {a.io: {endpoints: ['https://u:secret@b.io']}}", "https://***@b.io"),
            ("registryConfig: {endpointConfig: {b.io: {}}}", "`b.io` is no URL"),
            ("registryConfig: {a.io: {rewritePull: {'(': x}}}", "`(` is no pattern"),
        ] {
            let error = from_yaml(yaml).expect("reads").settings().expect_err(yaml).to_string();
            assert!(error.contains(wanted) && !error.contains("secret"), "{error}");
        }
    }
}
