//! Where a tape stands, to come back there.

use std::fs::File;
use std::io;

use super::super::mtio::{position, seek, status};
use super::locate;

/// A place on a tape, as its drive and the driver know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Standing {
    /// The drive's number of the block, from the tape's start.
    block: Option<u64>,
    /// The driver's count of files, and of blocks in the file.
    file: Option<(u32, u64)>,
}

impl Standing {
    /// Where `tape` stands; `None` when neither the drive nor the driver knows.
    pub(in super::super) fn of(tape: &File) -> Option<Self> {
        let block = position(tape).ok();
        let file = status(tape).ok().and_then(|state| Some((state.file()?, state.block()?)));
        (block.is_some() || file.is_some()).then_some(Standing { block, file })
    }

    /// Takes `tape` there. The drive's own number is more to be relied on: at the end of the data the
    /// driver's is a guess with some drives.
    pub(in super::super) fn go_back(&self, tape: &File) -> io::Result<()> {
        let sought = match self.block {
            Some(block) => seek(tape, block),
            None => Err(io::Error::other("the drive does not number its blocks")),
        };
        match (sought, self.file) {
            (Err(_), Some((file, block))) => locate(tape, Some(file), block),
            (sought, _) => sought,
        }
    }
}
