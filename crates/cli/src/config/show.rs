//! `airlift config`: what is in force and from where, as YAML that could be a file again.

use std::fmt::{Display, Write as _};

use std::time::Duration;

use airlift_oci::registry::Settings;

use super::file::Referrers;
use super::{Config, Setting};

/// The text. Secrets are not in a configuration; user names and passwords in URLs are masked.
pub(crate) fn show(config: &Config) -> String {
    let mut text = Text(String::new());
    match &config.file {
        Some(path) => text.line(format_args!("# read from {}", path.display())),
        None => text.line(format_args!("# no configuration file was found")),
    }
    if !config.unused.is_empty() {
        text.line(format_args!("# without meaning here: {}", config.unused.join(", ")));
    }
    match &config.concurrent_http {
        Setting { value: Some(value), origin } => text.setting("concurrentHTTP", value, origin),
        Setting { value: None, .. } => {
            text.line(format_args!("# concurrentHTTP: as each registry bears"));
        }
    }
    limits(&mut text, config);
    text.setting("verbosity", config.verbosity.value.name(), &config.verbosity.origin);
    text.setting("logFormat", name(config.log_format.value), &config.log_format.origin);
    text.setting("progress", name(config.progress.value), &config.progress.origin);
    for file in &config.auth_files {
        text.line(format_args!("# credentials: {}  # {}", file.value.display(), file.origin));
    }
    for proxy in &config.proxies {
        text.line(format_args!("# proxy: {}={}", proxy.origin, proxy.value));
    }
    registries(&mut text, config);
    certificates(&mut text, config);
    text.0
}

fn limits(text: &mut Text, config: &Config) {
    let limits = &config.limits;
    text.optional("rate", limits.rate.value, &limits.rate.origin);
    text.optional("requestsPerSecond", limits.requests.value, &limits.requests.origin);
    text.optional("between", limits.between.value, &limits.between.origin);
    let defaults = Settings::default();
    let mut time = |key, setting: &Setting<Option<Duration>>, default: Duration| {
        let seconds = setting.value.unwrap_or(default).as_secs();
        text.setting(key, format!("{seconds}s"), &setting.origin);
    };
    time("patience", &limits.patience, defaults.retry_after_limit);
    time("stallTimeout", &limits.stall, defaults.stall_timeout);
    match &config.cache.value {
        Some(path) => {
            text.setting("cachePath", quoted(&path.display().to_string()), &config.cache.origin);
        }
        None => text.line(format_args!("# cachePath: none  # {}", config.cache.origin)),
    }
}

struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>, origin: impl Display) {
        if let Some(value) = value {
            self.setting(key, value, origin);
        }
    }

    fn setting(&mut self, key: &str, value: impl Display, origin: impl Display) {
        self.line(format_args!("{key}: {value}  # {origin}"));
    }
}

fn name(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn registries(text: &mut Text, config: &Config) {
    if config.registries.is_empty() && config.endpoints.is_empty() {
        return;
    }
    text.line(format_args!("registryConfig:"));
    if !config.registries.is_empty() {
        text.line(format_args!("  registries:"));
    }
    for (host, registry) in &config.registries {
        text.line(format_args!("    {}:", quoted(host)));
        if !registry.endpoints.is_empty() {
            text.line(format_args!("      endpoints:"));
        }
        for endpoint in &registry.endpoints {
            text.line(format_args!("        - {}", quoted(&masked(endpoint))));
        }
        if !registry.rewrite_pull.is_empty() {
            text.line(format_args!("      rewritePull:"));
        }
        for (pattern, replacement) in &registry.rewrite_pull {
            text.line(format_args!("        {}: {}", quoted(pattern), quoted(replacement)));
        }
        text.line(format_args!("      noncompliant: {}", registry.noncompliant));
    }
    if !config.endpoints.is_empty() {
        text.line(format_args!("  endpointConfig:"));
    }
    for (url, endpoint) in &config.endpoints {
        text.line(format_args!("    {}:", quoted(&masked(url))));
        let referrers = match endpoint.supports_referrers {
            Referrers::Tag => "tag",
            Referrers::Api => "api",
            Referrers::Auto => "auto",
        };
        text.line(format_args!("      supportsReferrers: {referrers}"));
        text.line(format_args!("      tls:"));
        text.line(format_args!(
            "        insecureSkipVerify: {}",
            endpoint.tls.insecure_skip_verify
        ));
    }
}

fn certificates(text: &mut Text, config: &Config) {
    for (host, certificates) in &config.certificates {
        for authority in &certificates.authorities {
            text.line(format_args!("# authority for {host}: {}", authority.display()));
        }
        if let Some((certificate, _)) = &certificates.identity {
            text.line(format_args!("# client certificate for {host}: {}", certificate.display()));
        }
    }
}

/// A YAML string whatever it holds: JSON's are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A URL without its user and password.
pub(super) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{masked, show};
    use crate::config::{SAMPLE, from_yaml};

    #[test]
    fn the_sample_is_a_configuration_with_and_without_its_comment_marks() {
        from_yaml(SAMPLE).expect("reads");
        let prose = |line: &str| {
            line.strip_prefix("# ").is_some_and(|rest| !rest.starts_with(' ')) || line == "#"
        };
        let live: Vec<_> = SAMPLE
            .lines()
            .map(|line| if prose(line) { line } else { line.strip_prefix('#').unwrap_or(line) })
            .collect();
        let live = live.join("\n").replace("registryAuthFile", "# registryAuthFile");
        let config = from_yaml(&live).expect(&live);
        assert_eq!(config.registries.len(), 2);
        assert_eq!(config.endpoints.len(), 2);
        assert_eq!(config.concurrent_http.value, Some(16));
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let yaml = "concurrentHTTP: 4\nregistryConfig:\n  a.io:\n    endpoints: [http://b:1]\n    \
                    rewritePull: {'^x\"(.*)': 'y/$1'}\n  endpointConfig:\n    http://b:1: {supportsReferrers: tag}\n";
        let first = from_yaml(yaml).expect("reads");
        let again = from_yaml(&show(&first)).expect("reads back");
        assert_eq!(first.registries, again.registries);
        assert_eq!(first.endpoints, again.endpoints);
        assert_eq!(again.concurrent_http.value, Some(4));
    }

    #[test]
    fn what_nobody_set_is_shown_as_it_is_in_force() {
        let nothing = show(&from_yaml("").expect("reads"));
        assert!(nothing.contains("patience: 3600s  # default\n"), "{nothing}");
        assert!(nothing.contains("stallTimeout: 30s  # default\n"), "{nothing}");
        let theirs = from_yaml("registryConfig: {a.io: {noncompliant: true}}").expect("reads");
        assert!(show(&theirs).contains("# without meaning here: noncompliant\n"));
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        assert_eq!(masked("https://u:p@h.io/x@y"), "https://***@h.io/x@y");
        assert_eq!(masked("https://h.io/a@b"), "https://h.io/a@b");
    }
}
