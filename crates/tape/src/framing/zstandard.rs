//! zstd frames, each followed by a skippable frame with its checksum.

use std::io;

use flate2::Crc;
use zstd::zstd_safe;

/// Magic number of a frame (RFC 8878, section 3.1.1).
const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// Magic numbers of the skippable frames used here (RFC 8878, section 3.1.2).
const CHECK: [u8; 4] = 0x184d_2a5c_u32.to_le_bytes();
const FILL: [u8; 4] = 0x184d_2a5d_u32.to_le_bytes();
/// Bytes of a skippable frame's header.
const SKIPPABLE: usize = 8;
/// The longest block in a frame.
const RAW_BLOCK: usize = 128 << 10;

/// One piece as a frame with its check.
pub(super) fn frame(piece: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    let mut frame = match level {
        Some(level) => squeeze(piece, level)?,
        None => stored(piece),
    };
    if frame.len() >= piece.len() + 4 {
        frame = stored(piece);
    }
    let mut crc = Crc::new();
    crc.update(&frame);
    frame.extend(CHECK);
    frame.extend(4_u32.to_le_bytes());
    frame.extend(crc.sum().to_le_bytes());
    Ok(frame)
}

fn squeeze(piece: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    compressor.compress(piece)
}

/// A frame of raw blocks, its content's size in four bytes (RFC 8878, section 3.1.1.1).
fn stored(piece: &[u8]) -> Vec<u8> {
    const SINGLE_SEGMENT_WITH_SIZE: u8 = 0xa0;
    let mut frame = Vec::with_capacity(piece.len() + 64);
    frame.extend(MAGIC);
    frame.push(SINGLE_SEGMENT_WITH_SIZE);
    frame.extend((piece.len() as u32).to_le_bytes());
    let count = piece.len().div_ceil(RAW_BLOCK);
    for (index, block) in piece.chunks(RAW_BLOCK).enumerate() {
        let header = (block.len() as u32) << 3 | u32::from(index + 1 == count);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    frame
}

/// A skippable frame that brings `length` up to a multiple of `block`; empty when it is one.
pub(super) fn fill(length: u64, block: u64) -> Vec<u8> {
    let mut missing = (length.next_multiple_of(block) - length) as usize;
    if missing == 0 {
        return Vec::new();
    }
    while missing < SKIPPABLE {
        missing += block as usize;
    }
    let mut frame = FILL.to_vec();
    frame.extend(((missing - SKIPPABLE) as u32).to_le_bytes());
    frame.resize(missing, 0);
    frame
}

/// Whether a filling begins here.
pub(super) fn is_fill(bytes: &[u8]) -> bool {
    bytes.starts_with(&FILL)
}

/// Whether a checksum follows the first frame; `None` while that cannot be told.
pub(crate) fn has_check(bytes: &[u8]) -> Option<bool> {
    if bytes.len() < MAGIC.len() {
        return None;
    }
    if bytes[..4] != MAGIC {
        return Some(false);
    }
    let length = zstd_safe::find_frame_compressed_size(bytes).ok()?;
    Some(*bytes.get(length..length + 4)? == CHECK)
}

/// Where the first frame may begin: bytes before that begin none.
pub(super) fn find(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == MAGIC[0]) {
        at += next;
        if MAGIC.starts_with(&bytes[at..bytes.len().min(at + MAGIC.len())]) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Whether a frame with its right checksum stands at the start of `bytes`; `None` while that cannot
/// be told.
pub(super) fn is_checked(bytes: &[u8], limit: usize) -> Option<bool> {
    match parse(bytes, limit) {
        Ok(Parsed::Piece(_, length)) => match parse(&bytes[length..], limit) {
            Ok(Parsed::More) => None,
            Ok(Parsed::Check(sum, _)) => {
                let mut crc = Crc::new();
                crc.update(&bytes[..length]);
                Some(crc.sum() == sum)
            }
            _ => Some(false),
        },
        Ok(Parsed::More) => None,
        _ => Some(false),
    }
}

/// What stands at the start of `bytes`, once enough of them are there.
pub(super) enum Parsed {
    /// More bytes are needed.
    More,
    /// A piece, in this many bytes.
    Piece(Vec<u8>, usize),
    /// A checksum of the compressed frame before.
    Check(u32, usize),
    /// Filling, or something of another program that is skipped.
    Skip(usize),
}

/// Reads one frame.
pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Parsed, String> {
    if bytes.len() < SKIPPABLE {
        return Ok(Parsed::More);
    }
    let word =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes[..4] != MAGIC {
        if word(0) & 0xffff_fff0 != 0x184d_2a50 {
            return Err("there is no zstd frame here".to_owned());
        }
        let length = SKIPPABLE + word(4) as usize;
        if bytes.len() < length {
            return if length > limit {
                Err("a frame is too long".to_owned())
            } else {
                Ok(Parsed::More)
            };
        }
        if bytes[..4] == FILL && bytes[SKIPPABLE..length].iter().any(|byte| *byte != 0) {
            return Err("the filling is not zero".to_owned());
        }
        let check = bytes[..4] == CHECK && length == SKIPPABLE + 4;
        return Ok(if check { Parsed::Check(word(8), length) } else { Parsed::Skip(length) });
    }
    let Ok(length) = zstd_safe::find_frame_compressed_size(bytes) else {
        return if bytes.len() >= limit {
            Err("a frame is damaged or too long".to_owned())
        } else {
            Ok(Parsed::More)
        };
    };
    let piece =
        zstd::bulk::decompress(&bytes[..length], limit).map_err(|error| error.to_string())?;
    Ok(Parsed::Piece(piece, length))
}
