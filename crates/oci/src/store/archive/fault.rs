//! Why a file cannot be read as an archive, in words of its own: what the tar reader says quotes
//! bytes of the file.

use std::io;
use std::sync::Arc;

use super::super::extent::Extent;

/// Bytes of a header, and the unit in which entries begin.
pub(super) const BLOCK: u64 = 512;

/// Why a file cannot be read as an archive.
#[derive(Debug)]
pub(super) enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// It is none, or a damaged one.
    Archive(String),
    /// It has so many bytes, too few for any.
    Stub(u64),
}

/// Where reading is.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Where the next header is due.
    pub(super) next: u64,
    /// The entry before it.
    pub(super) last: String,
}

impl Place {
    /// Behind an entry whose content of `size` bytes is at `start`.
    pub(super) fn behind(name: &str, start: u64, size: u64) -> Self {
        let next = start.saturating_add(size).next_multiple_of(BLOCK);
        Place { next, last: name.to_owned() }
    }

    /// What it means that there is no header to be read here.
    pub(super) fn fault(&self, extent: &Arc<dyn Extent>) -> Fault {
        let after = match self.last.as_str() {
            "" => "at the start".to_owned(),
            last => format!("behind the entry {last:?}"),
        };
        let held = match held(extent, self.next) {
            Ok(held) => held,
            Err(error) => return Fault::Io(error),
        };
        let at = self.next;
        let compressed = compression(&held).filter(|_| at == 0);
        Fault::Archive(match (held.len() as u64, compressed) {
            (length, None) if at == 0 && length < BLOCK => return Fault::Stub(length),
            (_, Some(name)) => format!(
                "it is compressed with {name}, so nothing in it can be found by its offset: \
                 decompress it, or deserialize it into oci:DIR"
            ),
            (length, None) if length < BLOCK => ends(at.saturating_add(length), &after),
            (_, None) => format!(
                "at byte {at}: no tar header is found here, {after}: the archive is damaged, \
                 or is no archive"
            ),
        })
    }
}

/// Says where an archive ends that should go on.
pub(super) fn ends(at: u64, within: &str) -> String {
    format!("the archive ends too early, at byte {at}, {within}")
}

/// The block at `offset`, as far as it is there.
fn held(extent: &Arc<dyn Extent>, offset: u64) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK as usize);
    while block.len() < BLOCK as usize {
        let missing = BLOCK as usize - block.len();
        let mut part = Vec::with_capacity(missing);
        extent.read_at(offset + block.len() as u64, &mut part)?;
        // A vector may have more room than was asked for.
        part.truncate(missing);
        if part.is_empty() {
            break;
        }
        block.append(&mut part);
    }
    Ok(block)
}

fn compression(first: &[u8]) -> Option<&'static str> {
    match first {
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some("zstd"),
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        _ => None,
    }
}
