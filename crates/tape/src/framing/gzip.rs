//! gzip members, each with the length and checksum of its own compressed data in its header.

use std::io;

use flate2::{Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// ID1, ID2, deflate, FEXTRA, no time, no extra flags, unknown system (RFC 1952, section 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
/// The extra field with length and checksum of the compressed data.
const CHECK: [u8; 2] = *b"AL";
/// The extra field that fills up a block.
const FILL: [u8; 2] = *b"AF";
/// An empty deflate stream, and the trailer of no data.
const EMPTY: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Header, length of the extra field, and one subfield's header.
pub(super) const FRONT: usize = 10 + 2 + 4;
const STORED_BLOCK: usize = 65_535;

/// One piece as a member.
pub(super) fn frame(piece: &[u8], level: Option<u32>) -> io::Result<Vec<u8>> {
    let mut data = match level {
        Some(level) => squeeze(piece, level)?,
        None => stored(piece),
    };
    if data.len() >= piece.len() {
        data = stored(piece);
    }
    let sum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    let mut member = HEADER.to_vec();
    member.extend(12_u16.to_le_bytes());
    member.extend(CHECK);
    member.extend(8_u16.to_le_bytes());
    member.extend((data.len() as u32).to_le_bytes());
    member.extend(sum(&data).to_le_bytes());
    member.extend(&data);
    member.extend(sum(piece).to_le_bytes());
    member.extend((piece.len() as u32).to_le_bytes());
    Ok(member)
}

fn squeeze(piece: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut compress = flate2::Compress::new(flate2::Compression::new(level), false);
    let mut data = Vec::with_capacity(piece.len() + piece.len() / 1000 + 64);
    loop {
        let start = compress.total_in() as usize;
        let status = compress.compress_vec(&piece[start..], &mut data, FlushCompress::Finish)?;
        if status == Status::StreamEnd {
            return Ok(data);
        }
        data.reserve(64 << 10);
    }
}

/// Deflate's stored blocks (RFC 1951, section 3.2.4).
fn stored(piece: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(piece.len() + piece.len() / 8000 + 16);
    let count = piece.len().div_ceil(STORED_BLOCK).max(1);
    let mut blocks = piece.chunks(STORED_BLOCK);
    for index in 0..count {
        let block = blocks.next().unwrap_or_default();
        let length = block.len() as u16;
        data.push(u8::from(index + 1 == count));
        data.extend(length.to_le_bytes());
        data.extend((!length).to_le_bytes());
        data.extend_from_slice(block);
    }
    data
}

/// Empty members that bring `length` up to a multiple of `block`.
pub(super) fn fill(length: u64, block: u64) -> Vec<u8> {
    const LEAST: usize = FRONT + EMPTY.len();
    const MOST: usize = LEAST + 60_000;
    let mut missing = (length.next_multiple_of(block) - length) as usize;
    if missing == 0 {
        return Vec::new();
    }
    while missing < LEAST {
        missing += block as usize;
    }
    let mut members = Vec::with_capacity(missing);
    while missing > 0 {
        // What is left must hold a member again.
        let length = if missing <= MOST { missing } else { MOST.min(missing - LEAST) };
        let zeros = length - LEAST;
        members.extend(HEADER);
        members.extend((zeros as u16 + 4).to_le_bytes());
        members.extend(FILL);
        members.extend((zeros as u16).to_le_bytes());
        members.resize(members.len() + zeros, 0);
        members.extend(EMPTY);
        missing -= length;
    }
    members
}

/// Whether the first member is one of this program's; `None` while that cannot be told.
pub(crate) fn has_check(bytes: &[u8]) -> Option<bool> {
    (bytes.len() >= FRONT).then(|| bytes[..10] == HEADER && bytes[12..14] == CHECK)
}

/// Where the first member of this program's may begin: bytes before that begin none.
pub(super) fn find(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == HEADER[0]) {
        at += next;
        if HEADER.starts_with(&bytes[at..bytes.len().min(at + HEADER.len())]) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// By the first bytes of a member of this program's: how long it is, and whether it holds anything.
pub(super) fn lengths(bytes: &[u8]) -> Option<(u64, bool)> {
    if bytes.len() < FRONT + 8 || bytes[..10] != HEADER {
        return None;
    }
    let front = 12 + u64::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    if bytes[12..14] == FILL {
        return Some((front + EMPTY.len() as u64, false));
    }
    let data = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
    (bytes[12..14] == CHECK).then_some((front + u64::from(data) + 8, true))
}

/// What stands at the start of `bytes`.
pub(super) enum Parsed {
    /// More bytes are needed.
    More,
    /// A piece, in this many bytes; filling is an empty one.
    Piece(Vec<u8>, usize),
}

/// Reads one member of this program's.
pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Parsed, String> {
    if bytes.len() < FRONT + 8 {
        return Ok(Parsed::More);
    }
    if bytes[..10] != HEADER {
        return Err("there is no gzip member of this program here".to_owned());
    }
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let long =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let front = 12 + short(10);
    if bytes[12..14] == FILL {
        let length = front + EMPTY.len();
        if bytes.len() < length {
            return Ok(Parsed::More);
        }
        let whole = short(10) == short(14) + 4
            && bytes[FRONT..front].iter().all(|byte| *byte == 0)
            && bytes[front..length] == EMPTY;
        return if whole {
            Ok(Parsed::Piece(Vec::new(), length))
        } else {
            Err("the filling is damaged".to_owned())
        };
    }
    if bytes[12..14] != CHECK || short(10) != 12 || short(14) != 8 {
        return Err("a member's header is damaged".to_owned());
    }
    let length = front + long(16) as usize + 8;
    if length > limit {
        return Err("a member is too long".to_owned());
    }
    if bytes.len() < length {
        return Ok(Parsed::More);
    }
    let data = &bytes[front..length - 8];
    let mut crc = Crc::new();
    crc.update(data);
    if crc.sum() != long(20) {
        return Err("the checksum of the compressed data is wrong".to_owned());
    }
    let piece = expand(data, long(length - 4) as usize, limit)?;
    let mut crc = Crc::new();
    crc.update(&piece);
    if crc.sum() != long(length - 8) {
        return Err("the checksum of the data is wrong".to_owned());
    }
    Ok(Parsed::Piece(piece, length))
}

fn expand(data: &[u8], size: usize, limit: usize) -> Result<Vec<u8>, String> {
    if size > limit {
        return Err("a member's content is too long".to_owned());
    }
    let mut piece = Vec::with_capacity(size + 1);
    let mut decompress = Decompress::new(false);
    let status = decompress.decompress_vec(data, &mut piece, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd)
            if piece.len() == size && decompress.total_in() == data.len() as u64 =>
        {
            Ok(piece)
        }
        Ok(_) => Err("a member's length is wrong".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
