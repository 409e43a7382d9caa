//! What makes two destinations the same place.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The place a reference's tag names: registry, repository and tag, `latest` when none is given.
///
/// Hosts are compared without case, as the network does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    registry: &'a str,
    repository: &'a str,
    tag: &'a str,
}

impl<'a> Key<'a> {
    /// The key of a reference's text; none when it goes by its digest alone, where no two items
    /// can differ, or when it is no reference.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (registry, path) = name.split_once('/')?;
        match path.split_once(':') {
            Some((repository, tag)) => Some(Key { registry, repository, tag }),
            None if digest.is_some() => None,
            None => Some(Key { registry, repository: path, tag: "latest" }),
        }
    }

    /// A number that is equal for equal keys, in every run.
    pub(super) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if self.registry.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.registry.to_ascii_lowercase().hash(&mut hasher);
        } else {
            self.registry.hash(&mut hasher);
        }
        (self.repository, self.tag).hash(&mut hasher);
        hasher.finish()
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.registry.eq_ignore_ascii_case(other.registry)
            && (self.repository, self.tag) == (other.repository, other.tag)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_the_tag_of_none_and_hosts_have_no_case() {
        let same = |a, b| {
            let (a, b) = (Key::of(a).unwrap(), Key::of(b).unwrap());
            assert_eq!(a == b, a.number() == b.number());
            a == b
        };
        assert!(same("r.example/a", "r.example/a:latest"));
        assert!(same("R.Example:5000/a:1", "r.example:5000/a:1"));
        assert!(same("r.example/a:1@sha256:00", "r.example/a:1"));
        assert!(!same("r.example/a:1", "r.example/a:2"));
        assert!(!same("r.example/a", "r.example:5000/a"));
        assert!(Key::of("r.example/a@sha256:00").is_none());
    }
}
