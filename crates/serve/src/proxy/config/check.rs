//! What values must be beside each other.

use super::{Config, ConfigError};

/// The registry that is asked first, and the one after it, where no route says anything else.
const IN_TURN: [&str; 2] = ["hot", "cold"];

impl Config {
    /// The registries that are asked, in order, for names that no route is for.
    pub fn in_turn(&self) -> Vec<&str> {
        IN_TURN.into_iter().filter(|name| self.registry.contains_key(*name)).collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.registry.is_empty() {
            let message = "set registry.hot.url, registry.cold.url or both, in the file or as \
                           MIRROR_REGISTRY_HOT_URL and MIRROR_REGISTRY_COLD_URL";
            return Err(ConfigError::invalid("registry", message));
        }
        for (name, registry) in &self.registry {
            let key = |rest: &str| format!("registry.{name}{rest}");
            if !is_name(name) {
                let message = "a registry's name has lower-case letters, digits and hyphens";
                return Err(ConfigError::invalid(key(""), message));
            }
            if registry.url.is_empty() {
                return Err(ConfigError::invalid(key(".url"), "the URL is missing"));
            }
            if !["http://", "https://"].iter().any(|scheme| registry.url.starts_with(scheme)) {
                let message = "the URL must begin with https:// or http://";
                return Err(ConfigError::invalid(key(".url"), message));
            }
            if registry.username.is_empty() != registry.password.0.is_empty() {
                let message = "user and password are given both or not at all";
                return Err(ConfigError::invalid(key(".username"), message));
            }
        }
        self.check_routes()?;
        self.check_numbers()?;
        self.check_tls()?;
        self.check_push()
    }

    fn check_routes(&self) -> Result<(), ConfigError> {
        for (at, route) in self.routes.iter().enumerate() {
            let key = format!("routes[{at}]");
            if route.registries.is_empty() {
                let message = "name the registries that are asked for this prefix";
                return Err(ConfigError::invalid(format!("{key}.registries"), message));
            }
            for name in &route.registries {
                self.known(&key, name)?;
            }
            let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
            for text in [Some(&route.prefix), route.replace.as_ref()].into_iter().flatten() {
                if !text.chars().all(part) || text.contains("..") {
                    let message = format!("{text:?} is the start of no repository's name");
                    return Err(ConfigError::invalid(key, message));
                }
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        for (key, number) in [
            ("server.connections", self.server.connections),
            ("breaker.failures", self.breaker.failures as usize),
            ("warming.queue", self.warming.queue),
            ("warming.images", self.warming.images),
        ] {
            if number == 0 {
                return Err(ConfigError::invalid(key, "must be above 0"));
            }
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        let mut pairs =
            vec![("server.tls".to_owned(), &self.server.tls.cert, &self.server.tls.key)];
        pairs.extend(self.registry.iter().map(|(name, registry)| {
            (format!("registry.{name}.tls"), &registry.tls.cert, &registry.tls.key)
        }));
        match pairs.into_iter().find(|(_, cert, key)| cert.is_some() != key.is_some()) {
            Some((key, ..)) => Err(ConfigError::invalid(key, "give both cert and key, or neither")),
            None => Ok(()),
        }
    }

    fn check_push(&self) -> Result<(), ConfigError> {
        if self.push.registry.is_empty() {
            return Ok(());
        }
        self.known("push.registry", &self.push.registry)?;
        if !self.push.anyone && self.users.file.is_none() {
            let message = "who may push? name users.file, or set push.anyone: true where only \
                           those reach the proxy who may";
            return Err(ConfigError::invalid("push", message));
        }
        Ok(())
    }

    fn known(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        if self.registry.contains_key(name) {
            return Ok(());
        }
        Err(ConfigError::Unknown {
            place: key.to_owned(),
            what: "registry",
            word: name.to_owned(),
            known: self.registry.keys().cloned().collect(),
        })
    }
}

/// Whether a name can be part of a variable, a label of a metric and a message.
fn is_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64 && name.chars().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let hot = "registry: {hot: {url: 'http://a'}}\n";
        for (text, wanted) in [
            ("", "MIRROR_REGISTRY_HOT_URL"),
            ("registry: {hot: {}}", "registry.hot.url"),
            ("registry: {hot: {url: 'ftp://a'}}", "must begin with https://"),
            ("registry: {'h t': {url: 'http://a'}}", "lower-case"),
            ("registry: {hot: {url: 'http://a', username: u}}", "both"),
            (
                &format!("{hot}routes: [{{prefix: a, registries: [cold]}}]"),
                "unknown registry `cold`",
            ),
            (&format!("{hot}routes: [{{prefix: a}}]"), "routes[0].registries"),
            (&format!("{hot}routes: [{{prefix: '../', registries: [hot]}}]"), "start of no"),
            (&format!("{hot}breaker: {{failures: 0}}"), "above 0"),
            (&format!("{hot}push: {{registry: hot}}"), "who may push"),
            (&format!("{hot}push: {{registry: hat, anyone: true}}"), "unknown registry `hat`"),
        ] {
            let error = Config::read("f", text, []).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let config = Config::read("f", "registry: {cold: {url: 'http://a'}}", []).unwrap();
        assert_eq!(config.in_turn(), ["cold"]);
    }
}
