//! Reading media: what each entry is, that it is what it says, and where it goes.

mod content;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::catalog::{Catalog, Role};
use super::error::Spot;
use super::foreign::is_of_docker;
use super::ills::Ills;
use super::order::{Disorder, Order};
use super::strict::Strict;
use super::uploads::Uploads;
use super::{DeserializeError, DeserializeOptions};
use crate::archive::{Head, Kind, Transfer, blob_digest};
use crate::medium::{EntryReader, Medium, Passing, ReadError, Reading};
use airlift_oci::observe::{Event, Observer, Tally};
use airlift_oci::store::{Store, StoreError, chain};
use airlift_oci::types::{Digest, MAX_MANIFEST, Manifest, ManifestError};

/// What reading came to.
pub(super) struct Finished {
    pub(super) catalog: Catalog,
    pub(super) tally: Arc<Tally>,
    pub(super) ills: Ills,
    /// Bytes of the media, uncompressed.
    pub(super) bytes: u64,
    pub(super) disorder: Option<Disorder>,
}

/// The reading side of a run.
pub(super) struct Intake<'a> {
    pub(super) catalog: Catalog,
    uploads: Uploads,
    pub(super) options: &'a DeserializeOptions,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) ills: Ills,
    pub(super) strict: Strict,
    order: Order,
    candidate_bytes: u64,
    bytes: u64,
    pub(super) sink: Arc<dyn Store>,
    /// Whether no other medium follows.
    last: bool,
    /// How many of the manifests known the sink was told of.
    announced: usize,
    /// Whether there was a `manifest.json`.
    docker_document: bool,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        sink: Arc<dyn Store>,
        options: &'a DeserializeOptions,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let uploads = Uploads::new(
            sink.clone(),
            observer.clone(),
            options.for_uploads(),
            options.concurrency,
        );
        let catalog = Catalog::default();
        let (candidate_bytes, bytes, last, announced) = (0, 0, false, 0);
        Intake {
            catalog,
            uploads,
            options,
            observer,
            ills: Ills::default(),
            strict: Strict::default(),
            order: Order::default(),
            candidate_bytes,
            bytes,
            sink,
            last,
            announced,
            docker_document: false,
        }
    }

    /// Reads one medium to its end. One that ends too early is an error only as the last: the
    /// next may hold the rest.
    pub(super) async fn medium(
        &mut self,
        medium: Medium,
        last: bool,
    ) -> Result<(), DeserializeError> {
        self.last = last;
        self.strict.begin();
        let whole = !self.options.keep_going;
        let mut reader = EntryReader::open(medium, self.reading()).await?;
        if !last || self.order.has_parts() {
            self.order.begin(reader.place());
        }
        let done = self.archive(&mut reader).await;
        self.bytes += reader.offset();
        match done {
            Err(DeserializeError::Read(error @ ReadError::DockerArchive(_))) => {
                return Err(error.into());
            }
            Err(DeserializeError::Read(error)) if !last && error.is_truncated() => {
                let text = format!("{}; going on with the next medium", chain(&error));
                self.observer.event(&Event::Warning { text: &text });
            }
            Err(DeserializeError::Read(error)) if !whole => self.ends_early(&reader, &error),
            done => done?,
        }
        self.close(&mut reader);
        if last && self.catalog.roots.is_empty() && self.docker_document {
            return Err(ReadError::DockerArchive(reader.place().to_owned()).into());
        }
        if last && self.catalog.roots.is_empty() {
            return Err(DeserializeError::NoIndex(reader.place().to_owned()));
        }
        Ok(())
    }

    /// Waits for what is on its way; what is known then.
    pub(super) async fn finish(mut self) -> Result<Finished, DeserializeError> {
        self.settle()?;
        self.strict.finish(&self.catalog)?;
        self.announce_manifests().await?;
        let named = |digest: &Digest| self.catalog.as_blob.get(digest);
        let blobs = self.catalog.candidates.iter();
        let blobs: Vec<_> = blobs
            .filter_map(|(digest, (raw, _))| {
                Some((named(digest)?.descriptor().clone(), raw.clone()))
            })
            .collect();
        for (descriptor, raw) in blobs {
            let share = self.uploads.reserve(descriptor.size).await?;
            self.catalog.stored.insert(descriptor.digest.clone());
            self.uploads.put(descriptor, raw, share).await?;
        }
        self.uploads.finish().await?;
        let (tally, disorder) = (self.uploads.tally(), self.order.disorder(&self.catalog));
        Ok(Finished { catalog: self.catalog, tally, ills: self.ills, bytes: self.bytes, disorder })
    }

    fn reading(&self) -> Reading {
        let (memory, whole) = (self.options.for_reading(), !self.options.keep_going);
        // Going on behind damage is for a reader that sees every byte.
        Reading { memory, whole, in_place: whole, observer: self.observer.clone() }
    }

    async fn archive(&mut self, reader: &mut EntryReader) -> Result<(), DeserializeError> {
        loop {
            match reader.next().await? {
                Passing::Entry(head) => {
                    let done = self.entry(reader, &head).await;
                    self.endure(&head, done)?;
                }
                Passing::EndOfArchive => self.strict.begin(),
                Passing::End => return Ok(()),
            }
        }
    }

    async fn entry(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
    ) -> Result<(), DeserializeError> {
        let unexpected = |reader: &EntryReader, reason| DeserializeError::Unexpected {
            at: spot(reader, head),
            reason,
        };
        match (head.kind, head.name.as_str()) {
            // In `ingest` layouts on disk keep what is not whole yet, ours and those of oras.
            (Kind::Directory, "" | "." | "blobs" | "blobs/sha256" | "blobs/sha512" | "ingest") => {
                Ok(())
            }
            (Kind::File, "index.json") => {
                let text = self.document(reader, head).await?;
                self.ills.index = Some((text.clone(), *spot(reader, head)));
                let root = self.catalog.index(&text);
                let root = root.map_err(|source| malformed(reader, head, source))?;
                if let Some(root) = root {
                    self.order.root(&root);
                }
                Ok(())
            }
            (Kind::File, "oci-layout") => {
                let text = self.document(reader, head).await?;
                check_marker(&text).map_err(|source| malformed(reader, head, source))
            }
            (Kind::File, "manifest.json" | "repositories") => {
                self.docker_document |= head.name == "manifest.json";
                if !self.options.strict {
                    return Ok(());
                }
                let text = self.document(reader, head).await?;
                self.strict.document(&self.catalog, *spot(reader, head), text)
            }
            (_, name) if self.catalog.roots.is_empty() && is_of_docker(name) => {
                Err(ReadError::DockerArchive(reader.place().to_owned()).into())
            }
            (Kind::File, name) => {
                let digest = blob_digest(name);
                let digest = digest
                    .ok_or_else(|| unexpected(reader, "an image archive has no such file"))?;
                self.content(reader, head, digest).await
            }
            (Kind::Directory, _) => {
                Err(unexpected(reader, "an image archive has no such directory"))
            }
        }
    }

    async fn content(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        digest: Digest,
    ) -> Result<(), DeserializeError> {
        if let Some(named) =
            self.catalog.named(&digest).find(|named| named.descriptor().size != head.size)
        {
            return Err(DeserializeError::Size {
                at: spot(reader, head),
                found: head.size,
                expected: named.descriptor().size,
                named_by: named.by().to_owned(),
            });
        }
        let digest = self.catalog.shared(digest);
        self.order.held(&digest);
        if self.options.strict {
            self.strict.account(&self.catalog, *spot(reader, head), &digest)?;
        }
        match self.catalog.role(&digest) {
            Role::Manifest(descriptor) if head.size <= MAX_MANIFEST => {
                let raw = self.verified(reader, head, &digest).await?;
                if self.catalog.as_blob.contains_key(&digest) {
                    self.keep_candidate(*spot(reader, head), &digest, &raw);
                }
                let manifest =
                    Manifest::parse_as(&descriptor.media_type, digest.clone(), raw.clone());
                let manifest = manifest.map_err(|source| {
                    // Where it goes on, what it is may turn out to be something else.
                    self.keep_candidate(*spot(reader, head), &digest, &raw);
                    DeserializeError::Manifest { at: spot(reader, head), source: Box::new(source) }
                })?;
                self.meet(&manifest);
                self.catalog.hold(manifest);
                self.announce_manifests().await
            }
            Role::Manifest(_) if !self.catalog.as_blob.contains_key(&digest) => {
                let source = Box::new(ManifestError::TooLarge(head.size));
                Err(DeserializeError::Manifest { at: spot(reader, head), source })
            }
            Role::Transfer => {
                let text = self.verified(reader, head, &digest).await?;
                let transfer = self.catalog.transfer(&text);
                let transfer = transfer.map_err(|source| malformed(reader, head, source))?;
                self.announce(&transfer);
                self.listed(reader, head, &transfer).await?;
                self.announce_manifests().await?;
                self.refuse_incomplete(&transfer).await
            }
            Role::Blob(descriptor) => self.blob(reader, head, descriptor).await,
            Role::Manifest(_) | Role::Unknown => self.unknown(reader, head, digest).await,
        }
    }

    /// A delta that lacks its base is refused before its first blob; not while another medium may
    /// bring what is missing.
    async fn refuse_incomplete(&self, transfer: &Transfer) -> Result<(), DeserializeError> {
        if !self.last || self.options.keep_going {
            return Ok(());
        }
        let open = transfer.omitted.iter().filter(|blob| !blob.descriptor.is_foreign());
        let open = open.filter(|blob| !self.catalog.stored.contains(&blob.descriptor.digest));
        let lookups = open.map(|blob| async move {
            let mut stores = vec![&self.sink];
            stores.extend(&self.options.existing);
            for store in stores {
                if store.has(&blob.descriptor).await? {
                    return Ok::<_, StoreError>(None);
                }
            }
            let digest = &blob.descriptor.digest;
            let named = self.catalog.as_blob.get(digest);
            Ok(named.map(|named| self.catalog.describe(named)))
        });
        let lookups = stream::iter(lookups).buffered(self.options.concurrency.max(1));
        let missing: Vec<_> = lookups.try_collect().await?;
        let missing: Vec<_> = missing.into_iter().flatten().collect();
        if missing.is_empty() { Ok(()) } else { Err(DeserializeError::Missing(missing)) }
    }

    /// Tells the sink what is coming, of each manifest once.
    async fn announce_manifests(&mut self) -> Result<(), DeserializeError> {
        while let Some(digest) = self.catalog.order.get(self.announced) {
            self.announced += 1;
            let Some(manifest) = self.catalog.manifests.get(digest) else { continue };
            let root = self.catalog.roots.iter().find(|(root, _)| root == digest);
            let named = self.catalog.tags.iter().filter(|(_, named)| *named == digest);
            let own = root.and_then(|(_, tag)| tag.clone());
            let tags: Vec<_> = own.into_iter().chain(named.map(|(tag, _)| tag.clone())).collect();
            self.sink.announce(manifest, root.is_some(), &tags).await?;
        }
        Ok(())
    }

    fn announce(&self, transfer: &Transfer) {
        self.observer.event(&Event::Planned {
            items: 0,
            blobs: transfer.blobs.len() as u64,
            bytes: transfer.blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size)),
        });
    }
}

#[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
pub(super) fn spot(reader: &EntryReader, head: &Head) -> Box<Spot> {
    let (place, entry) = (reader.place().to_owned(), head.name.clone());
    Box::new(Spot { place, entry, offset: head.offset })
}

fn check(
    reader: &EntryReader,
    head: &Head,
    expected: &Digest,
    found: Digest,
) -> Result<(), DeserializeError> {
    if found == *expected {
        return Ok(());
    }
    Err(DeserializeError::Damaged { at: spot(reader, head), found })
}

fn malformed(reader: &EntryReader, head: &Head, source: serde_json::Error) -> DeserializeError {
    DeserializeError::Malformed { at: spot(reader, head), source }
}

/// Whether an `oci-layout` is one of a layout that can be read.
pub(crate) fn check_marker(text: &[u8]) -> Result<(), serde_json::Error> {
    use serde::de::Error as _;
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        image_layout_version: String,
    }
    let marker: Marker = serde_json::from_slice(text)?;
    if marker.image_layout_version.starts_with("1.") {
        return Ok(());
    }
    let text = format!("layout version {:?} is not known", marker.image_layout_version);
    Err(serde_json::Error::custom(text))
}
