//! Turns a layout into bytes: headers, what is at hand, blobs as they arrive, padding.
//!
//! Of a blob that comes in segments the digest is known when it is written. One that came damaged is
//! fetched and written once more where the device can go back.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;

use crate::SerializeError;
use crate::archive::{Body, Layout, Placed, padding};
use crate::device::DeviceError;
use crate::framing::{Encoder, Here, Treatment};
use crate::prefetch::{Prefetch, SHORTEST};
use airlift_oci::observe::{Event, How, Observer};
use airlift_oci::store::{Damage, ErrorKind, Source, StoreError};
use airlift_oci::types::{Descriptor, Digest, Hasher};

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

    /// Writes `layout` from the byte at `from` on. `prefetch` gives the blobs of `source` from the
    /// entry at `from` on.
    pub(crate) async fn write(
        mut self,
        layout: &Layout,
        from: u64,
        source: &dyn Source,
        mut prefetch: Prefetch,
    ) -> Result<Encoder, SerializeError> {
        let first = layout.entry_at(from);
        let rest = &layout.placed()[first..];
        self.skip = rest.first().map_or(0, |placed| from - placed.start);
        for placed in rest {
            self.entry(placed, source, &mut prefetch).await?;
        }
        self.encoder.treat(Treatment::Squeeze).await?;
        self.zeros(layout.end() - layout.content_end().max(from)).await?;
        Ok(self.encoder)
    }

    async fn entry(
        &mut self,
        placed: &Placed,
        source: &dyn Source,
        prefetch: &mut Prefetch,
    ) -> Result<(), SerializeError> {
        let entry = &placed.entry;
        let descriptor = entry.descriptor();
        self.encoder.treat(Treatment::of(placed)).await?;
        match (&entry.body, &descriptor) {
            (Body::Blob, Some(descriptor)) if descriptor.size > SHORTEST => {
                self.large(placed, descriptor, source, prefetch).await?;
            }
            (Body::Blob, Some(descriptor)) => {
                self.header(placed).await?;
                let content = self.fetched(descriptor, prefetch).await?;
                content.map_err(|found| lacks(descriptor, damaged(source, descriptor, found)))?;
            }
            (Body::Bytes(bytes), _) => {
                self.header(placed).await?;
                self.bytes(bytes).await?;
            }
            _ => self.header(placed).await?,
        }
        self.zeros(padding(entry.size())).await?;
        if let Some(descriptor) = descriptor {
            self.observer.event(&Event::Stored { bytes: descriptor.size, how: How::Moved });
            self.encoder.mark(descriptor);
        }
        Ok(())
    }

    /// A blob of which damage may show only when it is written.
    async fn large(
        &mut self,
        placed: &Placed,
        descriptor: &Descriptor,
        source: &dyn Source,
        prefetch: &mut Prefetch,
    ) -> Result<(), SerializeError> {
        let (here, skip) = (self.encoder.here().await?, self.skip);
        self.header(placed).await?;
        let mut came = self.fetched(descriptor, prefetch).await?;
        let mut damage = Damage::default();
        while let Err(found) = came {
            let error = damaged(source, descriptor, found);
            if !damage.may_pass(&error) {
                return Err(lacks(descriptor, error));
            }
            self.back_to(&here, skip, error, descriptor).await?;
            self.header(placed).await?;
            came = self.once_more(descriptor, source).await?;
        }
        self.encoder.proven();
        Ok(())
    }

    /// Goes back to where a blob began that came with an `error`, which stays what it is where that
    /// cannot be.
    async fn back_to(
        &mut self,
        here: &Here,
        skip: u64,
        error: StoreError,
        descriptor: &Descriptor,
    ) -> Result<(), SerializeError> {
        let text = format!("{error}: it is fetched and written once more");
        match self.encoder.back_to(here).await {
            Ok(()) => {}
            Err(why) if why.kind() == io::ErrorKind::Unsupported => {
                return Err(lacks(descriptor, error));
            }
            Err(source) => {
                let text = format!("going back to before a damaged blob failed: {source}");
                return Err(DeviceError::Settings(text).into());
            }
        }
        self.skip = skip;
        self.observer.event(&Event::Warning { text: &text });
        Ok(())
    }

    async fn header(&mut self, placed: &Placed) -> Result<(), SerializeError> {
        self.bytes(&Bytes::from(placed.entry.header())).await
    }

    /// Writes a blob as it arrives; fails with its error, or says which digest it has instead.
    async fn fetched(
        &mut self,
        descriptor: &Descriptor,
        prefetch: &mut Prefetch,
    ) -> Result<Result<(), Digest>, SerializeError> {
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
            return Ok(Ok(()));
        }
        let found = hasher.finish();
        Ok(if found == descriptor.digest { Ok(()) } else { Err(found) })
    }

    /// The same, of a blob that is fetched for itself. Its bytes were told of before.
    async fn once_more(
        &mut self,
        descriptor: &Descriptor,
        source: &dyn Source,
    ) -> Result<Result<(), Digest>, SerializeError> {
        let opened = source.open(descriptor, 0).await;
        let mut blob = opened.map_err(|error| lacks(descriptor, error))?;
        while let Some(next) = blob.next().await {
            match next {
                Ok(bytes) => self.bytes(&bytes).await?,
                Err(error) => {
                    return match error.kind() {
                        ErrorKind::Digest { found, .. } => Ok(Err(found.clone())),
                        _ => Err(lacks(descriptor, error)),
                    };
                }
            }
        }
        Ok(Ok(()))
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

fn damaged(source: &dyn Source, descriptor: &Descriptor, found: Digest) -> StoreError {
    let expected = descriptor.digest.clone();
    StoreError::new(source.place(), ErrorKind::Digest { expected, found })
}

fn lacks(descriptor: &Descriptor, source: StoreError) -> SerializeError {
    let (digest, source) = (descriptor.digest.clone(), Box::new(source));
    SerializeError::Blob { digest, images: Vec::new(), source }
}
