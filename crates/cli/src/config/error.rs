//! What can be wrong with a configuration.

use std::path::PathBuf;

use super::Origin;

/// A configuration that cannot be used. Nothing was begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file that was asked for is not there.
    #[error("the {what} {} named by {by} does not exist", path.display())]
    Missing {
        /// `configuration file`, `credentials file`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Who asked for it.
        by: Origin,
    },
    /// A file that was asked for is a directory.
    #[error("the {what} {} named by {by} is a directory", path.display())]
    Directory {
        /// `credentials file`.
        what: &'static str,
        /// The directory.
        path: PathBuf,
        /// Who asked for it.
        by: Origin,
    },
    /// A file cannot be read.
    #[error("reading {} failed", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text of a file is wrong.
    #[error("{}{}: {message}", path.display(), at(*line, *column))]
    Text {
        /// The file.
        path: PathBuf,
        /// Line, from 1; 0 when unknown.
        line: usize,
        /// Column, from 1; 0 when unknown.
        column: usize,
        /// What is wrong.
        message: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value is wrong.
    #[error("{key} of {origin}: {message}")]
    Value {
        /// Which value.
        key: String,
        /// Where it came from.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
}

fn at(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}:{column}") }
}

impl ConfigError {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            ConfigError::Text { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? `airlift config --sample` shows every key")
            }
            ConfigError::Text { .. } | ConfigError::Value { .. } => {
                "`airlift config --sample` shows every key with an example".to_owned()
            }
            ConfigError::Missing { what: "configuration file", .. } => {
                "`airlift config --sample > FILE` writes one to start from".to_owned()
            }
            ConfigError::Missing { .. } => {
                "name a file that exists, or let `airlift login` make one".to_owned()
            }
            ConfigError::Directory { .. } => "name the file in it, such as config.json".to_owned(),
            ConfigError::Read { .. } => return None,
        };
        Some(hint)
    }
}
