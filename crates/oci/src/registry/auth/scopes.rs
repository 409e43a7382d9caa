//! What a request needs access to, as token servers write it.

use std::collections::{BTreeMap, BTreeSet};

/// Access to one repository, and perhaps to a second one that a blob is mounted from. Never more:
/// sets that pile up end in tokens too large for a header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::registry) struct Scopes {
    repository: String,
    push: bool,
    from: Option<String>,
    /// What needs it can be done without: the token server is not insisted on.
    spare: bool,
}

impl Scopes {
    /// Nothing in particular: whether there is any access at all.
    pub(in crate::registry) fn none() -> Self {
        Scopes::pull("")
    }

    /// Reading `repository`.
    pub(in crate::registry) fn pull(repository: &str) -> Self {
        Scopes { repository: repository.to_owned(), push: false, from: None, spare: false }
    }

    /// Writing `repository`.
    pub(in crate::registry) fn push(repository: &str) -> Self {
        Scopes { repository: repository.to_owned(), push: true, from: None, spare: false }
    }

    /// Writing `repository` with what `from` has.
    pub(in crate::registry) fn mount(repository: &str, from: &str) -> Self {
        let from = (from != repository).then(|| from.to_owned());
        Scopes { from, ..Scopes::push(repository) }
    }

    /// The same for what can be done without.
    pub(in crate::registry) fn spare(self) -> Self {
        Scopes { spare: true, ..self }
    }

    /// Whether they are for what can be done without.
    pub(super) fn is_spare(&self) -> bool {
        self.spare
    }

    /// The repository that is worked on.
    pub(in crate::registry) fn repository(&self) -> &str {
        &self.repository
    }

    /// Whether a token for these scopes does for `other`.
    pub(super) fn cover(&self, other: &Scopes) -> bool {
        self.repository == other.repository
            && (self.push || !other.push)
            && (other.from.is_none() || self.from == other.from)
    }

    /// The scopes, one string each, with those of `extra`, a challenge's scope parameter, joined.
    pub(super) fn strings(&self, extra: &str) -> Vec<String> {
        let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add = |resource: String, actions: &str| {
            let actions = actions.split(',').filter(|action| !action.is_empty());
            named.entry(resource).or_default().extend(actions.map(str::to_owned));
        };
        let actions = if self.push { "pull,push" } else { "pull" };
        if !self.repository.is_empty() {
            add(format!("repository:{}", self.repository), actions);
        }
        if let Some(from) = &self.from {
            add(format!("repository:{from}"), "pull");
        }
        for scope in extra.split_whitespace() {
            if let Some((resource, actions)) = scope.rsplit_once(':') {
                add(resource.to_owned(), actions);
            }
        }
        let line = |(resource, actions): (String, BTreeSet<String>)| {
            format!("{resource}:{}", actions.into_iter().collect::<Vec<_>>().join(","))
        };
        named.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_strings() {
        assert_eq!(Scopes::pull("a/b").strings(""), ["repository:a/b:pull"]);
        assert_eq!(Scopes::push("a/b").strings(""), ["repository:a/b:pull,push"]);
        let mount = Scopes::mount("a/b", "c");
        assert_eq!(mount.strings(""), ["repository:a/b:pull,push", "repository:c:pull"]);
        assert_eq!(Scopes::mount("a", "a").strings(""), ["repository:a:pull,push"]);
        let extra = "repository:a/b:pull,delete registry:catalog:* nonsense";
        let expected = ["registry:catalog:*", "repository:a/b:delete,pull"];
        assert_eq!(Scopes::pull("a/b").strings(extra), expected);
    }

    #[test]
    fn wider_covers_narrower() {
        let (pull, push) = (Scopes::pull("a"), Scopes::push("a"));
        let mount = Scopes::mount("a", "b");
        assert!(mount.cover(&push) && push.cover(&pull) && mount.cover(&pull));
        assert!(!pull.cover(&push) && !push.cover(&mount));
        assert!(!push.cover(&Scopes::pull("b")) && !mount.cover(&Scopes::mount("a", "c")));
    }
}
