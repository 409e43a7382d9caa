//! Images under a prefix: `--to REGISTRY[/PREFIX] IMAGE…`.
//!
//! Path, tag and digest stay: `hello-world` goes to `PREFIX/library/hello-world:latest`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::keep::Keep;
use super::open::Open;
use super::spec::{Place, Spec};
use super::tags::TagFilter;
use super::validate::validate;
use super::violation::{Fault, Violation, Violations};
use crate::store::StoreError;
use crate::types::{Location, Reference, ReferenceError};

/// A registry, or a path in one, under which images are placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// Why a text is no prefix, or an image cannot be placed under one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// It is no registry with an optional path.
    #[error("{0:?} is no REGISTRY[/PREFIX]")]
    Reference(String, #[source] ReferenceError),
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let text = text.trim_end_matches('/');
        match format!("{text}/x").parse::<Reference>() {
            Ok(_) => Ok(Prefix(text.to_owned())),
            Err(error) => Err(PrefixError::Reference(text.to_owned(), error)),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// Where an image goes.
    fn place(&self, image: &Reference) -> Result<Reference, ReferenceError> {
        let named: Reference = format!("{}/{}", self.0, image.name.repository()).parse()?;
        Ok(Reference { name: named.name, tag: image.tag.clone(), digest: image.digest.clone() })
    }
}

/// What is kept of images under a prefix.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Of those named by tag.
    pub keep: Arc<Keep>,
    /// Of those named by digest, which only stay under their digest when nothing is left out.
    pub keep_digests: Arc<Keep>,
}

/// The copies that put each of `images` under the prefix, names as for `docker pull`. All
/// violations are found in one go, each with the number of its argument.
pub fn under_prefix<'a>(
    prefix: &Prefix,
    images: impl IntoIterator<Item = &'a str>,
    options: &Images,
) -> Result<Vec<Spec>, Violations> {
    let (mut specs, mut violations) = (Vec::new(), Vec::new());
    for (number, text) in (1..).zip(images) {
        let place = Place::Argument(number);
        match placed(prefix, text, options, place) {
            Ok(spec) => specs.push(spec),
            Err(fault) => violations.push(Violation { place, fault }),
        }
    }
    validate("the images", specs, violations)
}

fn placed(prefix: &Prefix, text: &str, options: &Images, place: Place) -> Result<Spec, Fault> {
    let source = Location::parse_docker(text).map_err(Fault::Source)?;
    let Location::Registry(image) = &source else { return Err(Fault::Unnamed(text.to_owned())) };
    let destination = prefix.place(image).map_err(|error| Fault::Destination(error.into()))?;
    let keep = if image.digest.is_some() { &options.keep_digests } else { &options.keep };
    let destination = Location::Registry(destination);
    Ok(Spec::new(&source, &destination, keep.clone(), place).written_as(text))
}

/// The images that the tags of a repository name, as far as the filter takes them, in the order
/// of the tags.
pub async fn all_tags(
    open: &dyn Open,
    repository: &Reference,
    filter: &TagFilter,
) -> Result<Vec<Reference>, StoreError> {
    let tags = open.source(&Location::Registry(repository.clone())).await?.store.tags().await?;
    let name = &repository.name;
    let image = |tag| Reference { name: name.clone(), tag: Some(tag), digest: None };
    Ok(tags.into_iter().filter(|tag| filter.takes(tag)).map(image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    fn place(prefix: &str, image: &str) -> String {
        let specs = under_prefix(&prefix.parse().unwrap(), [image], &Images::default()).unwrap();
        specs[0].destination().to_owned()
    }

    #[test]
    fn names_of_the_document() {
        let mirror = "docker.example.com/mirror";
        assert_eq!(
            place("docker.example.com", "hello-world"),
            "docker.example.com/library/hello-world:latest"
        );
        assert_eq!(place(mirror, "area51/jenkins:2"), "docker.example.com/mirror/area51/jenkins:2");
        assert_eq!(
            place("localhost:5000/a/", "quay.io/ceph/ceph:v17"),
            "localhost:5000/a/ceph/ceph:v17"
        );
        let digest = Digest::of(b"x");
        assert_eq!(place(mirror, &format!("a/b:1@{digest}")), format!("{mirror}/a/b:1@{digest}"));
    }

    #[test]
    fn prefixes_that_are_none() {
        for bad in
            ["", "mirror", "reg.io/A", "reg.io//", "https://reg.io", "reg.io/a:tag", "oci:dir"]
        {
            assert!(bad.parse::<Prefix>().is_err() || bad == "reg.io//", "{bad}");
        }
    }

    #[test]
    fn two_images_for_one_place_are_refused() {
        let images = ["quay.io/a/b:1", "ghcr.io/a/b:1", "oci:dir:x"];
        let prefix = "reg.io".parse().unwrap();
        let error = under_prefix(&prefix, images, &Images::default()).unwrap_err().to_string();
        assert!(error.contains("argument 2: reg.io/a/b:1 is given from ghcr.io/a/b:1"), "{error}");
        assert!(error.contains("argument 3: \"oci:dir:x\""), "{error}");
    }

    #[test]
    fn a_digest_and_a_selection_do_not_go_together() {
        let linux =
            Arc::new(Keep::Matching { architectures: vec![], systems: vec!["linux".into()] });
        let image = format!("a/b@{}", Digest::of(b"x"));
        let prefix = "reg.io".parse().unwrap();
        let lenient = Images { keep: linux.clone(), keep_digests: Arc::default() };
        assert!(under_prefix(&prefix, [image.as_str()], &lenient).unwrap()[0].keep.is_all());
        let strict = Images { keep: linux.clone(), keep_digests: linux };
        let error = under_prefix(&prefix, [image.as_str()], &strict).unwrap_err().to_string();
        assert!(error.contains("transformations give the image another one"), "{error}");
    }
}
