//! A destination, the rule that gave it, and what can be wrong with either.

use std::fmt;
use std::sync::Arc;

use airlift_oci::types::{Digest, Reference, ReferenceError};

use crate::Origin;

/// Where a rule stands: `destfile.csv:3`, or the ruleset itself for rules without a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as the user named it, or the whole `nest=…`.
    pub file: Arc<str>,
    /// Line of the file, from 1, when one line gave it.
    pub line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.iter().try_for_each(|line| write!(f, ":{line}"))
    }
}

/// One place an item goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where to. Without a tag and a digest `latest` is meant; with a digest alone the content is
    /// stored without a tag.
    pub reference: Reference,
    /// The rule that says so.
    pub rule: Place,
}

/// Why an item has no valid destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A rule gives something that is no reference.
    #[error("{rule}: invalid destination {text:?} for {item}")]
    Invalid {
        /// The rule.
        rule: Place,
        /// The item's source.
        item: String,
        /// What the rule gave, cut short when it is very long.
        text: String,
        /// What is wrong with it.
        #[source]
        cause: Box<ReferenceError>,
    },
    /// A rule gives more text than any reference has.
    #[error("{rule}: the destination for {item} has {length} characters: {text:?}..")]
    TooLong {
        /// The rule.
        rule: Place,
        /// The item's source.
        item: String,
        /// The start of the text.
        text: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A destination asks for a digest that is not the item's.
    #[error(
        "{rule}: the destination {text:?} for {item} ends in another digest than the item's, {digest}"
    )]
    OtherDigest {
        /// The rule.
        rule: Place,
        /// The item's source.
        item: String,
        /// What the rule gave.
        text: String,
        /// The item's digest.
        digest: Digest,
    },
    /// A template fails for the item.
    #[error("{rule}: the template fails for {item}")]
    Template {
        /// The rule file, with the line when it is known.
        rule: Place,
        /// The item's source.
        item: String,
        /// What is wrong.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The rule needs a source that is a registry reference.
    #[error("{rule}: the source {item:?} is no reference that can be put below a repository")]
    Source {
        /// The rule.
        rule: Place,
        /// The item's source.
        item: String,
        /// What is wrong with it.
        #[source]
        cause: Box<ReferenceError>,
    },
}

impl RouteError {
    /// What the rule gave, as far as it gave something.
    pub fn text(&self) -> Option<&str> {
        match self {
            RouteError::Invalid { text, .. }
            | RouteError::TooLong { text, .. }
            | RouteError::OtherDigest { text, .. } => Some(text),
            RouteError::Template { .. } | RouteError::Source { .. } => None,
        }
    }

    /// The rule at fault.
    pub fn rule(&self) -> &Place {
        match self {
            RouteError::Invalid { rule, .. }
            | RouteError::TooLong { rule, .. }
            | RouteError::OtherDigest { rule, .. }
            | RouteError::Template { rule, .. }
            | RouteError::Source { rule, .. } => rule,
        }
    }
}

/// A reference has at most a host (255), a repository (255), a tag (128) and a digest (135).
const LONGEST: usize = 1024;

/// Turns what a rule gave into a destination.
///
/// A digest in it must be the item's; the digest of the index that the item's platform was
/// selected from becomes the item's own, since nothing else can be stored under it.
pub(crate) fn destination(
    text: &str,
    rule: Place,
    origin: &Origin<'_>,
) -> Result<Destination, RouteError> {
    let item = || origin.source.to_owned();
    if text.len() > LONGEST {
        let start = text.chars().take(80).collect();
        return Err(RouteError::TooLong { rule, item: item(), text: start, length: text.len() });
    }
    let mut reference: Reference = match text.parse() {
        Ok(reference) => reference,
        Err(cause) => {
            let (text, cause) = (text.to_owned(), Box::new(cause));
            return Err(RouteError::Invalid { rule, item: item(), text, cause });
        }
    };
    if let Some(digest) = &mut reference.digest {
        let own = &origin.descriptor.digest;
        if !origin.has_digest(digest) {
            let (text, digest) = (text.to_owned(), own.clone());
            return Err(RouteError::OtherDigest { rule, item: item(), text, digest });
        }
        if digest != own {
            *digest = own.clone();
        }
    }
    Ok(Destination { reference, rule })
}
