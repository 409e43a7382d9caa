//! Names of repositories as clients send them.

use std::fmt;
use std::str::FromStr;

use airlift_oci::types::{Name, ReferenceError};

/// A repository's path, checked against the specification's grammar: lower-case components with no
/// `..`, no empty one, nothing that a file system or a header could misread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of this repository at `registry`, a host with an optional port.
    pub fn at(&self, registry: &str) -> Result<Name, ReferenceError> {
        Name::new(registry, &self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        // The grammar is the one of references; which registry stands before it does not matter.
        Name::new("localhost", text).map(|name| RepositoryName(name.repository().to_owned()))
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
