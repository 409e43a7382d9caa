//! Writing past the page cache: an archive is written once, in order, and read elsewhere. Its pages
//! would be copied once more, push out what others use, and all be waited for at the end.

use std::fs::File;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstatfs};

/// Offsets, lengths and addresses are multiples of this.
const UNIT: u64 = 4096;
/// File systems on local disks where this is known to be faster (ext2 to ext4, xfs). Others may
/// take it and be slower: over a network each write would be waited for.
const KNOWN: [u64; 2] = [0xEF53, 0x5846_5342];

/// Whether writes to a file pass the page cache by.
#[derive(Debug)]
pub(super) struct Direct(bool);

impl Direct {
    /// Asks for it where it is known to help.
    pub(super) fn ask(file: &File) -> Self {
        let known = fstatfs(file).is_ok_and(|found| KNOWN.contains(&(found.f_type as u64)));
        Direct(known && switch(file, true))
    }

    /// Before a write of `bytes` at `offset`: where they do not fit, this and all later ones go
    /// through the page cache.
    pub(super) fn suit(&mut self, file: &File, bytes: &[u8], offset: u64) {
        let fits = offset.is_multiple_of(UNIT)
            && (bytes.len() as u64).is_multiple_of(UNIT)
            && bytes.as_ptr().align_offset(UNIT as usize) == 0;
        if !fits {
            self.end(file);
        }
    }

    /// Goes on through the page cache. Whether it was otherwise before.
    pub(super) fn end(&mut self, file: &File) -> bool {
        let was = self.0;
        if was {
            switch(file, false);
            self.0 = false;
        }
        was
    }
}

/// Whether it could be switched.
fn switch(file: &File, on: bool) -> bool {
    let Ok(mut flags) = fcntl_getfl(file) else { return false };
    flags.set(OFlags::DIRECT, on);
    fcntl_setfl(file, flags).is_ok()
}
