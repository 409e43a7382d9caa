//! Compression in frames, so that a compressed archive can be resumed and read from within.
//!
//! The uncompressed archive is cut at fixed places that follow from its layout; each piece becomes
//! one zstd frame or gzip member, a pure function of the piece. What is compressed already is
//! stored. Every frame carries a checksum of its own compressed bytes, so that damage is found
//! where it is (`docs/formats.md`, "Compressed archives").

mod back;
mod encode;
mod gzip;
mod headers;
mod offsets;
mod read;
mod zstandard;

use std::str::FromStr;

pub(crate) use back::Here;
pub(crate) use encode::Encoder;
pub(crate) use gzip::has_check as gzip_has_check;
pub use offsets::Framed;
pub(crate) use read::{FrameError, FrameReader, find_checked};
pub(crate) use zstandard::has_check as zstd_has_check;

use crate::archive::{Body, Layout, Placed};
use airlift_oci::types::media;

/// The longest piece that becomes one frame, in bytes.
pub(crate) const FRAME: u64 = 1 << 20;
/// Blobs smaller than this are not worth a frame of their own.
const SMALL: u64 = 64 << 10;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// zstd, with its level: 1 to 19.
    Zstd(i32),
    /// gzip, with its level: 1 to 9.
    Gzip(u32),
}

/// Why a text names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown compression {0:?}: expected zstd or gzip, with a level if need be, such as zstd:9 (1 to 19) or gzip:6 (1 to 9), or none"
)]
pub struct CompressionError(String);

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let fail = || CompressionError(text.to_owned());
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| fail())?)),
            None => (text, None),
        };
        match (name, level) {
            ("none", None) => Ok(Compression::None),
            ("zstd", None) => Ok(Compression::Zstd(3)),
            ("zstd", Some(level @ 1..=19)) => Ok(Compression::Zstd(i32::from(level))),
            ("gzip", None) => Ok(Compression::Gzip(6)),
            ("gzip", Some(level @ 1..=9)) => Ok(Compression::Gzip(u32::from(level))),
            _ => Err(fail()),
        }
    }
}

/// How the bytes of an entry are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    Squeeze,
    Store,
}

impl Treatment {
    /// Of an entry.
    pub(crate) fn of(placed: &Placed) -> Self {
        let entry = &placed.entry;
        let packed = entry.size() >= SMALL && entry.media_type().is_some_and(media::is_compressed);
        match entry.body {
            Body::Blob if packed => Treatment::Store,
            _ => Treatment::Squeeze,
        }
    }
}

/// Where the frame ends that holds the byte before `offset`: at the end of the run of entries that
/// are treated alike, or at a multiple of [`FRAME`] from the run's start.
pub(crate) fn frame_end(layout: &Layout, offset: u64) -> u64 {
    if offset == 0 {
        return 0;
    }
    let placed = layout.placed();
    let index = layout.entry_at(offset - 1).min(placed.len().saturating_sub(1));
    let Some(entry) = placed.get(index) else { return layout.end() };
    // What follows the last entry is treated as documents are.
    let (treatment, from) = if offset > layout.content_end() {
        (Treatment::Squeeze, placed.len())
    } else {
        (Treatment::of(entry), index)
    };
    let alike = |placed: &&Placed| Treatment::of(placed) == treatment;
    let first = placed[..from].iter().rev().take_while(alike).last();
    let start = first.map_or_else(
        || if from == placed.len() { layout.content_end() } else { entry.start },
        |first| first.start,
    );
    let last = placed[from.min(placed.len())..].iter().find(|placed| !alike(placed));
    let end = match last {
        Some(other) => other.start,
        None if treatment == Treatment::Squeeze => layout.end(),
        None => layout.content_end(),
    };
    end.min(start + (offset - start).next_multiple_of(FRAME))
}
