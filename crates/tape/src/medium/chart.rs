//! Where the entries of an archive stand, as far as that is known: what a transfer list says.

use crate::archive::{Head, Kind, Transfer, blob_path, encode_header, padding};
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

/// The blobs of an archive, in order.
#[derive(Debug, Default)]
pub(crate) struct Chart(Vec<Charted>);

impl Charted {
    fn end(&self) -> u64 {
        self.data + self.size + padding(self.size)
    }

    /// The header that the entry was written with.
    pub(crate) fn head(&self) -> Head {
        let raw = encode_header(&self.name, self.size, Kind::File).into();
        let (name, size, offset) = (self.name.clone(), self.size, self.start);
        Head { name, kind: Kind::File, size, offset, raw }
    }
}

impl Chart {
    /// What the list whose entry is `list` says.
    pub(crate) fn of(transfer: &Transfer, list: &Head) -> Self {
        let base = list.offset + list.raw.len() as u64 + list.size + padding(list.size);
        let charted = transfer.blobs.iter().map(|blob| {
            let digest = blob.digest.clone();
            let name = blob_path(&digest);
            let header = encode_header(&name, blob.size, Kind::File).len() as u64;
            let data = base.saturating_add(blob.offset);
            Charted { digest, name, size: blob.size, start: data.saturating_sub(header), data }
        });
        Chart(charted.collect())
    }

    /// The entry that has the byte at `offset` in its header or before it.
    pub(crate) fn next(&self, offset: u64) -> Option<&Charted> {
        self.0.get(self.0.partition_point(|entry| entry.data <= offset))
    }

    /// Where an entry stands.
    pub(crate) fn start_of(&self, name: &str, near: u64) -> Option<u64> {
        let named = |entry: &&Charted| entry.name == name;
        self.next(near).filter(named).or_else(|| self.0.iter().find(named)).map(|e| e.start)
    }

    /// What stands within `length` bytes from `offset` on.
    pub(crate) fn within(&self, offset: u64, length: u64) -> impl Iterator<Item = &Digest> {
        let end = offset.saturating_add(length.max(1));
        let first = self.0.partition_point(|entry| entry.end() <= offset);
        self.0[first..].iter().take_while(move |entry| entry.start < end).map(|entry| &entry.digest)
    }
}
