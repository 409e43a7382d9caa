//! Locations: where an image may live, as an operator writes it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Reference, ReferenceError, Tag};

/// Where an image may live.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// In a registry: `REGISTRY/REPOSITORY[:TAG][@DIGEST]`.
    Registry(Reference),
    /// In an OCI image layout directory: `oci:DIR[:TAG]`.
    Layout {
        /// The directory.
        directory: PathBuf,
        /// The tag.
        tag: Option<String>,
    },
    /// In an OCI image layout within a tar, or in what `docker save` wrote, read only:
    /// `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`.
    Archive {
        /// The file.
        file: PathBuf,
        /// The tag, or the name that the archive's index gives: after the first colon, as it is.
        tag: Option<String>,
    },
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// It is no reference, and has no prefix of another kind.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Nothing stands after `oci:` or `oci-archive:`.
    #[error("{0:?} names no path after the colon")]
    NoPath(String),
}

impl Location {
    /// Reads a location whose references are Docker's: `alpine` is `docker.io/library/alpine`.
    pub fn parse_docker(text: &str) -> Result<Self, LocationError> {
        match parse_path(text)? {
            Some(location) => Ok(location),
            None => Ok(Location::Registry(Reference::parse_docker(text)?)),
        }
    }

    /// The registry reference, when it is one.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Location::Registry(reference) => Some(reference),
            Location::Layout { .. } | Location::Archive { .. } => None,
        }
    }

    /// The tag by which a destination is to be named: the one given, else `latest`. A digest gives
    /// none.
    pub fn destination_tag(&self) -> Option<Tag> {
        match self {
            Location::Registry(Reference { tag: None, digest: Some(_), .. }) => None,
            Location::Registry(Reference { tag, .. }) => {
                Some(tag.clone().unwrap_or_else(Tag::latest))
            }
            Location::Layout { tag, .. } | Location::Archive { tag, .. } => {
                Some(tag.as_deref().and_then(|tag| tag.parse().ok()).unwrap_or_else(Tag::latest))
            }
        }
    }
}

fn parse_path(text: &str) -> Result<Option<Location>, LocationError> {
    let split = |rest: &str| -> Result<(PathBuf, Option<String>), LocationError> {
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if !tag.is_empty() => (path, Some(tag.to_owned())),
            Some((path, _)) => (path, None),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(LocationError::NoPath(text.to_owned()));
        }
        Ok((PathBuf::from(path), tag))
    };
    if let Some(rest) = text.strip_prefix("oci:") {
        let (directory, tag) = split(rest)?;
        return Ok(Some(Location::Layout { directory, tag }));
    }
    // Which of the two an archive is shows when it is read.
    let archive =
        text.strip_prefix("oci-archive:").or_else(|| text.strip_prefix("docker-archive:"));
    if let Some(rest) = archive {
        let (file, tag) = split(rest)?;
        return Ok(Some(Location::Archive { file, tag }));
    }
    Ok(None)
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        match parse_path(text)? {
            Some(location) => Ok(location),
            None => Ok(Location::Registry(text.parse()?)),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, tag) = match self {
            Location::Registry(reference) => return reference.fmt(f),
            Location::Layout { directory, tag } => ("oci", directory, tag),
            Location::Archive { file, tag } => ("oci-archive", file, tag),
        };
        write!(f, "{kind}:{}", path.display())?;
        tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for text in ["oci:dir/a:1", "oci:dir", "oci-archive:/a/b.tar:docker.io/a/b:1", "reg.io/a:1"]
        {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        assert!("oci:".parse::<Location>().is_err());
        assert!("oci-archive::x".parse::<Location>().is_err());
        let named: Location = "oci-archive:a.tar:docker.io/b:1".parse().unwrap();
        assert!(
            matches!(named, Location::Archive { tag: Some(tag), .. } if tag == "docker.io/b:1")
        );
    }
}
