//! Which variable of the environment stands for which key.

/// What every variable begins with.
pub const PREFIX: &str = "MIRROR_";

/// How a variable's text becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// As YAML: numbers, truth values, lists, maps.
    Yaml,
}

/// Keys and the form of their values.
pub(super) const KEYS: [(&str, Form); 24] = [
    ("server.address", Form::Text),
    ("server.port", Form::Yaml),
    ("server.connections", Form::Yaml),
    ("server.grace", Form::Text),
    ("server.metrics", Form::Yaml),
    ("server.tls.cert", Form::Text),
    ("server.tls.key", Form::Text),
    ("routes", Form::Yaml),
    ("mode", Form::Text),
    ("remember", Form::Text),
    ("timeouts.connect", Form::Text),
    ("timeouts.answer", Form::Text),
    ("timeouts.stall", Form::Text),
    ("breaker.failures", Form::Yaml),
    ("breaker.pause", Form::Text),
    ("warming.enabled", Form::Yaml),
    ("warming.queue", Form::Yaml),
    ("warming.images", Form::Yaml),
    ("push.registry", Form::Text),
    ("push.anyone", Form::Yaml),
    ("users.file", Form::Text),
    ("users.rules", Form::Yaml),
    ("logging.level", Form::Text),
    ("logging.format", Form::Text),
];

/// Keys of a registry, below `registry.NAME`.
pub(super) const REGISTRY: [(&str, Form); 10] = [
    ("url", Form::Text),
    ("username", Form::Text),
    ("password", Form::Text),
    ("headers", Form::Yaml),
    ("mode", Form::Text),
    ("storage", Form::Yaml),
    ("tls.ca", Form::Yaml),
    ("tls.cert", Form::Text),
    ("tls.key", Form::Text),
    ("tls.insecure", Form::Yaml),
];

/// The variable of a key, without what all begin with.
pub(super) fn variable(key: &str) -> String {
    key.replace(['.', '-'], "_").to_uppercase()
}

/// The key of the variable `name`, without what all begin with; `registries` are the names that the
/// file has, which may hold what variables cannot.
pub(super) fn key(name: &str, registries: &[String]) -> Option<(Vec<String>, Form)> {
    if let Some((key, form)) = KEYS.iter().find(|(key, _)| variable(key) == name) {
        return Some((key.split('.').map(str::to_owned).collect(), *form));
    }
    let rest = name.strip_prefix("REGISTRY_")?;
    // The longest key first: NAME_TLS_KEY is no key of a registry called NAME_TLS.
    let mut keys: Vec<_> = REGISTRY.iter().collect();
    keys.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
    let (written, key, form) = keys.into_iter().find_map(|(key, form)| {
        let written = rest.strip_suffix(&variable(key))?.strip_suffix('_')?;
        (!written.is_empty()).then_some((written, key, *form))
    })?;
    let known = registries.iter().find(|known| variable(known) == written);
    let registry = known.cloned().unwrap_or_else(|| written.to_lowercase().replace('_', "-"));
    let path = ["registry".to_owned(), registry];
    Some((path.into_iter().chain(key.split('.').map(str::to_owned)).collect(), form))
}

/// Whether Kubernetes sets such a variable in every container of a namespace that has a service
/// with a name beginning in `mirror-`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
        || is_port_link(name)
}

/// `X_PORT_5000_TCP_ADDR` and its like.
fn is_port_link(name: &str) -> bool {
    let Some((_, rest)) = name.rsplit_once("PORT_") else { return false };
    let mut parts = rest.split('_');
    let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
    number && parts.next().is_some_and(|part| matches!(part, "TCP" | "UDP" | "SCTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str, registries: &[&str]) -> Option<String> {
        let registries: Vec<String> = registries.iter().map(|name| (*name).to_owned()).collect();
        key(name, &registries).map(|(path, _)| path.join("."))
    }

    #[test]
    fn variables_of_keys() {
        for (name, wanted) in [
            ("SERVER_PORT", "server.port"),
            ("MODE", "mode"),
            ("REGISTRY_HOT_URL", "registry.hot.url"),
            ("REGISTRY_COLD_TLS_KEY", "registry.cold.tls.key"),
            ("REGISTRY_FAR_EAST_PASSWORD", "registry.far-east.password"),
        ] {
            assert_eq!(path(name, &["hot"]).as_deref(), Some(wanted), "{name}");
        }
        assert_eq!(path("REGISTRY_A_B_URL", &["a_b"]).as_deref(), Some("registry.a_b.url"));
        for none in ["SERVER_PROT", "REGISTRY_URL", "REGISTRY__URL", "", "REGISTRY_HOT_URLS"] {
            assert_eq!(path(none, &[]), None, "{none}");
        }
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_is_known() {
        for (name, value) in [
            ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
            ("REGISTRY_SERVICE_PORT", "5000"),
            ("REGISTRY_SERVICE_PORT_HTTP", "5000"),
            ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
            ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
            ("REGISTRY_PORT_5000_TCP_PROTO", "tcp"),
            ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        assert!(!is_service_link("REGISTRY_HOT_URL", "http://a"));
        assert!(!is_service_link("SERVER_PORT", "5000"));
    }
}
