//! What is wrong with an input: every violation with its place, in one report.

use std::fmt;

use super::spec::Place;
use crate::types::{LocationError, PlatformError, ReferenceError};

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where it is.
    pub place: Place,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The input is no sequence of copy specs from here on; nothing behind it was read.
    #[error("{what} at byte {byte}")]
    Stream {
        /// What was found.
        what: String,
        /// Offset in the input.
        byte: u64,
    },
    /// It is no copy spec.
    #[error("{what} at byte {byte}")]
    Malformed {
        /// What the parser says.
        what: String,
        /// Offset in the input.
        byte: u64,
    },
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The line has not the three fields of a list.
    #[error("expected `SOURCE DEST TAG`, found {0} {word}", word = if *.0 == 1 { "field" } else { "fields" })]
    Fields(usize),
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    Encoding,
    /// The name in a list brings a tag or digest of its own.
    #[error("{0:?} has a tag or digest of its own; the third field says the tag")]
    Tagged(String),
    /// An image without a repository of its own was to be put under a prefix.
    #[error("{0:?} has no repository that could go under a prefix; use a copy spec")]
    Unnamed(String),
    /// The tag is none.
    #[error(transparent)]
    Tag(ReferenceError),
    /// The source is no location.
    #[error("the source: {0}")]
    Source(LocationError),
    /// The destination is no location.
    #[error("the destination: {0}")]
    Destination(LocationError),
    /// A platform is none.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The destination can only be read.
    #[error("{0} cannot be a destination: archives are written by `airlift serialize`")]
    Archive(String),
    /// The image is read and written.
    #[error("{reference} is a destination here and a source at {other}")]
    BothSides {
        /// The image.
        reference: String,
        /// Where it is a source.
        other: Place,
    },
    /// The destination is asked for twice, differently.
    #[error(
        "{destination} is given from {from} here and differently from {first_from} at {first}; \
         all copies to one destination must have the same source and transformations"
    )]
    Conflict {
        /// The destination.
        destination: String,
        /// The source here.
        from: String,
        /// The source there.
        first_from: String,
        /// The earlier place.
        first: Place,
    },
    /// The destination's digest is not the source's.
    #[error(
        "the destination {destination} names a digest, so the source must name the same one; it is {from}"
    )]
    Digest {
        /// The destination.
        destination: String,
        /// The source.
        from: String,
    },
    /// The destination's digest cannot be kept.
    #[error("the destination {0} names a digest, but transformations give the image another one")]
    Transformed(String),
}

/// Every violation in an input. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    /// Name of the input.
    pub input: String,
    /// In the order of the input, at least one.
    pub list: Vec<Violation>,
}

impl Violations {
    /// `Ok` when there are none.
    pub(super) fn check(input: &str, mut list: Vec<Violation>) -> Result<(), Violations> {
        if list.is_empty() {
            return Ok(());
        }
        list.sort_by_key(|violation| violation.place.order());
        Err(Violations { input: input.to_owned(), list })
    }
}

impl Place {
    fn order(self) -> u64 {
        match self {
            Place::Spec { number, .. } | Place::Line(number) | Place::Argument(number) => number,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.as_slice() {
            [one] => write!(f, "{}: {one}", self.input),
            many => {
                write!(f, "{}: {} violations, nothing was done", self.input, many.len())?;
                many.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
            }
        }
    }
}

impl std::error::Error for Violations {}
