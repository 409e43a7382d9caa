//! Turns a layout into bytes: headers, what is at hand, blobs as they arrive, padding.

use std::sync::Arc;

use bytes::Bytes;

use crate::SerializeError;
use crate::archive::{Body, Layout, Placed, padding};
use crate::framing::{Encoder, Treatment};
use crate::prefetch::Prefetch;
use airlift_oci::observe::{Event, How, Observer};
use airlift_oci::store::{ErrorKind, StoreError};
use airlift_oci::types::{Descriptor, Hasher};

/// Most bytes for which a block answers at once. What a block answers for may be in the one before.
pub(crate) const LARGEST_CHARGE: u64 = 1 << 20;

/// Where the bytes of an archive go.
pub(crate) struct Writer {
    encoder: Encoder,
    observer: Arc<dyn Observer>,
    /// Bytes that are on the medium already and are made again only to be left out.
    skip: u64,
}

impl Writer {
    pub(crate) fn new(encoder: Encoder, observer: Arc<dyn Observer>) -> Self {
        Writer { encoder, observer, skip: 0 }
    }

    /// Writes `layout` from the byte at `from` on. `prefetch` gives the blobs from the entry at
    /// `from` on.
    pub(crate) async fn write(
        mut self,
        layout: &Layout,
        from: u64,
        place: &str,
        mut prefetch: Prefetch,
    ) -> Result<Encoder, SerializeError> {
        let first = layout.entry_at(from);
        let rest = &layout.placed()[first..];
        self.skip = rest.first().map_or(0, |placed| from - placed.start);
        for placed in rest {
            self.entry(placed, place, &mut prefetch).await?;
        }
        self.encoder.treat(Treatment::Squeeze).await?;
        self.zeros(layout.end() - layout.content_end().max(from)).await?;
        Ok(self.encoder)
    }

    async fn entry(
        &mut self,
        placed: &Placed,
        place: &str,
        prefetch: &mut Prefetch,
    ) -> Result<(), SerializeError> {
        let entry = &placed.entry;
        let descriptor = entry.descriptor();
        self.encoder.treat(Treatment::of(placed)).await?;
        self.bytes(&Bytes::from(entry.header())).await?;
        match (&entry.body, &descriptor) {
            (Body::Bytes(bytes), _) => self.bytes(bytes).await?,
            (Body::Blob, Some(descriptor)) => self.blob(descriptor, place, prefetch).await?,
            _ => {}
        }
        self.zeros(padding(entry.size())).await?;
        if let Some(descriptor) = descriptor {
            self.observer.event(&Event::Stored { bytes: descriptor.size, how: How::Moved });
            self.encoder.mark(descriptor);
        }
        Ok(())
    }

    async fn blob(
        &mut self,
        descriptor: &Descriptor,
        place: &str,
        prefetch: &mut Prefetch,
    ) -> Result<(), SerializeError> {
        let mut hasher = Hasher::new(descriptor.digest.algorithm());
        let (mut left, mut checked) = (descriptor.size, 0);
        while left > 0 {
            let chunk = prefetch.chunk().await.map_err(|error| lacks(descriptor, error))?;
            let bytes = chunk.bytes;
            left = left.saturating_sub(bytes.len() as u64);
            if chunk.checked {
                checked += bytes.len() as u64;
            } else {
                hasher.update(&bytes);
            }
            let (made_again, length) = (self.skip > 0, bytes.len() as u64);
            self.bytes(&bytes).await?;
            // Its memory is a block's by now, unless it is none's; blocks answer for what is theirs.
            if let Some(share) = chunk.share.filter(|_| !made_again && length <= LARGEST_CHARGE) {
                self.encoder.charge(share);
            }
            self.observer.event(&Event::Moved { bytes: bytes.len() as u64 });
        }
        if checked == descriptor.size {
            return Ok(());
        }
        let found = hasher.finish();
        if found != descriptor.digest {
            let expected = descriptor.digest.clone();
            let error = StoreError::new(place, ErrorKind::Digest { expected, found });
            return Err(lacks(descriptor, error));
        }
        Ok(())
    }

    async fn zeros(&mut self, mut count: u64) -> Result<(), SerializeError> {
        const ZEROS: Bytes = Bytes::from_static(&[0; 4096]);
        while count > 0 {
            let part = count.min(ZEROS.len() as u64);
            self.bytes(&ZEROS.slice(..part as usize)).await?;
            count -= part;
        }
        Ok(())
    }

    async fn bytes(&mut self, bytes: &Bytes) -> Result<(), SerializeError> {
        let skip = self.skip.min(bytes.len() as u64);
        self.skip -= skip;
        Ok(self.encoder.write(&bytes[skip as usize..]).await?)
    }
}

fn lacks(descriptor: &Descriptor, source: StoreError) -> SerializeError {
    let (digest, source) = (descriptor.digest.clone(), Box::new(source));
    SerializeError::Blob { digest, images: Vec::new(), source }
}
