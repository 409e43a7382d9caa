//! Reading: the file's text first, then one variable after the other laid over it.

use serde_yaml::{Mapping, Value};

use super::keys::{Form, KEYS, PREFIX, REGISTRY, is_service_link, key, variable};
use super::{Config, ConfigError};

impl Config {
    /// Reads a file's text, called `place` in errors, and lays the variables over it: those that
    /// begin with [`PREFIX`] count, others are passed over. An empty text is a file that sets
    /// nothing.
    pub fn read<'a>(
        place: &str,
        text: &str,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Config, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let of_file = |error| ConfigError::of_yaml(place, &error);
        let mut value: Value = serde_yaml::from_str(text).map_err(of_file)?;
        let mut config = Config::default();
        if !value.is_null() {
            // From the text, not from the value: errors have lines then.
            config = serde_yaml::from_str(text).map_err(of_file)?;
        }
        let mut ours: Vec<_> = variables
            .into_iter()
            .filter_map(|(name, content)| Some((name, name.strip_prefix(PREFIX)?, content)))
            // A variable that is set to nothing is how containers leave one out.
            .filter(|(_, rest, content)| !content.is_empty() && !is_service_link(rest, content))
            .collect();
        ours.sort_unstable();
        for (name, rest, content) in ours {
            let registries: Vec<String> = config.registry.keys().cloned().collect();
            let (path, form) = key(rest, &registries).ok_or_else(|| unknown(name, &config))?;
            let content = match form {
                Form::Text => Value::String(content.to_owned()),
                Form::Yaml => serde_yaml::from_str(content).map_err(|_| no_yaml(name))?,
            };
            lay(&mut value, &path, content);
            config = serde_yaml::from_value(value.clone())
                .map_err(|error| ConfigError::of_yaml(name, &error))?;
        }
        config.check()?;
        Ok(config)
    }
}

/// Sets the key at `path`.
fn lay(value: &mut Value, path: &[String], content: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = content;
        return;
    };
    if !value.is_mapping() {
        *value = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(mapping) = value {
        let key = Value::String(first.clone());
        if !mapping.contains_key(&key) {
            mapping.insert(key.clone(), Value::Null);
        }
        if let Some(inner) = mapping.get_mut(&key) {
            lay(inner, rest, content);
        }
    }
}

/// The content is not shown: it may be a header with a secret.
fn no_yaml(name: &str) -> ConfigError {
    ConfigError::Text { place: name.to_owned(), message: "the value is no YAML".to_owned() }
}

fn unknown(name: &str, config: &Config) -> ConfigError {
    let plain = KEYS.iter().map(|(key, _)| format!("{PREFIX}{}", variable(key)));
    let mut names: Vec<String> = config.registry.keys().cloned().collect();
    names.extend(["hot", "cold"].map(str::to_owned));
    let known = plain
        .chain(names.iter().flat_map(|registry| {
            let variable =
                |key| format!("{PREFIX}REGISTRY_{}_{}", variable(registry), variable(key));
            REGISTRY.iter().map(move |(key, _)| variable(key))
        }))
        .collect();
    ConfigError::Unknown {
        place: "the environment".to_owned(),
        what: "variable",
        word: name.to_owned(),
        known,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proxy::config::{Format, Level, Mode};

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let config = Config::read("config.yaml", text, variables.iter().copied());
        config.map_err(|error| error.to_string())
    }

    const DOCUMENT: &str = r#"
server:
  port: 5000

registry:
  hot:
    url: "https://registry.cn-hangzhou.aliyuncs.com"
    username: ""
    password: ""
    headers:
      User-Agent: "mirror-registry/1.0"
  cold:
    url: "http://localhost:5001"
    username: ""
    password: ""
    headers:
      User-Agent: "mirror-registry/1.0"

logging:
  level: "info"
  format: "json"
"#;

    #[test]
    fn the_documents_file_is_read() {
        let config = read(DOCUMENT, &[]).unwrap();
        assert_eq!(config.listen().to_string(), "0.0.0.0:5000");
        let (hot, cold) = (&config.registry["hot"], &config.registry["cold"]);
        assert_eq!(hot.url, "https://registry.cn-hangzhou.aliyuncs.com");
        assert_eq!(cold.headers["User-Agent"].0.expose(), "mirror-registry/1.0");
        assert_eq!((config.logging.level, config.logging.format), (Level::Info, Format::Json));
        assert_eq!(config.mode, Mode::Auto);
    }

    #[test]
    fn the_documents_variables_win_over_the_file_and_do_without_one() {
        let variables = [
            ("MIRROR_SERVER_PORT", "5005"),
            ("MIRROR_REGISTRY_HOT_URL", "https://registry.cn-hangzhou.aliyuncs.com"),
            ("MIRROR_REGISTRY_COLD_URL", "http://localhost:5009"),
            ("MIRROR_LOGGING_LEVEL", "warn"),
            ("MIRROR_MODE", ""),
            ("PATH", "/bin"),
        ];
        for text in [DOCUMENT, ""] {
            let config = read(text, &variables).unwrap();
            assert_eq!(config.server.port, 5005);
            assert_eq!(config.registry["cold"].url, "http://localhost:5009");
            assert_eq!(config.logging.level, Level::Warn);
        }
    }

    #[test]
    fn every_key_has_a_variable() {
        let listed = [
            ("SERVER_ADDRESS", "127.0.0.1"),
            ("SERVER_PORT", "1"),
            ("LOGGING_LEVEL", "warn"),
            ("REGISTRY_HOT_URL", "http://other"),
            ("SERVER_CONNECTIONS", "7"),
            ("SERVER_GRACE", "2m"),
            ("SERVER_METRICS", "false"),
            ("SERVER_TLS_CERT", "/c"),
            ("SERVER_TLS_KEY", "/k"),
            ("ROUTES", "[{prefix: a/, registries: [cold]}]"),
            ("MODE", "relay"),
            ("REMEMBER", "250ms"),
            ("TIMEOUTS_CONNECT", "1"),
            ("TIMEOUTS_ANSWER", "1s"),
            ("TIMEOUTS_STALL", "1s"),
            ("BREAKER_FAILURES", "1"),
            ("BREAKER_PAUSE", "1s"),
            ("WARMING_ENABLED", "true"),
            ("WARMING_QUEUE", "1"),
            ("WARMING_IMAGES", "1"),
            ("PUSH_REGISTRY", "cold"),
            ("PUSH_ANYONE", "true"),
            ("LOGGING_FORMAT", "console"),
            ("USERS_FILE", "/htpasswd"),
            ("USERS_RULES", "['*:read']"),
            ("REGISTRY_HOT_USERNAME", "u"),
            ("REGISTRY_HOT_PASSWORD", "0123"),
            ("REGISTRY_HOT_HEADERS", "{X-Key: abc}"),
            ("REGISTRY_HOT_MODE", "redirect"),
            ("REGISTRY_HOT_STORAGE", "[s3.example.com]"),
            ("REGISTRY_HOT_TLS_CA", "[/ca.pem]"),
            ("REGISTRY_HOT_TLS_CERT", "/c"),
            ("REGISTRY_HOT_TLS_KEY", "/k"),
            ("REGISTRY_HOT_TLS_INSECURE", "true"),
        ];
        assert_eq!(listed.len(), KEYS.len() + REGISTRY.len());
        for (name, content) in listed {
            let name = format!("{PREFIX}{name}");
            let mut variables = vec![(name.as_str(), content)];
            // What makes sense only beside another key.
            for (key, other, content) in [
                ("PUSH_REGISTRY", "MIRROR_PUSH_ANYONE", "true"),
                ("PUSH_ANYONE", "MIRROR_PUSH_REGISTRY", "hot"),
                ("USERNAME", "MIRROR_REGISTRY_HOT_PASSWORD", "p"),
                ("PASSWORD", "MIRROR_REGISTRY_HOT_USERNAME", "u"),
                ("SERVER_TLS_CERT", "MIRROR_SERVER_TLS_KEY", "/k"),
                ("SERVER_TLS_KEY", "MIRROR_SERVER_TLS_CERT", "/c"),
                ("HOT_TLS_CERT", "MIRROR_REGISTRY_HOT_TLS_KEY", "/k"),
                ("HOT_TLS_KEY", "MIRROR_REGISTRY_HOT_TLS_CERT", "/c"),
            ] {
                if name.ends_with(key) {
                    variables.push((other, content));
                }
            }
            let changed = read(DOCUMENT, &variables).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_ne!(changed, read(DOCUMENT, &[]).unwrap(), "{name}");
        }
        let grace = read(DOCUMENT, &[("MIRROR_SERVER_GRACE", "2m")]).unwrap().server.grace;
        assert_eq!(grace.0, Duration::from_secs(120));
    }

    #[test]
    fn text_is_another_word_for_console() {
        let words = ["text", "console"];
        let [text, console] = words.map(|word| read(DOCUMENT, &[("MIRROR_LOGGING_FORMAT", word)]));
        assert_eq!(text.unwrap(), console.unwrap());
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        for (text, wanted) in [
            ("sever:\n  port: 1\n", "config.yaml:1:1: unknown key `sever`"),
            ("registry:\n  hot:\n    ulr: x\n", "config.yaml:3:5: unknown key `ulr`"),
            ("mode: fast\n", "unknown value `fast`"),
            ("server: [\n", "config.yaml:"),
            ("server:\n  port: 70000\n", "config.yaml:2:9"),
            ("remember: 0\n", "a time above 0"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let error = read(DOCUMENT, &[("MIRROR_SERVER_PROT", "1")]).unwrap_err();
        assert_eq!(error, "the environment: unknown variable `MIRROR_SERVER_PROT`");
        let error = read(DOCUMENT, &[("MIRROR_SERVER_PORT", "many")]).unwrap_err();
        assert!(error.starts_with("MIRROR_SERVER_PORT: "), "{error}");
        assert!(read(DOCUMENT, &[("MIRROR_REGISTRY_SERVICE_HOST", "10.0.0.1")]).is_ok());
    }

    #[test]
    fn secrets_are_in_no_error_and_no_debug() {
        let text = "registry:\n  hot:\n    url: http://a\n    password: 12345678\n";
        let error = read(text, &[]).unwrap_err();
        assert!(error.contains("quotes") && !error.contains("12345678"), "{error}");
        let error = read(DOCUMENT, &[("MIRROR_REGISTRY_HOT_HEADERS", "{s3cret: [")]).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
        let error = read(DOCUMENT, &[("MIRROR_REGISTRY_HOT_HEADERS", "s3cret")]).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
        let variables =
            [("MIRROR_REGISTRY_HOT_USERNAME", "u"), ("MIRROR_REGISTRY_HOT_PASSWORD", "s3cret")];
        let config = read(DOCUMENT, &variables).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
