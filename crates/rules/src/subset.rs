//! Subsets: an inventory limited to the sources of a list.

use std::collections::HashSet;
use std::fmt;

use crate::Routable;
use crate::nearest::nearest;

/// Why a list of sources is no subset of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubsetError {
    /// The list names nothing: what is meant is not clear.
    #[error("the subset names no source; leave it out to take everything")]
    Empty,
    /// The list names sources that the inventory lacks.
    #[error("the subset names sources that were not gathered:{}", Listed(.0))]
    Unknown(Vec<Unknown>),
}

/// A source that the inventory lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The source as listed.
    pub source: String,
    /// The nearest source of the inventory, when one is near; sought for the first few only.
    pub nearest: Option<String>,
}

/// For more unknown sources than these no nearest one is sought: the list is another's.
const SOUGHT: usize = 20;

/// Positions of the items whose source is among `wanted`, ascending; sources are compared as text.
/// Every source of the list must be there.
pub fn subset<T: AsRef<str>>(
    items: &[impl Routable],
    wanted: &[T],
) -> Result<Vec<usize>, SubsetError> {
    if wanted.is_empty() {
        return Err(SubsetError::Empty);
    }
    let sources = || items.iter().map(|item| item.origin().source);
    let known: HashSet<&str> = sources().collect();
    let missing = wanted.iter().map(AsRef::as_ref).filter(|source| !known.contains(source));
    let unknown: Vec<Unknown> = missing
        .enumerate()
        .map(|(count, source)| {
            let nearest = if count < SOUGHT { nearest(source, sources()) } else { None };
            Unknown { source: source.to_owned(), nearest: nearest.map(str::to_owned) }
        })
        .collect();
    if !unknown.is_empty() {
        return Err(SubsetError::Unknown(unknown));
    }
    let wanted: HashSet<&str> = wanted.iter().map(AsRef::as_ref).collect();
    let position = |(at, source): (usize, &str)| wanted.contains(source).then_some(at);
    Ok(sources().enumerate().filter_map(position).collect())
}

struct Listed<'a>(&'a [Unknown]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for unknown in self.0.iter().take(SOUGHT) {
            write!(f, "\n  {}", unknown.source)?;
            if let Some(nearest) = &unknown.nearest {
                write!(f, "; did you mean {nearest}?")?;
            }
        }
        match self.0.len().saturating_sub(SOUGHT) {
            0 => Ok(()),
            more => write!(f, "\n  .. and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use airlift_oci::types::{Descriptor, media};

    use super::*;
    use crate::Origin;

    fn take(sources: &[&str], wanted: &[&str]) -> Result<Vec<usize>, SubsetError> {
        let descriptor = Descriptor::of(media::OCI_MANIFEST, b"x");
        let origin = |source| Origin { source, descriptor: &descriptor, source_index: None };
        let items: Vec<Origin<'_>> = sources.iter().copied().map(origin).collect();
        subset(&items, wanted)
    }

    #[test]
    fn sources_are_kept_with_all_their_platforms() {
        let sources = ["a.example/p:1", "a.example/p:1", "a.example/q:1"];
        assert_eq!(take(&sources, &["a.example/p:1"]), Ok(vec![0, 1]));
        assert_eq!(take(&sources, &["a.example/q:1", "a.example/q:1"]), Ok(vec![2]));
    }

    #[test]
    fn an_unknown_source_names_the_nearest() {
        let sources = ["docker.io/library/busybox:1.36", "quay.io/ceph/ceph:v17.2"];
        let error = take(&sources, &["quay.io/ceph/ceph:v17", "x"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the subset names sources that were not gathered:\n  quay.io/ceph/ceph:v17; did you mean quay.io/ceph/ceph:v17.2?\n  x"
        );
    }

    #[test]
    fn an_empty_subset_is_not_everything() {
        assert_eq!(take(&["a.example/p:1"], &[]), Err(SubsetError::Empty));
    }
}
