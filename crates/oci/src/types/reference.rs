//! References: registry, repository, tag and digest (distribution-spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use super::{Digest, DigestError};

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A repository in a registry: `registry.example.com:5000/project/image`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    registry: String,
    repository: String,
}

/// A repository with a tag, a digest, both or neither.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Registry and repository.
    pub name: Name,
    /// Tag, as written.
    pub tag: Option<Tag>,
    /// Digest, as written. It decides when both are given.
    pub digest: Option<Digest>,
}

/// What is asked for within one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Whatever the tag names.
    Tag(Tag),
    /// Exactly this content.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// There is no registry before the first slash.
    #[error("{text:?} names no registry; did you mean {meant:?}?")]
    NoRegistry {
        /// The text.
        text: String,
        /// The name that was probably meant.
        meant: String,
    },
    /// The registry is no host with an optional port.
    #[error("{text:?} has an invalid registry {registry:?}: expected HOST or HOST:PORT")]
    Registry {
        /// The text.
        text: String,
        /// The registry in it.
        registry: String,
    },
    /// The repository breaks the specification's grammar.
    #[error("{text:?} has an invalid repository {repository:?}: {reason}")]
    Repository {
        /// The text.
        text: String,
        /// The repository in it.
        repository: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The tag breaks the specification's grammar.
    #[error(
        "invalid tag {0:?}: expected up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'"
    )]
    Tag(String),
    /// The digest is none.
    #[error("{text:?} has an {source}")]
    Digest {
        /// The text.
        text: String,
        /// What is wrong.
        source: DigestError,
    },
}

impl Tag {
    /// The tag `latest`, which is meant when none is given.
    pub fn latest() -> Self {
        Tag("latest".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let ok = (1..=128).contains(&text.len())
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
        if ok {
            Ok(Tag(text.to_owned()))
        } else {
            Err(ReferenceError::Tag(text.chars().take(160).collect()))
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    /// A name from its two parts, both validated.
    pub fn new(registry: &str, repository: &str) -> Result<Self, ReferenceError> {
        let text = || format!("{registry}/{repository}");
        if !valid_registry(registry) {
            return Err(ReferenceError::Registry { text: text(), registry: registry.to_owned() });
        }
        if let Some(reason) = repository_fault(repository) {
            let repository = repository.to_owned();
            return Err(ReferenceError::Repository { text: text(), repository, reason });
        }
        Ok(Name { registry: registry.to_owned(), repository: repository.to_owned() })
    }

    /// Host and optional port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's path.
    pub fn repository(&self) -> &str {
        &self.repository
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

impl Reference {
    /// What is asked for in the repository: the digest, else the tag, else `latest`.
    pub fn version(&self) -> Version {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Version::Digest(digest.clone()),
            (None, Some(tag)) => Version::Tag(tag.clone()),
            (None, None) => Version::Tag(Tag::latest()),
        }
    }

    /// Reads a reference as Docker's programs do: `alpine` is `docker.io/library/alpine`, and a
    /// first component is a registry only when it holds a dot or a colon, is `localhost`, or has
    /// an upper-case letter.
    pub fn parse_docker(text: &str) -> Result<Self, ReferenceError> {
        docker_full_name(text).parse()
    }
}

/// Docker's short form made explicit.
fn docker_full_name(text: &str) -> String {
    let (first, rest) = text.split_once('/').unwrap_or(("", text));
    let host =
        first.contains(['.', ':', '[']) || first == "localhost" || first.to_lowercase() != first;
    match (host && !first.is_empty(), first) {
        (true, "docker.io" | "index.docker.io" | "registry-1.docker.io") if !rest.contains('/') => {
            format!("docker.io/library/{rest}")
        }
        (true, "index.docker.io" | "registry-1.docker.io") => format!("docker.io/{rest}"),
        (true, _) => text.to_owned(),
        (false, "") => format!("docker.io/library/{text}"),
        (false, _) => format!("docker.io/{text}"),
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads a fully qualified reference; one without a registry is refused.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let wrap = |source| ReferenceError::Digest { text: text.to_owned(), source };
                (rest, Some(digest.parse().map_err(wrap)?))
            }
            None => (text, None),
        };
        let slash = rest.find('/').unwrap_or(0);
        let colon = rest.rfind(':').filter(|colon| *colon > slash && slash > 0);
        let (path, tag) = match colon {
            Some(colon) => (&rest[..colon], Some(rest[colon + 1..].parse()?)),
            None => (rest, None),
        };
        let registry = path.split('/').next().unwrap_or("");
        if !path.contains('/') || !looks_like_registry(registry) {
            // Names are lower case: what was meant can only be one of those.
            let (name, version) = text.split_at(path.len());
            let meant = docker_full_name(&(name.to_lowercase() + version));
            return Err(ReferenceError::NoRegistry { text: text.to_owned(), meant });
        }
        Ok(Reference { name: Name::new(registry, &path[registry.len() + 1..])?, tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Tag(tag) => tag.fmt(f),
            Version::Digest(digest) => digest.fmt(f),
        }
    }
}

fn looks_like_registry(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

fn valid_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => (None, Some(port)),
                None if rest.is_empty() => (None, None),
                None => return false,
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    host.is_none_or(valid_host)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn valid_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// What breaks the grammar of distribution-spec, when something does.
fn repository_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > 255 {
        return Some("it is longer than 255 characters");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some("it must be lower case");
    }
    text.split('/').find_map(component_fault)
}

/// One path component: runs of `[a-z0-9]` joined by one `.`, one or two `_`, or any number of `-`.
fn component_fault(component: &str) -> Option<&'static str> {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if component.is_empty() {
        return Some("a path component is empty");
    }
    if component.bytes().any(|b| !alnum(b) && !b"._-".contains(&b)) {
        return Some("a path component holds something else than a-z, 0-9, '.', '_' and '-'");
    }
    let ends = [component.bytes().next(), component.bytes().next_back()];
    if !ends.into_iter().flatten().all(alnum) {
        return Some("a path component must start and end with a letter or digit");
    }
    let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let good = |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-');
    if separators.into_iter().all(good) {
        None
    } else {
        Some("separators in a path component are one '.', one or two '_', or dashes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        Reference::parse_docker(text).unwrap().to_string()
    }

    #[test]
    fn full_references_round_trip() {
        let digest = Digest::of(b"x");
        for text in [
            "quay.io/ceph/ceph:v17.2".to_owned(),
            "localhost:5000/a".to_owned(),
            "localhost/a".to_owned(),
            "[::1]:5000/a/b:1".to_owned(),
            format!("docker.io/konstin2/maturin@{digest}"),
            format!("127.0.0.1:1/a:t@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn missing_registry_names_what_was_meant() {
        let error = "nginx:1.27".parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains("docker.io/library/nginx:1.27"), "{error}");
        let error = "ceph/ceph".parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains("docker.io/ceph/ceph"), "{error}");
        let error = "Ceph/ceph:V1".parse::<Reference>().unwrap_err().to_string();
        assert!(error.ends_with("did you mean \"docker.io/ceph/ceph:V1\"?"), "{error}");
    }

    #[test]
    fn docker_short_forms() {
        assert_eq!(full("alpine"), "docker.io/library/alpine");
        assert_eq!(full("alpine:3"), "docker.io/library/alpine:3");
        assert_eq!(full("a/b"), "docker.io/a/b");
        assert_eq!(full("localhost/b"), "localhost/b");
        assert_eq!(full("docker.io/alpine"), "docker.io/library/alpine");
        assert_eq!(full("index.docker.io/a/b:1"), "docker.io/a/b:1");
        assert_eq!(full("host:5000/b"), "host:5000/b");
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "/",
            "a.b/",
            "a.b//c",
            "a.b/C",
            "a.b/c:",
            "a.b/c:-x",
            "a.b/c@sha256:00",
            "a.b:x/c",
            "a.b:0/c",
            "a.b/c_",
            "a.b/c..d",
            "a.b/c___d",
            "[::1/c",
            "a b.c/d",
            "a.b/c d",
            "a.b/../c",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
        assert!("a.b/c--d__e.f-g".parse::<Reference>().is_ok());
    }

    #[test]
    fn the_digest_decides() {
        let digest = Digest::of(b"x");
        let reference: Reference = format!("a.b/c:t@{digest}").parse().unwrap();
        assert_eq!(reference.version(), Version::Digest(digest));
        assert_eq!("a.b/c".parse::<Reference>().unwrap().version(), Version::Tag(Tag::latest()));
    }
}
