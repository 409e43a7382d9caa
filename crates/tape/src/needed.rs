//! Which images need a blob that cannot be had: told from the archive that was to be.

use crate::SerializeError;
use crate::archive::{Body, Layout};
use crate::deserialize::Catalog;
use airlift_oci::types::{Digest, Manifest};

/// Images that are named; of more only how many there are.
const SHOWN: usize = 10;

impl SerializeError {
    /// The same with the images that need the blob that it is about, if it is.
    pub(crate) fn of(self, layout: &Layout) -> Self {
        match self {
            SerializeError::Blob { digest, source, .. } => {
                let images = images(layout, &digest);
                SerializeError::Blob { digest, images, source }
            }
            other => other,
        }
    }
}

/// The gathered images of an archive that need a blob.
fn images(layout: &Layout, digest: &Digest) -> Vec<String> {
    let mut catalog = Catalog::default();
    for entry in layout.placed().iter().map(|placed| &placed.entry) {
        let Body::Bytes(bytes) = &entry.body else { continue };
        if let (Some(kind), Some(digest)) = (entry.media_type(), entry.digest()) {
            // What is no manifest needs nothing.
            let manifest = Manifest::parse_as(kind, digest.clone(), bytes.clone());
            let _ = manifest.map(|manifest| catalog.hold(manifest));
        } else if entry.name() == "index.json" {
            let _ = catalog.index(bytes);
        }
    }
    catalog.images_with(digest)
}

/// A list for people.
pub(crate) fn named(images: &[String]) -> String {
    let shown = images[..images.len().min(SHOWN)].join(", ");
    match images.len() {
        0 => "the image".to_owned(),
        count if count > SHOWN => format!("{shown} and {} more", count - SHOWN),
        _ => shown,
    }
}
