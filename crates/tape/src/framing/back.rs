//! Back to an earlier place of the archive, which a content began that turned out to be damaged.

use std::collections::VecDeque;
use std::io;

use bytes::BytesMut;

use super::encode::Encoder;
use crate::buffer;
use crate::device::DeviceError;
use airlift_oci::types::Descriptor;

/// A place in the archive, and how things stood there.
pub(crate) struct Here {
    buffer: buffer::Here,
    medium: u64,
    drop: u64,
    taken: u64,
    piece: BytesMut,
    marks: VecDeque<(Descriptor, u64)>,
}

impl Encoder {
    /// The place where the next byte goes, which can be gone back to until [`Encoder::proven`] says
    /// that what follows is right. Until then the ledger says nothing of frames that are ended
    /// behind it: when they are made again they may be longer, or shorter.
    pub(crate) async fn here(&mut self) -> Result<Here, DeviceError> {
        self.drain(0).await?;
        self.unproven = Some(Vec::new());
        Ok(Here {
            buffer: self.buffer.here(),
            medium: self.medium,
            drop: self.drop,
            taken: self.taken,
            piece: self.piece.clone(),
            marks: self.marks.clone(),
        })
    }

    /// Everything so far is right.
    pub(crate) fn proven(&mut self) {
        for line in self.unproven.take().unwrap_or_default() {
            self.buffer.mark(line);
        }
    }

    /// Goes back; with [`io::ErrorKind::Unsupported`] the device cannot.
    pub(crate) async fn back_to(&mut self, here: &Here) -> io::Result<()> {
        // They take a moment, and must not run on behind the run's back.
        while let Some(made) = self.next_frame().await {
            drop(made);
        }
        self.buffer.back_to(&here.buffer).await?;
        self.unproven = Some(Vec::new());
        (self.medium, self.drop, self.taken) = (here.medium, here.drop, here.taken);
        (self.piece, self.marks) = (here.piece.clone(), here.marks.clone());
        Ok(())
    }
}
