//! What is served: directories, archives in any number, memory.

use std::path::Path;
use std::sync::Arc;

use airlift_oci::store::{ArchiveStore, LayoutStore, MemoryStore, Sink, StoreError};
use airlift_oci::types::{Descriptor, Location};
use airlift_rules::Ruleset;
use airlift_serve::storage::{Directory, Fixed, Memory, Merged, Repositories, Repository, Stack};
use airlift_tape::Framed;

use super::names::{self, Named};
use crate::failure::Usage;
use crate::session::Session;

/// A layout or archive of which the images are shown under names.
pub(super) struct Medium {
    pub(super) store: Arc<dyn Repository>,
    /// What its own images are called when they have no name that says where they are from.
    pub(super) own_name: String,
    pub(super) entries: Vec<Descriptor>,
    /// What it lacks and says so: digest, and where it is expected.
    omitted: Vec<(String, Descriptor)>,
}

/// The registry over all locations. Media are read only and share their content, so that a delta
/// finds in its base what it left out; of one name the medium that was named last decides.
pub(super) async fn storage(
    locations: &[String],
    ruleset: Option<&Ruleset>,
    session: &Session,
) -> anyhow::Result<Arc<dyn Repositories>> {
    let (mut merged, mut media) = (Merged::new(), Vec::new());
    for text in locations {
        if text == "memory:" && ruleset.is_none() {
            merged.add_writable(Arc::new(Memory::new()));
            continue;
        }
        match text.parse::<Location>().map_err(|_| wrong(text))? {
            Location::Layout { directory, tag: None } if ruleset.is_none() => {
                merged.add_writable(Arc::new(Directory::open(&directory)?));
            }
            Location::Layout { directory, tag } => media.push(layout(&directory, tag.as_deref())?),
            Location::Archive { file, tag } => media.push(archive(&file, tag.as_deref())?),
            Location::Registry(_) => return Err(wrong(text).into()),
        }
    }
    if !media.is_empty() {
        merged.add_fixed(Arc::new(named(&media, ruleset, session).await?));
    }
    Ok(Arc::new(merged))
}

fn wrong(text: &str) -> Usage {
    Usage::new(
        format!("{text} cannot be served"),
        "serve oci:DIR, a directory that is made when it is not there, or oci-archive:FILE",
    )
}

/// The images of all media under their names.
async fn named(
    media: &[Medium],
    ruleset: Option<&Ruleset>,
    session: &Session,
) -> anyhow::Result<Fixed> {
    let (mut names, indexes) = (Vec::new(), MemoryStore::new());
    for medium in media {
        let Named { listed, joined } = names::of(medium, ruleset).await?;
        for index in joined {
            indexes.put_manifest(&index, None).await?;
        }
        names.extend(listed);
    }
    if names.is_empty() {
        let hint = "`airlift inspect` shows what is in it, `airlift route` what a ruleset does";
        return Err(Usage::new("nothing there has a name to be served by", hint).into());
    }
    let indexes: Arc<dyn Repository> = Arc::new(indexes);
    let parts = media.iter().rev().map(|medium| medium.store.clone()).chain([indexes]);
    let store: Arc<dyn Repository> = Arc::new(Stack::of(parts.collect()));
    tell_gaps(media, store.as_ref(), session).await?;
    for (repository, tag, _) in &names {
        session.say(&format!("{repository}:{tag}"));
    }
    Ok(Fixed::of_names(&store, names))
}

/// Says what a delta left out and no other medium has.
async fn tell_gaps(
    media: &[Medium],
    store: &dyn Repository,
    session: &Session,
) -> Result<(), StoreError> {
    for medium in media {
        let (mut missing, mut places) = (0, Vec::new());
        for (expected, blob) in &medium.omitted {
            if store.blob_size(&blob.digest).await?.is_none() {
                missing += 1;
                places.push(expected.as_str());
            }
        }
        places.sort_unstable();
        places.dedup();
        if missing > 0 {
            let (place, places) = (medium.store.place(), places.join(", "));
            session.complain(&format!(
                "{place} was written without {missing} blobs that are expected in {places}: serve \
                 that beside it, or the images that need them cannot be pulled"
            ));
        }
    }
    Ok(())
}

fn archive(file: &Path, tag: Option<&str>) -> anyhow::Result<Medium> {
    let failed = |error| StoreError::io("opening", file, error);
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

fn layout(directory: &Path, tag: Option<&str>) -> anyhow::Result<Medium> {
    let store = LayoutStore::open(directory)?.checking_once();
    let entries = chosen(&store.entries()?, tag, || store.named(tag))?;
    Ok(Medium { own_name: stem(directory), entries, omitted: Vec::new(), store: Arc::new(store) })
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
