//! What an archive says it leaves out, because the far side has it.

use std::collections::BTreeMap;

use airlift_oci::store::{ErrorKind, Store, StoreError};
use airlift_oci::types::{Digest, Version, media};
use airlift_tape::archive::{Omitted, Transfer};

/// Longer lists are none of ours: ten million blobs have shorter ones.
const LONGEST: u64 = 4 << 30;

/// What the transfer manifests of an archive list, each with where it is expected. They refer to
/// the archive's roots: to what it has tags for, and what is looked at.
pub(super) async fn of(
    archive: &dyn Store,
    looked_at: &Version,
) -> Result<BTreeMap<Digest, String>, StoreError> {
    let mut all = BTreeMap::new();
    let tags = archive.tags().await?.into_iter().map(Version::Tag);
    for version in tags.chain([looked_at.clone()]) {
        let root = match archive.resolve(&version).await {
            // That it is not there shows when it is looked at.
            Err(error) if error.is_not_found() => continue,
            root => root?,
        };
        for referrer in archive.referrers(&root.digest).await? {
            if referrer.artifact_type.as_deref() == Some(media::TRANSFER) {
                let manifest = archive.manifest(&referrer).await?;
                for list in manifest.layers().iter().filter(|list| list.size <= LONGEST) {
                    let text = archive.open(list, 0).await?.read_all().await?;
                    let transfer = Transfer::read(&text).map_err(|error| {
                        let text =
                            format!("the list of its transfer manifest is malformed: {error}");
                        StoreError::new(archive.place(), ErrorKind::Protocol(text))
                    })?;
                    all.extend(listed(transfer.omitted));
                }
            }
        }
    }
    Ok(all)
}

/// The same of what was read already.
pub(super) fn listed(omitted: Vec<Omitted>) -> BTreeMap<Digest, String> {
    omitted.into_iter().map(|blob| (blob.descriptor.digest, blob.expected)).collect()
}
