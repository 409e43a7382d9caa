//! Where a frame ends and how much is in it, by its headers alone.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::gzip;

/// What the headers of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes in the file.
    pub(super) length: u64,
    /// Bytes of content; 0 of what is skipped.
    pub(super) size: u64,
}

/// The frame at `at`; `None` at the end of the file (RFC 8878, section 3.1).
pub(super) fn zstd_frame(file: &File, at: u64) -> io::Result<Option<Header>> {
    /// Magic number, descriptor, window, dictionary, content size: the longest header.
    const LONGEST: usize = 4 + 1 + 1 + 4 + 8;
    let bytes = read(file, at, LONGEST)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let number = |from: usize, length: usize| -> io::Result<u64> {
        let field = bytes.get(from..from + length).ok_or_else(short)?;
        Ok(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let magic = number(0, 4)?;
    if magic & 0xffff_fff0 == 0x184d_2a50 {
        return Ok(Some(Header { length: 8 + number(4, 4)?, size: 0 }));
    }
    if magic != 0xfd2f_b528 {
        let text = format!("there is no zstd frame at byte {at}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let descriptor = number(4, 1)?;
    let single = descriptor >> 5 & 1;
    let dictionary = [0, 1, 2, 4][(descriptor & 3) as usize];
    let field = match descriptor >> 6 {
        0 => single as usize,
        power => 1 << power,
    };
    let before = 5 + usize::from(single == 0) + dictionary;
    // Only who knew the size in advance says it; others write one frame, whatever its length.
    let size = if field == 0 { return Err(in_one_piece()) } else { number(before, field)? };
    let size = if field == 2 { size + 256 } else { size };
    let checksum = if descriptor >> 2 & 1 == 1 { 4 } else { 0 };
    let blocks = zstd_blocks(file, at + (before + field) as u64)?;
    Ok(Some(Header { length: blocks + checksum - at, size }))
}

/// Where the blocks end that begin at `at`.
fn zstd_blocks(file: &File, mut at: u64) -> io::Result<u64> {
    loop {
        let bytes = read(file, at, 3)?;
        let [a, b, c] = bytes[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = if header >> 1 & 3 == 1 { 1 } else { header >> 3 };
        at += 3 + u64::from(size);
        if header & 1 == 1 {
            return Ok(at);
        }
    }
}

/// The member at `at`, which must be one of this program's; `None` at the end of the file.
pub(super) fn gzip_member(file: &File, at: u64) -> io::Result<Option<Header>> {
    let bytes = read(file, at, gzip::FRONT + 8)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let (length, content) = gzip::lengths(&bytes).ok_or_else(in_one_piece)?;
    if !content {
        return Ok(Some(Header { length, size: 0 }));
    }
    let end = read(file, at + length - 4, 4)?;
    let [a, b, c, d] = end[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    Ok(Some(Header { length, size: u64::from(u32::from_le_bytes([a, b, c, d])) }))
}

/// The bytes at `at`: fewer than asked for only at the end of the file.
fn read(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// What is said of content in which there are no frames to be found.
pub(super) fn in_one_piece() -> io::Error {
    let text = "it is compressed as one piece, in which nothing can be found by its offset: \
                decompress it, or deserialize it into oci:DIR";
    io::Error::new(io::ErrorKind::Unsupported, text)
}
