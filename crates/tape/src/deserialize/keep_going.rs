//! Reading on behind damage: what is kept of it, and what the transfer list makes good.

use std::sync::Arc;

use bytes::Bytes;

use super::intake::{Intake, spot};
use super::salvage::VERSION;
use super::{DeserializeError, Spot};
use crate::archive::{Head, Transfer, blob_digest, index_without};
use crate::medium::{Chart, EntryReader, Fault, ReadError};
use airlift_oci::inventory::{Inventory, Sizes};
use airlift_oci::store::chain;
use airlift_oci::types::{Annotations, Digest, Manifest, Tag};

impl Intake<'_> {
    /// Takes damage of one entry for what it is, when the run keeps going. What is no damage stays
    /// an error.
    pub(super) fn endure(
        &mut self,
        head: &Head,
        done: Result<(), DeserializeError>,
    ) -> Result<(), DeserializeError> {
        let Err(error) = done else { return Ok(()) };
        match error.damage().filter(|_| self.options.keep_going) {
            Some((at, reason)) => {
                let at = at.clone();
                self.ills.add(at, reason, blob_digest(&head.name));
                Ok(())
            }
            None => Err(error),
        }
    }

    /// A medium cannot be read to the end of its archive.
    pub(super) fn ends_early(&mut self, reader: &EntryReader, error: &ReadError) {
        let at = Spot {
            place: reader.place().to_owned(),
            entry: String::new(),
            offset: reader.offset(),
        };
        let reason = match error {
            ReadError::Archive { source, .. } => chain(source),
            other => chain(other),
        };
        let touches: Vec<Digest> = reader.ahead().cloned().collect();
        self.ills.add(at, reason, touches);
    }

    /// A medium was read.
    pub(super) fn close(&mut self, reader: &mut EntryReader) {
        for Fault { offset, entry, reason, touches } in reader.faults() {
            let at = Spot { place: reader.place().to_owned(), entry, offset };
            self.ills.add(at, reason, touches);
        }
        self.ills.index = None;
    }

    /// Turns candidates into manifests.
    pub(super) fn settle(&mut self) -> Result<(), DeserializeError> {
        while let Err(error) = self.catalog.settle() {
            match error.damage().filter(|_| self.options.keep_going) {
                Some((at, reason)) => {
                    let at = at.clone();
                    let digest = blob_digest(&at.entry);
                    self.ills.add(at, reason, digest);
                }
                None => return Err(error),
            }
        }
        Ok(())
    }

    /// A manifest was read.
    pub(super) fn meet(&mut self, manifest: &Manifest) {
        if Transfer::is_transfer(manifest) {
            self.ills.transfer_manifest = Some(manifest.clone());
        }
    }

    /// A transfer manifest that nothing names, because `index.json` is lost.
    pub(super) fn adopt_transfer(&mut self, digest: &Digest, raw: &Bytes) {
        if !self.options.keep_going || !self.catalog.roots.is_empty() {
            return;
        }
        let manifest = Manifest::parse("", raw.clone()).ok();
        if let Some(manifest) = manifest.filter(Transfer::is_transfer) {
            self.catalog.candidates.remove(digest);
            self.meet(&manifest);
            self.catalog.hold(manifest);
        }
    }

    /// The list of the archive was read: from now on it is known what stands where, and whether
    /// `index.json` is what was written.
    pub(super) async fn listed(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        transfer: &Arc<Transfer>,
    ) -> Result<(), DeserializeError> {
        if !self.options.keep_going {
            return Ok(());
        }
        reader.follow(Chart::of(transfer, head));
        let manifest = self.ills.transfer_manifest.as_ref();
        let index = self.ills.index.as_ref();
        let bare =
            index.zip(manifest).and_then(|((text, _), manifest)| index_without(text, manifest));
        if bare.map(|text| Digest::of(&text)).as_ref() != Some(&transfer.index) {
            let at = index.map_or_else(|| *spot(reader, head), |(_, at)| at.clone());
            let reason = match index {
                Some(_) => "its content is not what it was written as",
                None => "the index.json before it is lost",
            };
            self.ills.add(at, reason.to_owned(), None);
            self.catalog.distrust_index(transfer);
            self.settle()?;
        }
        self.stand_in(transfer).await
    }

    /// Tells a sink that waits for a root what was gathered, when the root is lost.
    async fn stand_in(&mut self, transfer: &Transfer) -> Result<(), DeserializeError> {
        if self.catalog.manifests.contains_key(&transfer.root) || transfer.items.is_empty() {
            return Ok(());
        }
        let items = self.catalog.items();
        let index = Inventory::write(items, Sizes::default(), VERSION, &Annotations::new(), false)
            .map_err(|source| DeserializeError::Partial { source: Box::new(source) })?;
        let tags: Vec<Tag> = transfer.tag().into_iter().collect();
        Ok(self.sink.announce(&index, true, &tags).await?)
    }
}
