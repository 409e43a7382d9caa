//! From the uncompressed archive to the block buffer: as it is, or in compressed frames.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::{Compression, FRAME, Treatment, gzip, zstandard};
use crate::buffer::{BlockBuffer, Flow};
use crate::device::DeviceError;
use crate::ledger::Line;
use crate::resume::Point;
use airlift_oci::types::Descriptor;

/// A frame, and where its piece ends in the uncompressed archive.
pub(super) type Made = std::io::Result<(Vec<u8>, u64)>;

/// Takes in the uncompressed archive, in order.
pub(crate) struct Encoder {
    pub(super) buffer: BlockBuffer,
    compression: Compression,
    /// The medium is filled up to a multiple of this.
    record: u64,
    /// Bytes on the medium once everything handed on is written.
    pub(super) medium: u64,
    /// Bytes that come out and are on the medium already.
    pub(super) drop: u64,
    /// Bytes of the uncompressed archive that were taken in.
    pub(super) taken: u64,
    pub(super) piece: BytesMut,
    treatment: Treatment,
    frames: FuturesOrdered<JoinHandle<Made>>,
    pub(super) marks: VecDeque<(Descriptor, u64)>,
    /// Lines of frames in which there is something that may have to be made again.
    pub(super) unproven: Option<Vec<Line>>,
    at_once: usize,
}

impl Encoder {
    /// Goes on at `point`: what comes out before the place where the device stands is dropped.
    pub(crate) fn new(
        buffer: BlockBuffer,
        compression: Compression,
        record: u64,
        point: &Point,
    ) -> Self {
        Encoder {
            buffer,
            compression,
            record,
            medium: point.medium,
            drop: point.at - point.medium,
            taken: point.archive,
            piece: BytesMut::new(),
            treatment: Treatment::Squeeze,
            frames: FuturesOrdered::new(),
            marks: VecDeque::new(),
            unproven: None,
            at_once: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }

    /// Says how the bytes that follow are treated.
    pub(crate) async fn treat(&mut self, treatment: Treatment) -> Result<(), DeviceError> {
        if self.compression != Compression::None && treatment != self.treatment {
            self.cut().await?;
        }
        self.treatment = treatment;
        Ok(())
    }

    /// Takes bytes in.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.taken += bytes.len() as u64;
        if self.compression == Compression::None {
            self.medium = self.taken;
            return self.buffer.write(bytes).await;
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let part = bytes.len().min(FRAME as usize - self.piece.len());
            self.piece.extend_from_slice(&bytes[..part]);
            bytes = &bytes[part..];
            if self.piece.len() as u64 == FRAME {
                let behind = bytes.len() as u64;
                self.cut_at(self.taken - behind).await?;
            }
        }
        Ok(())
    }

    /// Keeps `share` until what was handed on last is on the medium: for what is not compressed.
    pub(crate) fn charge(&mut self, share: OwnedSemaphorePermit) {
        self.buffer.charge(share);
    }

    /// An entry is complete.
    pub(crate) fn mark(&mut self, descriptor: Descriptor) {
        // With nothing in the making, the last frame ended with this entry.
        if self.frames.is_empty() && self.piece.is_empty() {
            self.buffer.mark(Line { descriptor, offset: self.medium });
        } else {
            self.marks.push_back((descriptor, self.taken));
        }
    }

    /// The archive is complete: fills up the medium's last record and waits for the device.
    pub(crate) async fn finish(mut self) -> Result<Flow, DeviceError> {
        self.cut().await?;
        self.drain(0).await?;
        let fill = match self.compression {
            Compression::None => Vec::new(),
            Compression::Zstd(_) => zstandard::fill(self.medium, self.record),
            Compression::Gzip(_) => gzip::fill(self.medium, self.record),
        };
        self.buffer.write(&fill).await?;
        self.buffer.finish().await
    }

    async fn cut(&mut self) -> Result<(), DeviceError> {
        self.cut_at(self.taken).await
    }

    /// Ends a frame: its piece ends at byte `end` of the archive.
    async fn cut_at(&mut self, end: u64) -> Result<(), DeviceError> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        let (compression, treatment) = (self.compression, self.treatment);
        let job = move || Ok((compress(&piece, compression, treatment)?, end));
        self.frames.push_back(tokio::task::spawn_blocking(job));
        self.drain(self.at_once).await
    }

    /// Hands on frames until no more than `left` are in the making.
    pub(super) async fn drain(&mut self, left: usize) -> Result<(), DeviceError> {
        while self.frames.len() > left {
            let Some(done) = self.next_frame().await else { return Ok(()) };
            let (frame, end) = done
                .map_err(|error| DeviceError::Settings(format!("compressing failed: {error}")))?;
            self.medium += frame.len() as u64;
            let drop = self.drop.min(frame.len() as u64);
            self.drop -= drop;
            self.buffer.write(&frame[drop as usize..]).await?;
            while self.marks.front().is_some_and(|(_, taken)| *taken <= end) {
                let Some((descriptor, _)) = self.marks.pop_front() else { break };
                let line = Line { descriptor, offset: self.medium };
                match &mut self.unproven {
                    Some(lines) => lines.push(line),
                    None => self.buffer.mark(line),
                }
            }
        }
        Ok(())
    }

    /// The next frame of those in the making.
    pub(super) async fn next_frame(&mut self) -> Option<Made> {
        let made = self.frames.next().await?;
        Some(made.map_err(std::io::Error::other).and_then(|inner| inner))
    }
}

fn compress(
    piece: &Bytes,
    compression: Compression,
    treatment: Treatment,
) -> std::io::Result<Vec<u8>> {
    let squeeze = treatment == Treatment::Squeeze;
    match compression {
        Compression::Gzip(level) => gzip::frame(piece, squeeze.then_some(level)),
        Compression::Zstd(level) => zstandard::frame(piece, squeeze.then_some(level)),
        Compression::None => Ok(piece.to_vec()),
    }
}
