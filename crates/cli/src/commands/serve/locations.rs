//! What is served: directories, archives in any number, memory.

use std::sync::Arc;

use airlift_oci::store::{MemoryStore, Sink, StoreError};
use airlift_oci::types::Location;
use airlift_rules::Ruleset;
use airlift_serve::storage::{Directory, Fixed, Memory, Merged, Repositories, Repository, Stack};

use super::medium::Medium;
use super::names::{self, Named};
use crate::failure::Usage;
use crate::session::Session;

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
            Location::Layout { directory, tag } => {
                media.push(Medium::layout(&directory, tag.as_deref())?);
            }
            Location::Archive { file, tag } => media.push(Medium::archive(&file, tag.as_deref())?),
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
        "serve oci:DIR, a directory that is made when it is not there, oci-archive:FILE or docker-archive:FILE",
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
