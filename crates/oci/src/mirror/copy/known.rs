//! What the destinations hold already: images found in place, whose blobs others can mount.
//!
//! An image in place is not read, so its blobs are not known. Once something has to be moved to
//! the same registry they are worth knowing: its manifests are read from there, which costs the
//! destination some requests and may save the source the layers.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;

use crate::graph::{WalkOptions, walk};
use crate::mirror::Executor;
use crate::store::{Source, Store};
use crate::types::{Digest, Version};

/// Most images read for each one that has to be moved.
const PER_MOVE: usize = 16;

/// An image, and the repository it is in.
type InPlace = (Arc<dyn Store>, Digest);

/// The images in place that were not read yet, by domain.
#[derive(Default)]
pub(super) struct Known {
    unread: Mutex<HashMap<String, Vec<InPlace>>>,
}

impl Known {
    /// Notes an image that is in place.
    pub(super) async fn add(&self, store: &Arc<dyn Store>, digest: Digest) {
        // Without a name nothing can be mounted from it.
        if store.name().is_some() {
            let mut unread = self.unread.lock().await;
            unread.entry(store.domain()).or_default().push((store.clone(), digest));
        }
    }

    /// Tells the executor what images in place have, because something has to be moved to `to`.
    /// Who comes meanwhile waits: it wants to know the same. What cannot be read is passed over;
    /// it is no concern of the image that is moved.
    pub(super) async fn share(&self, executor: &Executor, to: &Arc<dyn Store>) {
        let mut unread = self.unread.lock().await;
        let Some(images) = unread.get_mut(&to.domain()) else { return };
        let count = images.len().min(PER_MOVE);
        let reads = images.drain(..count).map(|(store, digest)| async move {
            let source: Arc<dyn Source> = store.clone();
            let root = source.fetch(&Version::Digest(digest)).await.ok()?;
            let graph = walk(&source, root, &WalkOptions::default()).await.ok()?;
            Some((store, graph))
        });
        let mut graphs = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(PER_MOVE);
        while let Some(read) = graphs.next().await {
            let Some((store, graph)) = read else { continue };
            for blob in graph.blobs() {
                executor.offer(&blob.digest, &store);
            }
        }
    }
}
