//! One copy: from where, to where, which of the image's platforms; and where it was asked for.

use std::borrow::Cow;
use std::fmt;
use std::path::{Component, Path};
use std::sync::Arc;

use super::keep::Keep;
use crate::types::{Location, LocationError, Reference, Tag};

/// One copy that is asked for.
///
/// Both ends are held as their full text, not parsed: a run may have a million of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    source: Box<str>,
    destination: Box<str>,
    /// Which of the platforms of an image are carried.
    pub keep: Arc<Keep>,
    /// Where in the input it was asked for.
    pub place: Place,
    /// As it stood there, when that is not JSON.
    text: Option<Box<str>>,
}

/// Where in the input a copy was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a stream of JSON.
    Spec {
        /// The how manieth spec, from 1.
        number: u64,
        /// Offset of its first byte.
        byte: u64,
    },
    /// On a line of a list, from 1.
    Line(u64),
    /// As an argument, from 1.
    Argument(u64),
}

impl Spec {
    /// A copy from `source` to `destination`, of which a missing tag is `latest`.
    pub fn new(source: &Location, destination: &Location, keep: Arc<Keep>, place: Place) -> Self {
        let destination = match destination {
            Location::Layout { directory, tag: None } => {
                let tag = Some(Tag::latest().to_string());
                full(&Location::Layout { directory: directory.clone(), tag })
            }
            other => full(other),
        };
        let (source, destination) = (full(source).into(), destination.into());
        Spec { source, destination, keep, place, text: None }
    }

    /// The same, which stood as `text` in its input.
    #[must_use]
    pub(super) fn written_as(self, text: &str) -> Self {
        Spec { text: Some(text.into()), ..self }
    }

    /// The source in full: with registry, and tag or digest.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The destination in full: with registry, and tag or digest.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The source, to be opened.
    pub fn source_location(&self) -> Result<Location, LocationError> {
        self.source.parse()
    }

    /// The destination, to be opened.
    pub fn destination_location(&self) -> Result<Location, LocationError> {
        self.destination.parse()
    }

    /// The copy in the form of its input, to be asked for once more.
    pub fn again(&self) -> String {
        if let Some(text) = &self.text {
            return text.to_string();
        }
        let mut spec = serde_json::json!({ "src": self.source, "dst": self.destination });
        if let Keep::Platforms(platforms) = self.keep.as_ref() {
            let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            spec["transform"] = serde_json::json!({ "limitPlatforms": platforms });
        }
        spec.to_string()
    }

    /// What the copy makes the destination's name mean: the destination up to its tag, or up to
    /// its digest where it has no tag.
    pub(super) fn written(&self) -> &str {
        match self.destination.split_once('@') {
            Some((head, _)) if !is_path(head) && has_tag(head) => head,
            _ => &self.destination,
        }
    }

    /// Whether both are the same copy, wherever they were asked for.
    pub(super) fn is_same(&self, other: &Spec) -> bool {
        same_place(&self.source) == same_place(&other.source)
            && same_place(self.written()) == same_place(other.written())
            && self.keep.is_same(&other.keep)
    }
}

/// The digest in a reference's full text.
pub(super) fn digest_of(text: &str) -> Option<&str> {
    if is_path(text) {
        return None;
    }
    text.split_once('@').map(|(_, digest)| digest)
}

/// A full text as it is compared with others: hosts have no case, and a path is the same one with
/// superfluous slashes and dots.
pub(super) fn same_place(text: &str) -> Cow<'_, str> {
    if let Some(rest) = text.strip_prefix("oci:") {
        let (path, tag) = rest.split_once(':').unwrap_or((rest, ""));
        let parts = Path::new(path).components().filter(|part| *part != Component::CurDir);
        let plain = parts.collect::<std::path::PathBuf>();
        return format!("oci:{}:{tag}", plain.display()).into();
    }
    match text.split_once('/') {
        Some((host, rest)) if !is_path(text) && host.bytes().any(|b| b.is_ascii_uppercase()) => {
            format!("{}/{rest}", host.to_ascii_lowercase()).into()
        }
        _ => text.into(),
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with("oci:") || text.starts_with("oci-archive:")
}

fn has_tag(head: &str) -> bool {
    head.rfind(':') > head.rfind('/')
}

fn full(location: &Location) -> String {
    match location {
        Location::Registry(Reference { name, tag: None, digest: None }) => {
            format!("{name}:{}", Tag::latest())
        }
        other => other.to_string(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Spec { number, byte } => write!(f, "spec {number} (byte {byte})"),
            Place::Line(line) => write!(f, "line {line}"),
            Place::Argument(number) => write!(f, "argument {number}"),
        }
    }
}
