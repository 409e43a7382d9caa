//! Going on behind damage: at a place that is known, or at the next header that can be found.

use bytes::Bytes;
use tar::{EntryType, Header};

use super::super::header::BLOCK;
use super::{Parser, State, Step, checksum_holds};

impl Parser {
    /// Goes on with a header at `offset`, which must not be behind what was read.
    pub(crate) fn go_on_at(&mut self, offset: u64) {
        self.forget();
        self.state = State::Skip { left: offset.saturating_sub(self.offset), body: None };
    }

    /// Takes it that the entry `name` of `size` bytes has its content at `data`, whatever its
    /// header is.
    pub(crate) fn assume(&mut self, name: &str, size: u64, data: u64) {
        self.forget();
        name.clone_into(&mut self.last);
        self.state = State::Skip { left: data.saturating_sub(self.offset), body: Some(size) };
    }

    /// Goes on with the next block that is plainly the header of an entry of an image layout.
    pub(crate) fn seek(&mut self) {
        self.forget();
        self.state = State::Seek;
    }

    /// Counts from now on as though the entry given last had begun at `expected`, not at `found`.
    pub(crate) fn realign(&mut self, found: u64, expected: u64) {
        self.offset = self.offset.wrapping_add(expected.wrapping_sub(found));
    }

    fn forget(&mut self) {
        self.block.clear();
        self.raw.clear();
        self.long_name = None;
        self.long_size = None;
    }

    /// Gives a block back, to be read again.
    pub(super) fn unread(&mut self, block: &[u8]) {
        self.offset -= block.len() as u64;
        self.block.clear();
        let mut again = block.to_vec();
        again.extend_from_slice(&self.input);
        self.input = Bytes::from(again);
    }

    pub(super) fn skip(&mut self) -> Option<Step> {
        let State::Skip { left, body } = self.state else { return None };
        let part = self.take(left).len() as u64;
        self.state = match body {
            _ if part < left => State::Skip { left: left - part, body },
            Some(size) => State::Body { left: size, size },
            None => State::Header,
        };
        None
    }

    pub(super) fn seek_header(&mut self) -> Option<Step> {
        let block = self.whole_block()?;
        if is_likely(&block) {
            self.unread(&block);
            self.state = State::Header;
        }
        None
    }
}

/// Whether a block is the header of something that an image layout has. Content that is a tar has
/// headers, too; few of them are of an image layout, and what follows one is checked like the rest.
fn is_likely(block: &[u8; BLOCK as usize]) -> bool {
    if block[257..262] != *b"ustar" {
        return false;
    }
    let header = Header::from_byte_slice(block);
    if !checksum_holds(header) {
        return false;
    }
    let path = header.path_bytes();
    let path = path.strip_prefix(b"./").unwrap_or(&path);
    match header.entry_type() {
        EntryType::XHeader => path.starts_with(b"PaxHeaders"),
        EntryType::Regular => {
            path.starts_with(b"blobs/sha")
                || [&b"index.json"[..], b"oci-layout", b"manifest.json"].contains(&path)
        }
        _ => false,
    }
}
