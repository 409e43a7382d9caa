//! Where the entries of an archive stand, as far as that is known: what a transfer list says.

use std::sync::Arc;

use crate::archive::{
    Head, Kind, ListedBlob, Transfer, blob_digest, blob_path, encode_header, padding,
};
use airlift_oci::types::Digest;

/// An entry that is known before it is read.
#[derive(Debug, Clone)]
pub(crate) struct Charted {
    pub(crate) digest: Digest,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// First byte of its header.
    pub(crate) start: u64,
    /// First byte of its content.
    pub(crate) data: u64,
}

/// The blobs of an archive, in order. It shares the list, which is as long as the archive has blobs.
#[derive(Debug, Default)]
pub(crate) struct Chart {
    /// What the offsets of the list count from.
    base: u64,
    list: Option<Arc<Transfer>>,
}

impl Charted {
    /// The header that the entry was written with.
    pub(crate) fn head(&self) -> Head {
        let raw = encode_header(&self.name, self.size, Kind::File).into();
        let (name, size, offset) = (self.name.clone(), self.size, self.start);
        Head { name, kind: Kind::File, size, offset, raw }
    }
}

impl Chart {
    /// What the list whose entry is `list` says.
    pub(crate) fn of(transfer: &Arc<Transfer>, list: &Head) -> Self {
        let base = list.offset + list.raw.len() as u64 + list.size + padding(list.size);
        Chart { base, list: Some(transfer.clone()) }
    }

    /// The entry that has the byte at `offset` in its header or before it.
    pub(crate) fn next(&self, offset: u64) -> Option<Charted> {
        let blobs = self.blobs();
        let blob = blobs.get(blobs.partition_point(|blob| self.data(blob) <= offset))?;
        Some(self.charted(blob))
    }

    /// Where an entry stands.
    pub(crate) fn start_of(&self, name: &str, near: u64) -> Option<u64> {
        if let Some(next) = self.next(near).filter(|next| next.name == name) {
            return Some(next.start);
        }
        let digest = blob_digest(name)?;
        let blob = self.blobs().iter().find(|blob| blob.digest == digest)?;
        Some(self.charted(blob).start)
    }

    /// What stands within `length` bytes from `offset` on.
    pub(crate) fn within(&self, offset: u64, length: u64) -> impl Iterator<Item = &Digest> {
        let end = offset.saturating_add(length.max(1));
        let blobs = self.blobs();
        let first = blobs.partition_point(|blob| self.end(blob) <= offset);
        let within = blobs[first..].iter().take_while(move |blob| self.charted(blob).start < end);
        within.map(|blob| &blob.digest)
    }

    fn blobs(&self) -> &[ListedBlob] {
        self.list.as_deref().map_or(&[], |list| &list.blobs)
    }

    fn charted(&self, blob: &ListedBlob) -> Charted {
        let (digest, data) = (blob.digest.clone(), self.data(blob));
        let name = blob_path(&digest);
        let header = encode_header(&name, blob.size, Kind::File).len() as u64;
        Charted { digest, name, size: blob.size, start: data.saturating_sub(header), data }
    }

    fn data(&self, blob: &ListedBlob) -> u64 {
        self.base.saturating_add(blob.offset)
    }

    fn end(&self, blob: &ListedBlob) -> u64 {
        self.data(blob).saturating_add(blob.size).saturating_add(padding(blob.size))
    }
}
