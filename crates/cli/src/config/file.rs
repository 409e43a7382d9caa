//! The keys of a configuration file: ours and those of ace-dt's, in one form.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ConfigError;
use super::nearest;

/// A configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "keys with values, KEY: VALUE")]
#[expect(clippy::struct_field_names, reason = "the fields are the keys")]
pub(crate) struct File {
    #[serde(rename = "concurrentHTTP")]
    pub(crate) concurrent_http: Option<u16>,
    pub(crate) registry_auth_file: Option<PathBuf>,
    pub(crate) verbosity: Option<String>,
    pub(crate) log_format: Option<String>,
    pub(crate) progress: Option<String>,
    pub(crate) registry_config: RegistryConfig,
    /// Where people look for it too; in `registry_config` once the file is read.
    endpoint_config: BTreeMap<String, Endpoint>,
    pub(crate) rate: Option<Scalar>,
    pub(crate) requests_per_second: Option<Scalar>,
    pub(crate) between: Option<Scalar>,
    pub(crate) patience: Option<Scalar>,
    pub(crate) stall_timeout: Option<Scalar>,
    pub(crate) cache_path: Option<PathBuf>,
    // Keys of ace-dt that mean nothing here; taken so that its file can be used as it is.
    api_version: Option<de::IgnoredAny>,
    kind: Option<de::IgnoredAny>,
    cache_prune_max: Option<de::IgnoredAny>,
    chunk_size: Option<de::IgnoredAny>,
    compression_level: Option<de::IgnoredAny>,
    editor: Option<de::IgnoredAny>,
    hide_progress: Option<bool>,
    telemetry: Option<de::IgnoredAny>,
    telemetry_user_name: Option<de::IgnoredAny>,
    keys: Option<de::IgnoredAny>,
}

impl File {
    /// Whether ace-dt's `hideProgress` is set.
    pub(crate) fn hides_progress(&self) -> bool {
        self.hide_progress == Some(true)
    }

    /// The keys that were given and mean nothing here.
    pub(crate) fn unused(&self) -> Vec<&'static str> {
        let mut registries = self.registry_config.registries.values();
        let noncompliant = registries.any(|registry| registry.noncompliant);
        let of_registries = noncompliant.then_some("noncompliant");
        [
            ("cachePruneMax", &self.cache_prune_max),
            ("chunkSize", &self.chunk_size),
            ("compressionLevel", &self.compression_level),
            ("editor", &self.editor),
            ("telemetry", &self.telemetry),
            ("telemetryUserName", &self.telemetry_user_name),
            ("keys", &self.keys),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.is_some().then_some(key))
        .chain(of_registries)
        .collect()
    }
}

/// A number or a text, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Registries and endpoints.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegistryConfig {
    /// By host name, as in references. Written under `registries` or beside it.
    pub(crate) registries: BTreeMap<String, Registry>,
    /// By URL.
    pub(crate) endpoint_config: BTreeMap<String, Endpoint>,
}

/// How one registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "the keys of a registry")]
pub(crate) struct Registry {
    /// URLs, tried in order.
    pub(crate) endpoints: Vec<String>,
    /// Patterns over repository names, and what a pull asks for instead.
    pub(crate) rewrite_pull: BTreeMap<String, String>,
    /// ace-dt's word for a registry that departs from the specification. Nothing depends on it.
    pub(crate) noncompliant: bool,
}

/// How one endpoint is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "the keys of an endpoint")]
pub(crate) struct Endpoint {
    pub(crate) tls: Tls,
    pub(crate) supports_referrers: Referrers,
}

/// TLS of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[serde(expecting = "the keys of `tls`")]
pub(crate) struct Tls {
    /// Take any certificate.
    pub(crate) insecure_skip_verify: bool,
}

/// How referrers are found at one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Referrers {
    /// By the fallback tag.
    Tag,
    /// By the API.
    Api,
    /// By the API where there is one.
    #[default]
    Auto,
}

impl<'de> Deserialize<'de> for RegistryConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RegistryConfigVisitor)
    }
}

struct RegistryConfigVisitor;

impl<'de> Visitor<'de> for RegistryConfigVisitor {
    type Value = RegistryConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of registries, or of `registries` and `endpointConfig`")
    }

    fn visit_unit<E: de::Error>(self) -> Result<RegistryConfig, E> {
        Ok(RegistryConfig::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RegistryConfig, A::Error> {
        let mut config = RegistryConfig::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "registries" => {
                    let more: Option<BTreeMap<String, Option<Registry>>> = map.next_value()?;
                    for (host, registry) in more.unwrap_or_default() {
                        insert(&mut config.registries, host, registry)?;
                    }
                }
                "endpointConfig" => {
                    let endpoints: Option<BTreeMap<String, Endpoint>> = map.next_value()?;
                    config.endpoint_config = endpoints.unwrap_or_default();
                }
                host if is_host(host) => insert(&mut config.registries, key, map.next_value()?)?,
                _ => return Err(de::Error::unknown_field(&key, &["registries", "endpointConfig"])),
            }
        }
        Ok(config)
    }
}

fn insert<E: de::Error>(
    registries: &mut BTreeMap<String, Registry>,
    host: String,
    registry: Option<Registry>,
) -> Result<(), E> {
    if registries.contains_key(&host) {
        return Err(E::custom(format!("the registry `{host}` stands here twice")));
    }
    registries.insert(host, registry.unwrap_or_default());
    Ok(())
}

/// Whether a name under `registryConfig` is a registry rather than a mistyped section.
fn is_host(name: &str) -> bool {
    name == "localhost" || name.contains(['.', ':'])
}

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<File, ConfigError> {
    let bytes = airlift_oci::store::read_small(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &bytes)
}

/// Reads the content of a file; `path` is for messages. A byte order mark and any line ends do.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<File, ConfigError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        text_error(path, line, 1, "this is no UTF-8 text".to_owned(), None)
    })?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(File::default());
    }
    let mut file: File = serde_yaml::from_str(text).map_err(|error| explain(path, &error))?;
    for (url, endpoint) in std::mem::take(&mut file.endpoint_config) {
        let message = format!("the endpoint `{url}` stands here and under registryConfig");
        if file.registry_config.endpoint_config.insert(url, endpoint).is_some() {
            let line = text.lines().take_while(|line| !line.starts_with("endpointConfig")).count();
            return Err(text_error(path, line + 1, 1, message, None));
        }
    }
    Ok(file)
}

fn text_error(
    path: &Path,
    line: usize,
    column: usize,
    message: String,
    nearest: Option<String>,
) -> ConfigError {
    ConfigError::Text { path: path.to_owned(), line, column, message, nearest }
}

/// The error of the YAML reader with its place in front, and the key that was probably meant.
fn explain(path: &Path, error: &serde_yaml::Error) -> ConfigError {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    let message =
        text.replace("unknown field", "unknown key").replace("unknown variant", "unknown value");
    let mut words = text.split('`').skip(1).step_by(2);
    let nearest = match words.next() {
        Some(wrong) if text.contains("unknown ") => nearest(wrong, words).map(str::to_owned),
        _ => None,
    };
    text_error(path, line, column, message, nearest)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{File, Referrers, parse};

    fn read(text: &str) -> Result<File, String> {
        parse(Path::new("f.yaml"), text.as_bytes())
            .map_err(|error| format!("{error} // {}", error.hint().unwrap_or_default()))
    }

    const DIRECT: &str = "concurrentHTTP: 7
registryConfig:
  index.docker.io:
    endpoints:
      - https://index.docker.io
      - http://localhost:5000
    rewritePull:
      \"^rancher/(.*)\": \"ace/dt/rancher-images/$1\"
  nvcr.io:
  endpointConfig:
    https://nvcr.io:
      supportsReferrers: \"tag\"
    https://index.docker.io:
      tls:
        insecureSkipVerify: true
";

    #[test]
    fn registries_stand_directly_or_under_their_own_key() {
        let direct = read(DIRECT).expect("reads");
        let nested = DIRECT
            .replace("\n  index.docker.io", "\n  registries:\n    index.docker.io")
            .replace("\n    endpoints", "\n      endpoints")
            .replace("\n      - ", "\n        - ")
            .replace("\n    rewritePull", "\n      rewritePull")
            .replace("\n      \"^", "\n        \"^")
            .replace("\n  nvcr.io", "\n    nvcr.io");
        let nested = read(&nested).expect("reads");
        assert_eq!(direct.registry_config.registries, nested.registry_config.registries);
        assert_eq!(direct.registry_config.registries.len(), 2);
        let endpoints = &nested.registry_config.endpoint_config;
        assert_eq!(endpoints["https://nvcr.io"].supports_referrers, Referrers::Tag);
        assert!(endpoints["https://index.docker.io"].tls.insecure_skip_verify);
    }

    #[test]
    fn endpoints_stand_within_or_beside() {
        let beside = DIRECT.replace("\n  endpointConfig", "\nendpointConfig");
        let (beside, within) = (read(&beside).expect("reads"), read(DIRECT).expect("reads"));
        let endpoints = |file: File| file.registry_config.endpoint_config;
        assert_eq!(endpoints(beside), endpoints(within));
        let twice = format!("{DIRECT}endpointConfig:\n  https://nvcr.io: {{}}\n");
        let error = read(&twice).expect_err("twice");
        assert!(error.contains("f.yaml:16:1: the endpoint `https://nvcr.io`"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_do() {
        let text = format!("\u{feff}{}", DIRECT.replace('\n', "\r\n"));
        assert_eq!(read(&text).expect("reads").concurrent_http, Some(7));
        for empty in ["", "\u{feff}", "# only\r\n# comments\r\n"] {
            assert_eq!(read(empty).expect("reads").concurrent_http, None);
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_place_and_nearest() {
        for (text, wanted) in [
            ("a: 1\n", "f.yaml:1:1: unknown key `a`"),
            ("\nconcurentHTTP: 1\n", "f.yaml:2:1: unknown key `concurentHTTP`"),
            ("concurentHTTP: 1\n", "did you mean `concurrentHTTP`?"),
            ("registryConfig:\n  registry:\n    a.io: {}\n", "did you mean `registries`?"),
            ("registryConfig:\n  a.io:\n    endpoint: []\n", "did you mean `endpoints`?"),
            ("registryConfig:\n  a.io:\n    endpoint: []\n", "f.yaml:3:5: "),
            (
                "registryConfig:\n  endpointConfig:\n    https://a.io:\n      supportsReferrers: tags\n",
                "did you mean `tag`?",
            ),
            ("concurrentHTTP: many\n", "f.yaml:1:"),
            ("rate: [1]\n", "rate: invalid type: sequence, expected a number or a text"),
            ("- a\n", "expected keys with values"),
            ("registryConfig: {a.io: 3}\n", "expected the keys of a registry"),
            ("a: [\n", "f.yaml:"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn the_keys_of_the_other_program_are_taken() {
        let file =
            read("apiVersion: x\nkind: y\neditor: vi\ntelemetry:\n- url: z\nhideProgress: true\n")
                .expect("reads");
        assert_eq!(file.unused(), ["editor", "telemetry"]);
        assert!(file.hides_progress());
    }
}
