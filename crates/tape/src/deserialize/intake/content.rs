//! The content of entries: held, handed on as it passes, or left where it stands for whoever sends it.

use bytes::Bytes;

use super::super::DeserializeError;
use super::super::catalog::may_be_manifest;
use super::super::error::Spot;
use super::super::stretch::{Seen, Stretch};
use super::super::uploads::Feed;
use super::{Intake, check, spot};
use crate::archive::Head;
use crate::medium::{CHUNK, EntryReader};
use airlift_oci::observe::Event;
use airlift_oci::types::{Descriptor, Digest, Hasher, MAX_MANIFEST, media};

/// Longest document (`index.json`, a transfer list) that is read.
const MAX_DOCUMENT: u64 = 256 << 20;
/// Bytes held of content that may be a manifest and that nothing has named yet.
const MAX_CANDIDATES: u64 = 256 << 20;

impl Intake<'_> {
    /// Content of which it is not known yet what it is.
    pub(super) async fn unknown(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        digest: Digest,
    ) -> Result<(), DeserializeError> {
        let descriptor = Descriptor::new(media::OCTET_STREAM, digest.clone(), head.size);
        let room = self.candidate_bytes + head.size <= MAX_CANDIDATES;
        if head.size > MAX_MANIFEST || !room {
            return self.blob(reader, head, descriptor).await;
        }
        let share = self.uploads.reserve(head.size).await?;
        let raw = self.verified(reader, head, &digest).await?;
        if self.catalog.is_own(&digest) || self.catalog.stored.contains(&digest) {
            return Ok(());
        }
        if may_be_manifest(&raw) {
            self.keep_candidate(*spot(reader, head), &digest, &raw);
            self.adopt_transfer(&digest, &raw);
            return Ok(());
        }
        self.catalog.stored.insert(digest);
        self.uploads.put(descriptor, raw, share).await
    }

    pub(super) fn keep_candidate(&mut self, at: Spot, digest: &Digest, raw: &Bytes) {
        self.candidate_bytes += raw.len() as u64;
        self.catalog.candidates.insert(digest.clone(), (raw.clone(), at));
    }

    pub(super) async fn blob(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        descriptor: Descriptor,
    ) -> Result<(), DeserializeError> {
        let known = self.catalog.stored.contains(&descriptor.digest);
        if known || self.catalog.is_own(&descriptor.digest) {
            // It passes a second time, and is checked a second time.
            return self.pass(reader, head, &descriptor.digest, None).await;
        }
        if head.size > CHUNK
            && let Some((extent, start)) = reader.pass_over(head.size)
        {
            let (at, observer) = (*spot(reader, head), self.observer.clone());
            self.catalog.stored.insert(descriptor.digest.clone());
            let stretch =
                Stretch { descriptor, at, extent, start, seen: Seen::default(), observer };
            return self.uploads.put_stretch(stretch).await;
        }
        if self.uploads.holds(head.size) {
            let share = self.uploads.reserve(head.size).await?;
            let bytes = self.verified(reader, head, &descriptor.digest).await?;
            self.observer.event(&Event::Moved { bytes: head.size });
            self.catalog.stored.insert(descriptor.digest.clone());
            return self.uploads.put(descriptor, bytes, share).await;
        }
        let mut feed = self.uploads.feed(descriptor.clone(), reader.place()).await?;
        self.pass(reader, head, &descriptor.digest, Some(&mut feed)).await?;
        feed.finish();
        self.catalog.stored.insert(descriptor.digest);
        Ok(())
    }

    /// Reads content through, checking it, and hands it to `feed` on the way.
    async fn pass(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        digest: &Digest,
        mut feed: Option<&mut Feed>,
    ) -> Result<(), DeserializeError> {
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(bytes) = reader.data().await? {
            hasher.update(&bytes);
            self.observer.event(&Event::Moved { bytes: bytes.len() as u64 });
            if let Some(feed) = &mut feed {
                feed.send(bytes).await;
            }
        }
        check(reader, head, digest, hasher.finish())
    }

    pub(super) async fn verified(
        &self,
        reader: &mut EntryReader,
        head: &Head,
        digest: &Digest,
    ) -> Result<Bytes, DeserializeError> {
        let bytes = self.document(reader, head).await?;
        check(reader, head, digest, digest.like(&bytes))?;
        Ok(bytes)
    }

    pub(super) async fn document(
        &self,
        reader: &mut EntryReader,
        head: &Head,
    ) -> Result<Bytes, DeserializeError> {
        if head.size > MAX_DOCUMENT {
            return Err(DeserializeError::Unexpected {
                at: spot(reader, head),
                reason: "it is too large for a document",
            });
        }
        Ok(reader.read_all(head.size).await?)
    }
}
