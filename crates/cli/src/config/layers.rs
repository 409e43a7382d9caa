//! Precedence: an option wins over a variable, a variable over the file, the file over the default.

use std::path::PathBuf;

use super::{ConfigError, Environment, Origin, Setting};

/// What a setting is looked up in.
pub(super) struct Layers<'a> {
    pub(super) environment: &'a Environment,
    pub(super) path: Option<&'a PathBuf>,
}

impl Layers<'_> {
    /// The value of the highest layer that has one. Layers below it are not even parsed.
    pub(super) fn pick<T>(
        &self,
        (flag, given): (&'static str, Option<T>),
        variables: &[&'static str],
        (key, in_file): (&str, Option<String>),
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Setting<T>>, ConfigError> {
        if let Some(value) = given {
            return Ok(Some(Setting { value, origin: Origin::Flag(flag) }));
        }
        let (text, origin) = match self.environment.first(variables) {
            Some((name, text)) => (text.to_owned(), Origin::Variable(name)),
            None => match in_file {
                Some(text) => (text, Origin::File(self.path.cloned().unwrap_or_default())),
                None => return Ok(None),
            },
        };
        match parse(&text) {
            Ok(value) => Ok(Some(Setting { value, origin })),
            Err(message) => Err(value_error(key, origin, message)),
        }
    }
}

pub(super) fn unset<T>(value: T) -> Setting<T> {
    Setting { value, origin: Origin::Default }
}

pub(super) fn value_error(key: &str, origin: Origin, message: String) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), origin, message }
}

/// A value that may be set by nobody.
pub(super) fn optional<T>(found: Option<Setting<T>>) -> Setting<Option<T>> {
    match found {
        Some(found) => Setting { value: Some(found.value), origin: found.origin },
        None => unset(None),
    }
}
