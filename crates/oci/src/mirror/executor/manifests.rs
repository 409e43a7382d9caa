//! The manifests of an image, once its blobs are where they belong.

use std::collections::HashSet;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::{Executor, Steps, TransferError};
use crate::graph::Graph;
use crate::mirror::placement::Step;
use crate::mirror::plan::{Target, Transfer};
use crate::observe::{How, Tally};
use crate::store::StoreError;
use crate::types::{Digest, Manifest, Tag};

impl Executor {
    /// Stores the manifests from number `skip` on, children first, the root with its tag last.
    pub(super) async fn place_manifests(
        &self,
        transfer: &Transfer,
        graph: &Graph,
        target: &Target,
        skip: usize,
        tally: &Tally,
    ) -> Result<(), TransferError> {
        let tags = graph.tags_by_digest();
        let skipped: HashSet<&Digest> =
            graph.manifests()[..skip].iter().map(Manifest::digest).collect();
        for group in graph.children_first() {
            let group: Vec<&Manifest> =
                group.into_iter().filter(|manifest| !skipped.contains(manifest.digest())).collect();
            let tags = &tags;
            let puts: Steps<'_, _> = Box::new(group.into_iter().map(move |manifest| {
                let root = manifest.digest() == graph.root().digest();
                let own = if root { target.tag.as_ref() } else { None };
                let others = tags.get(manifest.digest()).into_iter().flatten().copied();
                let tags: Vec<&Tag> = own.into_iter().chain(others).collect();
                let failed = move |source| TransferError::Manifest {
                    item: transfer.item.clone(),
                    digest: manifest.digest().clone(),
                    target: target.label.clone(),
                    source,
                };
                async move {
                    self.place_manifest(manifest, &tags, target, tally).await.map_err(failed)
                }
                .boxed()
            }));
            stream::iter(puts).buffer_unordered(16).try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }

    async fn place_manifest(
        &self,
        manifest: &Manifest,
        tags: &[&Tag],
        target: &Target,
        tally: &Tally,
    ) -> Result<(), StoreError> {
        if tags.is_empty() {
            // Manifests cannot be mounted, so only "it is there" counts of what is known.
            let turn = match self.manifests.step(manifest.digest(), &target.store).await {
                Step::Nothing => {
                    self.stored_manifest(tally, manifest.descriptor(), How::Skipped);
                    return Ok(());
                }
                Step::Fetch(turn, _) => Some(turn),
                Step::Mount(_) => None,
            };
            target.store.put_manifest(manifest, None).await?;
            self.manifests.placed(manifest.digest(), &target.store);
            drop(turn);
        }
        for tag in tags {
            target.store.put_manifest(manifest, Some(tag)).await?;
            self.manifests.placed(manifest.digest(), &target.store);
        }
        self.stored_manifest(tally, manifest.descriptor(), How::Moved);
        Ok(())
    }
}
