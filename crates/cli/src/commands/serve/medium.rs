//! A layout or archive, opened to be served.

use std::path::Path;
use std::sync::Arc;

use airlift_oci::store::{ArchiveStore, LayoutStore, StoreError};
use airlift_oci::types::Descriptor;
use airlift_serve::storage::Repository;
use airlift_tape::Framed;

/// A layout or archive of which the images are shown under names.
pub(super) struct Medium {
    pub(super) store: Arc<dyn Repository>,
    /// What its own images are called when they have no name that says where they are from.
    pub(super) own_name: String,
    pub(super) entries: Vec<Descriptor>,
    /// What it lacks and says so: digest, and where it is expected.
    pub(super) omitted: Vec<(String, Descriptor)>,
}

impl Medium {
    pub(super) fn archive(file: &Path, tag: Option<&str>) -> anyhow::Result<Medium> {
        let failed = |error| StoreError::open(file, error);
        let store = match Framed::open(file).map_err(failed)? {
            Some(framed) => ArchiveStore::over(file, Arc::new(framed))?,
            None => ArchiveStore::open(file)?,
        }
        .checking_once();
        let entries = chosen(store.entries(), tag, || store.named(tag))?;
        let omitted = store
            .omitted()
            .iter()
            .map(|blob| (blob.expected.clone(), Descriptor::new("", blob.digest.clone(), 0)));
        let omitted = omitted.collect();
        Ok(Medium { own_name: stem(file), entries, omitted, store: Arc::new(store) })
    }

    pub(super) fn layout(directory: &Path, tag: Option<&str>) -> anyhow::Result<Medium> {
        let store = LayoutStore::open(directory)?.checking_once(&Arc::default());
        let entries = chosen(&store.entries()?, tag, || store.named(tag))?;
        Ok(Medium {
            own_name: stem(directory),
            entries,
            omitted: Vec::new(),
            store: Arc::new(store),
        })
    }
}

/// The entry that the tag names, else all.
fn chosen(
    all: &[Descriptor],
    tag: Option<&str>,
    named: impl FnOnce() -> Result<Descriptor, StoreError>,
) -> Result<Vec<Descriptor>, StoreError> {
    if tag.is_some() { Ok(vec![named()?]) } else { Ok(all.to_vec()) }
}

/// What a file is called, as the name of a repository can be.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let endings = [".zst", ".gz", ".tgz", ".tar"];
    let name = endings
        .iter()
        .fold(name.as_str(), |name, ending| name.strip_suffix(ending).unwrap_or(name));
    let fitting = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let text: String = name.chars().map(fitting).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "medium".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_repositories() {
        for (file, name) in [
            ("/m/sync-45.tar", "sync-45"),
            ("Sync 45.TAR.ZST", "sync-45"),
            ("000001-tools.tar", "000001-tools"),
            ("_.tar", "medium"),
        ] {
            assert_eq!(stem(Path::new(file)), name);
        }
    }
}
