//! Reads a graph from a source: level by level, many manifests at a time, in a fixed order.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Graph, cosign_tags};
use crate::store::{ErrorKind, Source, StoreError};
use crate::types::{Descriptor, Digest, Manifest, Tag, Version};

/// How a graph is walked.
#[derive(Debug, Clone)]
pub struct WalkOptions {
    /// Follow referrers and cosign's tags, recursively.
    pub referrers: bool,
    /// Manifests read at once.
    pub concurrency: usize,
    /// Levels of manifests within manifests, after which the graph is taken for an attack.
    pub depth: usize,
    /// Leave out what a manifest names and is not there, and say so, instead of failing.
    pub gaps: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        WalkOptions { referrers: false, concurrency: 32, depth: 32, gaps: false }
    }
}

/// Lists everything reachable from `root`, which is taken to be in `source`.
///
/// The order is the same every time: pre-order, in the order in which manifests name their
/// children; then for each manifest of that list its referrers sorted by digest, each followed by
/// what it names. Fails when a manifest is missing (unless there may be gaps), damaged, or nested
/// too deeply.
pub async fn walk(
    source: &Arc<dyn Source>,
    root: Manifest,
    options: &WalkOptions,
) -> Result<Graph, StoreError> {
    let mut found = Found::default();
    found.add_tree(source, vec![root.clone()], options).await?;
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    found.preorder(&root, &mut seen, &mut order);
    let own = order.len();
    if !options.referrers {
        let graph = Graph::new(order, own, Vec::new(), Vec::new());
        return measured(source, graph.lacking(found.absent));
    }
    let tags = list_tags(source).await?;
    let mut referring = Vec::new();
    let mut used = BTreeMap::new();
    let mut next = 0;
    while next < order.len() {
        let subjects: Vec<Digest> =
            order[next..].iter().map(|manifest| manifest.digest().clone()).collect();
        next = order.len();
        for (tag, referrer) in
            find_referrers(source, &subjects, tags.as_ref(), &seen, options).await?
        {
            if let Some(tag) = tag {
                used.insert(tag, referrer.digest().clone());
            }
            if seen.contains(referrer.digest()) {
                continue;
            }
            found.add_tree(source, vec![referrer.clone()], options).await?;
            referring.push(referrer.digest().clone());
            found.preorder(&referrer, &mut seen, &mut order);
        }
    }
    let graph = Graph::new(order, own, referring, used.into_iter().collect());
    measured(source, graph.lacking(found.absent))
}

/// A graph of sizes that can be, in which every sum can be counted. The specification's sizes end
/// where those of files do.
fn measured(source: &Arc<dyn Source>, graph: Graph) -> Result<Graph, StoreError> {
    let mut sum = 0_u64;
    for blob in graph.blobs() {
        sum = sum.saturating_add(blob.size);
        if i64::try_from(sum).is_err() {
            let text = format!(
                "{} of {} bytes, with what is named before it, is more than there can be",
                blob.digest, blob.size
            );
            return Err(StoreError::new(source.place(), ErrorKind::Protocol(text)));
        }
    }
    Ok(graph)
}

#[derive(Default)]
struct Found {
    manifests: BTreeMap<Digest, Manifest>,
    /// Named, and not there.
    absent: BTreeMap<Digest, Descriptor>,
}

impl Found {
    /// Reads everything below `level`, one level after the other.
    async fn add_tree(
        &mut self,
        source: &Arc<dyn Source>,
        mut level: Vec<Manifest>,
        options: &WalkOptions,
    ) -> Result<(), StoreError> {
        for _ in 0..options.depth {
            let mut wanted: BTreeMap<Digest, Descriptor> = BTreeMap::new();
            for child in level.iter().flat_map(Manifest::manifests) {
                if !self.manifests.contains_key(&child.digest) {
                    wanted.insert(child.digest.clone(), child.clone());
                }
            }
            self.manifests
                .extend(level.into_iter().map(|manifest| (manifest.digest().clone(), manifest)));
            wanted.retain(|digest, _| {
                !self.manifests.contains_key(digest) && !self.absent.contains_key(digest)
            });
            if wanted.is_empty() {
                return Ok(());
            }
            level = Vec::new();
            for (named, found) in read_all(source, wanted.into_values(), options).await? {
                match found {
                    Some(manifest) => level.push(manifest),
                    None => {
                        self.absent.insert(named.digest.clone(), named);
                    }
                }
            }
        }
        let text = format!("manifests are nested more than {} levels deep", options.depth);
        Err(StoreError::new(source.place(), ErrorKind::Protocol(text)))
    }

    /// Appends `root` and what it names to `order`, parents first. Iterative: the depth of a graph
    /// is not a matter of the stack's size.
    fn preorder(&self, root: &Manifest, seen: &mut HashSet<Digest>, order: &mut Vec<Manifest>) {
        let mut stack = vec![root.digest().clone()];
        while let Some(digest) = stack.pop() {
            let Some(manifest) = self.manifests.get(&digest).filter(|_| seen.insert(digest)) else {
                continue;
            };
            let children: Vec<Digest> =
                manifest.manifests().map(|child| child.digest.clone()).collect();
            stack.extend(children.into_iter().rev());
            order.push(manifest.clone());
        }
    }
}

/// Reads what is wanted, until something fails. Nothing of what is not there, where there may be gaps.
async fn read_all(
    source: &Arc<dyn Source>,
    wanted: impl Iterator<Item = Descriptor>,
    options: &WalkOptions,
) -> Result<Vec<(Descriptor, Option<Manifest>)>, StoreError> {
    let reads = wanted.map(|named| {
        let source = source.clone();
        async move {
            match source.manifest(&named).await {
                Err(error) if options.gaps && error.is_not_found() => Ok((named, None)),
                found => found.map(|manifest| (named, Some(manifest))),
            }
        }
    });
    stream::iter(reads).buffered(options.concurrency.max(1)).try_collect().await
}

/// The tags of `source`; `None` when it gives no list although it is there, since the root was read
/// from it. Distribution answers so for a repository that has no tag, others have no such list.
async fn list_tags(source: &Arc<dyn Source>) -> Result<Option<BTreeSet<Tag>>, StoreError> {
    match source.tags().await {
        Ok(tags) => Ok(Some(tags.into_iter().collect())),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The referrers of `subjects`, in the order of these, each subject's sorted by digest with those
/// found by cosign's tags last. Without a list of the `tags` that there are, each is asked for.
async fn find_referrers(
    source: &Arc<dyn Source>,
    subjects: &[Digest],
    tags: Option<&BTreeSet<Tag>>,
    known: &HashSet<Digest>,
    options: &WalkOptions,
) -> Result<Vec<(Option<Tag>, Manifest)>, StoreError> {
    let guessed = tags.is_none();
    let lookups = subjects.iter().cloned().map(|subject| {
        let source = source.clone();
        let tags: Vec<Tag> = cosign_tags(&subject)
            .into_iter()
            .filter(|tag| tags.is_none_or(|listed| listed.contains(tag)))
            .collect();
        async move {
            let mut found = Vec::new();
            for descriptor in source.referrers(&subject).await? {
                if !known.contains(&descriptor.digest) {
                    found.push((None, source.manifest(&descriptor).await?));
                }
            }
            for tag in tags {
                match source.fetch(&Version::Tag(tag.clone())).await {
                    Ok(manifest) => found.push((Some(tag), manifest)),
                    Err(error) if guessed && error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok::<_, StoreError>(found)
        }
    });
    let lists: Vec<_> =
        stream::iter(lookups).buffered(options.concurrency.max(1)).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, Sink};
    use crate::types::media;

    fn index(children: &[&Manifest], extra: &str) -> Manifest {
        let list: Vec<_> = children.iter().map(|child| child.descriptor().bare()).collect();
        let list = serde_json::to_string(&list).unwrap();
        let raw = format!(r#"{{"schemaVersion":2,"manifests":{list}{extra}}}"#);
        Manifest::parse(media::OCI_INDEX, raw.into()).unwrap()
    }

    fn image(layers: &[&str], subject: Option<&Manifest>) -> Manifest {
        let blob = |text: &&str| Descriptor::of("layer", text.as_bytes());
        let layers: Vec<_> = layers.iter().map(blob).collect();
        let mut value =
            serde_json::json!({"schemaVersion": 2, "config": blob(&"config"), "layers": layers});
        if let Some(subject) = subject {
            value["subject"] = serde_json::to_value(subject.descriptor().bare()).unwrap();
        }
        Manifest::parse(media::OCI_MANIFEST, value.to_string().into()).unwrap()
    }

    async fn store(manifests: &[(&Manifest, Option<Tag>)]) -> Arc<dyn Source> {
        let store = MemoryStore::new();
        for (manifest, tag) in manifests {
            store.put_manifest(manifest, tag.as_ref()).await.unwrap();
        }
        Arc::new(store)
    }

    #[tokio::test]
    async fn sizes_that_cannot_be_are_an_error_not_an_overflow() {
        let text = r#"{"schemaVersion":2,"config":CONFIG,"layers":[LAYER,{"mediaType":"l","digest":"DIGEST","size":SIZE}]}"#;
        let json =
            |text: &str| serde_json::to_string(&Descriptor::of("l", text.as_bytes())).unwrap();
        for size in ["9223372036854775807", "18446744073709551615"] {
            let text = text.replace("CONFIG", &json("c")).replace("LAYER", &json("x"));
            let text = text.replace("DIGEST", &Digest::of(b"y").to_string()).replace("SIZE", size);
            let image = Manifest::parse(media::OCI_MANIFEST, text.into()).unwrap();
            let source = store(&[(&image, None)]).await;
            let error = walk(&source, image, &WalkOptions::default()).await.unwrap_err();
            assert!(error.to_string().contains("more than there can be"), "{error}");
        }
    }

    #[tokio::test]
    async fn parents_come_first_and_everything_comes_once() {
        let (a, b) = (image(&["x", "y", "x"], None), image(&["y", "z"], None));
        let inner = index(&[&b, &a], "");
        let root = index(&[&a, &inner], "");
        let source = store(&[(&a, None), (&b, None), (&inner, None)]).await;
        let graph = walk(&source, root.clone(), &WalkOptions::default()).await.unwrap();
        let order: Vec<_> = graph.manifests().iter().map(Manifest::digest).collect();
        assert_eq!(order, [root.digest(), a.digest(), inner.digest(), b.digest()]);
        let groups = graph.children_first();
        let order: Vec<Vec<_>> =
            groups.iter().map(|group| group.iter().map(|m| m.digest()).collect()).collect();
        assert_eq!(
            order,
            [vec![a.digest(), b.digest()], vec![inner.digest()], vec![root.digest()]]
        );
        let blobs: Vec<_> = graph.blobs().iter().map(|blob| blob.digest.clone()).collect();
        assert_eq!(blobs, ["config", "x", "y", "z"].map(|text| Digest::of(text.as_bytes())));
    }

    #[tokio::test]
    async fn referrers_of_referrers_and_cosign_tags_are_followed() {
        let subject = image(&["x"], None);
        let root = index(&[&subject], "");
        let sbom = image(&["sbom"], Some(&subject));
        let signature = image(&["signature"], Some(&sbom));
        let cosigned = image(&["cosigned"], None);
        let tag = cosign_tags(subject.digest()).remove(0);
        let source = store(&[
            (&subject, None),
            (&sbom, None),
            (&signature, None),
            (&cosigned, Some(tag.clone())),
        ])
        .await;
        let plain = walk(&source, root.clone(), &WalkOptions::default()).await.unwrap();
        assert_eq!(plain.manifests().len(), 2);
        let options = WalkOptions { referrers: true, ..WalkOptions::default() };
        let graph = walk(&source, root, &options).await.unwrap();
        assert_eq!(graph.own_manifests().len(), 2);
        assert_eq!(
            graph.referrers(),
            [sbom.digest().clone(), cosigned.digest().clone(), signature.digest().clone()]
        );
        assert_eq!(graph.tags(), [(tag, cosigned.digest().clone())]);
    }

    #[tokio::test]
    async fn a_missing_child_is_an_error_that_names_it() {
        let gone = image(&["x"], None);
        let source = store(&[]).await;
        let error = walk(&source, index(&[&gone], ""), &WalkOptions::default()).await.unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains(gone.digest().as_str()));
    }

    #[tokio::test]
    async fn where_there_may_be_gaps_a_missing_child_is_named_and_the_rest_is_read() {
        let (here, gone) = (image(&["x"], None), image(&["y"], None));
        let source = store(&[(&here, None)]).await;
        let options = WalkOptions { gaps: true, ..WalkOptions::default() };
        let graph = walk(&source, index(&[&gone, &here], ""), &options).await.unwrap();
        assert_eq!(graph.absent().keys().collect::<Vec<_>>(), [gone.digest()]);
        assert!(graph.manifests().iter().any(|manifest| manifest.digest() == here.digest()));
    }
}
