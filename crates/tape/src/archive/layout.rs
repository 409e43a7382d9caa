//! The layout: every entry of an archive with its offsets, before any byte is written.
//!
//! Sizes come from descriptors, so writing, resuming, estimating and checking are one calculation.

use std::borrow::Cow;

use bytes::Bytes;

use super::blob_path::blob_path;
use super::header::{BLOCK, Kind, encode, padding};
use airlift_oci::types::{Descriptor, Digest, MediaType};

/// What an entry holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing: a directory.
    Directory,
    /// Bytes that are at hand: documents and manifests.
    Bytes(Bytes),
    /// A blob that the source still has to give.
    Blob,
}

/// One entry. Small, since an artifact may have many.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Content.
    pub body: Body,
    named: Named,
}

/// What gives an entry its name.
#[derive(Debug, Clone)]
enum Named {
    /// A path of its own.
    Path(Box<str>),
    /// The digest of content of which nothing else is known than type and size.
    Bare(MediaType, Digest, u64),
    /// The digest of content of which more is known.
    Described(Box<Descriptor>),
}

/// An entry and where it stands, in bytes of the uncompressed archive.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The entry.
    pub entry: Entry,
    /// First byte of its header.
    pub start: u64,
    /// First byte of its content.
    pub data: u64,
    /// After content and padding: the next header.
    pub end: u64,
}

/// All entries in their order.
#[derive(Debug, Clone)]
pub struct Layout {
    placed: Vec<Placed>,
    content_end: u64,
    end: u64,
}

impl Entry {
    /// The path of a manifest or blob in an image layout.
    pub fn blob_name(descriptor: &Descriptor) -> String {
        blob_path(&descriptor.digest)
    }

    /// A directory.
    pub fn directory(name: &str) -> Self {
        Entry { body: Body::Directory, named: Named::Path(name.into()) }
    }

    /// A document such as `index.json`.
    pub fn document(name: &str, bytes: Bytes) -> Self {
        Entry { body: Body::Bytes(bytes), named: Named::Path(name.into()) }
    }

    /// A manifest or blob of which the bytes are at hand.
    pub fn inline(descriptor: Descriptor, bytes: Bytes) -> Self {
        Entry { body: Body::Bytes(bytes), named: Named::of(descriptor) }
    }

    /// A blob to be fetched.
    pub fn blob(descriptor: Descriptor) -> Self {
        Entry { body: Body::Blob, named: Named::of(descriptor) }
    }

    /// Path in the archive.
    pub fn name(&self) -> Cow<'_, str> {
        match &self.named {
            Named::Path(path) => Cow::Borrowed(path),
            Named::Bare(_, digest, _) => Cow::Owned(blob_path(digest)),
            Named::Described(descriptor) => Cow::Owned(blob_path(&descriptor.digest)),
        }
    }

    /// What the content is, for manifests and blobs.
    pub fn descriptor(&self) -> Option<Descriptor> {
        match &self.named {
            Named::Path(_) => None,
            Named::Bare(media_type, digest, size) => {
                Some(Descriptor::new(media_type.clone(), digest.clone(), *size))
            }
            Named::Described(descriptor) => Some(Descriptor::clone(descriptor)),
        }
    }

    /// The digest of a manifest or blob.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.named {
            Named::Path(_) => None,
            Named::Bare(_, digest, _) => Some(digest),
            Named::Described(descriptor) => Some(&descriptor.digest),
        }
    }

    /// The media type of a manifest or blob.
    pub fn media_type(&self) -> Option<&str> {
        match &self.named {
            Named::Path(_) => None,
            Named::Bare(media_type, ..) => Some(media_type),
            Named::Described(descriptor) => Some(&descriptor.media_type),
        }
    }

    /// Size of the content in bytes.
    pub fn size(&self) -> u64 {
        match (&self.body, &self.named) {
            (Body::Bytes(bytes), _) => bytes.len() as u64,
            (Body::Blob, Named::Bare(_, _, size)) => *size,
            (Body::Blob, Named::Described(descriptor)) => descriptor.size,
            _ => 0,
        }
    }

    /// The header bytes.
    pub fn header(&self) -> Vec<u8> {
        let kind = match self.body {
            Body::Directory => Kind::Directory,
            _ => Kind::File,
        };
        encode(&self.name(), self.size(), kind)
    }
}

impl Named {
    fn of(descriptor: Descriptor) -> Self {
        if descriptor == descriptor.bare() {
            let Descriptor { media_type, digest, size, .. } = descriptor;
            return Named::Bare(media_type, digest, size);
        }
        Named::Described(Box::new(descriptor))
    }
}

impl Layout {
    /// Places `entries` one after the other; two zero blocks follow, then zeros up to a multiple
    /// of `record` bytes.
    pub fn new(entries: Vec<Entry>, record: u64) -> Self {
        let mut next = 0;
        let placed: Vec<Placed> = entries
            .into_iter()
            .map(|entry| {
                let start = next;
                let data = start + entry.header().len() as u64;
                let end = data + entry.size() + padding(entry.size());
                next = end;
                Placed { entry, start, data, end }
            })
            .collect();
        let end = (next + 2 * BLOCK).next_multiple_of(record.max(BLOCK));
        Layout { placed, content_end: next, end }
    }

    /// The entries with their offsets, in order.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// End of the last entry: the zero blocks begin here.
    pub fn content_end(&self) -> u64 {
        self.content_end
    }

    /// Length of the uncompressed archive, in whole records.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Index of the entry that holds the byte at `offset`, or the number of entries when that is
    /// behind the last.
    pub fn entry_at(&self, offset: u64) -> usize {
        self.placed.partition_point(|placed| placed.end <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_from_sizes() {
        let entries = vec![
            Entry::document("oci-layout", Bytes::from_static(&[b'x'; 30])),
            Entry::directory("blobs"),
            Entry::blob(Descriptor::of("m", &[0; 513])),
        ];
        let layout = Layout::new(entries, 10_240);
        let ends: Vec<_> =
            layout.placed().iter().map(|placed| (placed.start, placed.data, placed.end)).collect();
        assert_eq!(ends, [(0, 512, 1024), (1024, 1536, 1536), (1536, 2048, 3072)]);
        assert_eq!((layout.content_end(), layout.end()), (3072, 10_240));
        assert_eq!(
            (layout.entry_at(1023), layout.entry_at(1024), layout.entry_at(3072)),
            (0, 1, 3)
        );
    }
    #[test]
    fn entries_give_back_what_they_were_made_of() {
        let bare = Descriptor::of("m", b"abc");
        let mut described = bare.clone();
        described.urls.push("https://vendor.example.com/base".to_owned());
        for descriptor in [bare, described] {
            for entry in [
                Entry::blob(descriptor.clone()),
                Entry::inline(descriptor.clone(), Bytes::from_static(b"abc")),
            ] {
                assert_eq!(entry.descriptor(), Some(descriptor.clone()));
                assert_eq!((entry.size(), entry.media_type()), (3, Some("m")));
                assert_eq!(entry.name(), Entry::blob_name(&descriptor));
            }
        }
        let document = Entry::document("index.json", Bytes::new());
        assert_eq!((document.name(), document.descriptor()), ("index.json".into(), None));
    }
}
