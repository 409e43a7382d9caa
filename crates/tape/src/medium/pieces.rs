//! What comes from a medium: bytes, and gaps where they could not be read.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;

/// What comes from a medium.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// Some that could not be read.
    Lost(Gap),
}

/// Bytes that could not be read.
#[derive(Debug)]
pub(crate) struct Gap {
    /// How many, where that is known.
    pub(crate) bytes: Option<u64>,
    /// Why.
    pub(crate) reason: String,
}

pub(super) type Pieces = mpsc::Receiver<io::Result<Piece>>;
/// What was read of a medium to know what it is.
pub(super) type Front = VecDeque<io::Result<Piece>>;
