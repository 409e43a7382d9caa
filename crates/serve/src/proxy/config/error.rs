//! What is wrong with settings, and where.

/// Settings that cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no YAML, or a value is of the wrong kind.
    #[error("{place}: {message}")]
    Text {
        /// `FILE:LINE:COLUMN`, or the variable's name.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A key or value that there is not.
    #[error("{place}: unknown {what} `{word}`")]
    Unknown {
        /// `FILE:LINE:COLUMN`, or the variable's name.
        place: String,
        /// `key`, `value`, `variable`, `registry`.
        what: &'static str,
        /// What stands there.
        word: String,
        /// What could stand there.
        known: Vec<String>,
    },
    /// A value that does not fit the others.
    #[error("{key}: {message}")]
    Invalid {
        /// The key, from the top.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// What only the client of a registry could judge: its URL, headers, certificates.
    #[error("registry.{name} cannot be used")]
    Registry {
        /// The registry.
        name: String,
        /// Why.
        #[source]
        source: Box<airlift_oci::store::StoreError>,
    },
}

impl ConfigError {
    /// What a word that is not known could have been; empty for every other error.
    pub fn known(&self) -> (&str, &[String]) {
        match self {
            ConfigError::Unknown { word, known, .. } => (word, known),
            _ => ("", &[]),
        }
    }

    pub(super) fn invalid(key: impl Into<String>, message: impl Into<String>) -> Self {
        ConfigError::Invalid { key: key.into(), message: message.into() }
    }

    /// The error of the YAML reader at `place`.
    pub(super) fn of_yaml(place: &str, error: &serde_yaml::Error) -> Self {
        let place = match error.location() {
            Some(at) => format!("{place}:{}:{}", at.line(), at.column()),
            None => place.to_owned(),
        };
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        let mut words = text.split('`').skip(1).step_by(2).map(str::to_owned);
        let what = match text {
            _ if text.contains("unknown field") => "key",
            _ if text.contains("unknown variant") => "value",
            _ => return ConfigError::Text { place, message: text.to_owned() },
        };
        let word = words.next().unwrap_or_default();
        ConfigError::Unknown { place, what, word, known: words.collect() }
    }
}
