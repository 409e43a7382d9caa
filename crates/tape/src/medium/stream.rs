//! The bytes of a medium, decompressed where it is compressed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::compression::Compression;
use super::in_place::InPlace;
use super::pieces::{Front, Piece, Pieces};
use super::read_ahead::{Reading, read_ahead};
use super::{Medium, decode, lost};
use crate::apart::apart;
use crate::archive::{BLOCK, Parser};

/// The uncompressed bytes of a medium, in order.
pub(crate) struct ByteStream {
    from: From,
    front: Front,
    compressed: bool,
    checked: Arc<AtomicBool>,
}

/// Where the bytes come from.
enum From {
    /// A thread that reads ahead.
    Thread(Pieces),
    /// The file itself.
    File(InPlace),
}

impl ByteStream {
    /// Opens `medium` and begins to read it ahead.
    pub(crate) async fn open(medium: Medium, reading: Reading) -> io::Result<Self> {
        let checked = Arc::new(AtomicBool::new(false));
        if reading.in_place
            && let Medium::File(path) = &medium
        {
            let path = path.clone();
            let opened = tokio::task::spawn_blocking(move || InPlace::open(&path)).await;
            if let Some(file) = opened.map_err(io::Error::other)?? {
                let from = From::File(file);
                return Ok(ByteStream { from, front: Front::new(), compressed: false, checked });
            }
        }
        let device = apart(|| medium.open()).await.unwrap_or_else(|| Err(lost()))?;
        let whole = reading.whole;
        let mut pieces = read_ahead(device, reading)?;
        let mut front: Front = pieces.recv().await.into_iter().collect();
        let first = match front.front() {
            Some(Ok(Piece::Bytes(first))) => first.clone(),
            _ => Bytes::new(),
        };
        let mut kind = Compression::detect(&first);
        let begins = match front.front() {
            Some(Ok(Piece::Lost(_))) => false,
            _ => is_header(&first),
        };
        if kind.is_none() && !whole && !begins {
            kind = decode::search(&mut front, &mut pieces).await;
        }
        let Some(kind) = kind else {
            let from = From::Thread(pieces);
            return Ok(ByteStream { from, front, compressed: false, checked });
        };
        let pieces = decode::start(kind, front, pieces, checked.clone(), whole)?;
        let (from, front) = (From::Thread(pieces), Front::new());
        Ok(ByteStream { from, front, compressed: true, checked })
    }

    /// Whether the medium is compressed in frames without checksums of their own. Known once bytes
    /// were read.
    pub(crate) fn lacks_checks(&self) -> bool {
        self.compressed && !self.checked.load(Ordering::Acquire)
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        match (self.front.pop_front(), &mut self.from) {
            (Some(first), _) => first.map(Some),
            (None, From::Thread(pieces)) => pieces.recv().await.transpose(),
            (None, From::File(file)) => Ok(file.next().await?.map(Piece::Bytes)),
        }
    }

    /// The file that this is, when it can be read at any place.
    pub(super) fn file(&mut self) -> Option<&mut InPlace> {
        match &mut self.from {
            From::File(file) => Some(file),
            From::Thread(_) => None,
        }
    }
}

/// Whether an archive that is not compressed may begin like this.
pub(super) fn is_header(first: &[u8]) -> bool {
    let mut parser = Parser::new();
    parser.push(Bytes::copy_from_slice(&first[..first.len().min(BLOCK as usize)]));
    parser.step().is_ok()
}
