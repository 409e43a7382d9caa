//! Reading a tape: whatever its blocks are, from where it stands to the next filemark.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::super::mtio::{Operation, perform, position, status};
use super::{LARGEST_BLOCK, TAPE_BLOCK};
use crate::device::ReadDevice;

/// A tape being read, from where it stands to the next filemark.
pub struct TapeReader {
    tape: File,
    path: PathBuf,
    block: Vec<u8>,
    ready: std::ops::Range<usize>,
    blocks: u64,
    /// Bytes of a block in fixed block mode; 0 in variable block mode.
    fixed: u64,
    /// The drive's number of the block at which reading began.
    first: Option<u64>,
    /// Blocks of the drive's that were read or gone over.
    passed: u64,
    /// Bytes of the block read last.
    last: Option<u64>,
}

impl TapeReader {
    /// Opens a drive for reading. The size of the tape's blocks is found when it is not given.
    pub fn open(path: &Path, block: Option<u64>) -> io::Result<Self> {
        TapeReader::over(File::open(path)?, path, block)
    }

    pub(super) fn over(tape: File, path: &Path, block: Option<u64>) -> io::Result<Self> {
        let state = status(&tape)?;
        let size = block.unwrap_or(TAPE_BLOCK).next_multiple_of(state.block_size().max(1));
        let size = usize::try_from(size).unwrap_or(LARGEST_BLOCK).min(LARGEST_BLOCK);
        let first = position(&tape).ok();
        Ok(TapeReader {
            tape,
            path: path.to_owned(),
            block: vec![0; size],
            ready: 0..0,
            blocks: 0,
            fixed: state.block_size(),
            first,
            passed: 0,
            last: None,
        })
    }

    /// Reads one block; 0 bytes at a filemark or the end of the data.
    fn next_block(&mut self) -> io::Result<usize> {
        loop {
            match self.tape.read(&mut self.block) {
                Ok(length) => {
                    if length > 0 && self.is_past_the_data() {
                        return Ok(0);
                    }
                    if length > 0 {
                        self.blocks += 1;
                        self.passed += (length as u64).checked_div(self.fixed).unwrap_or(1);
                        self.last = Some(length as u64);
                    }
                    return Ok(length);
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::INTR) => {}
                    // The block is larger than the buffer, and the tape has gone over it.
                    Some(Errno::NOMEM) if self.block.len() < LARGEST_BLOCK => {
                        perform(&self.tape, Operation::BackBlocks, 1)?;
                        let larger = (self.block.len() * 2).min(LARGEST_BLOCK);
                        self.block.resize(larger, 0);
                    }
                    Some(Errno::IO)
                        if status(&self.tape).is_ok_and(|state| state.is_at_end_of_data()) =>
                    {
                        return Ok(0);
                    }
                    _ => {
                        let text = format!("block {} of the tape: {error}", self.blocks);
                        let text = if self.blocks == 0 && self.fixed > 0 {
                            let (fixed, place) = (self.fixed, self.path.display());
                            format!(
                                "{text}; the drive is set to blocks of {fixed} bytes, `mt -f {place} setblk 0` has it take any"
                            )
                        } else {
                            text
                        };
                        return Err(io::Error::new(error.kind(), text));
                    }
                },
            }
        }
    }
}

impl TapeReader {
    /// Whether what was read last is nothing: behind the last filemark some drives say that they
    /// have read a block. In fixed block mode they report an error instead, and asking would cost
    /// the driver what it has read ahead.
    fn is_past_the_data(&self) -> bool {
        self.fixed == 0
            && status(&self.tape).is_ok_and(|state| {
                state.is_at_end_of_data() && state.block().is_none_or(|block| block == 0)
            })
    }
}

impl ReadDevice for TapeReader {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            self.ready = 0..self.next_block()?;
        }
        let length = self.ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.block[self.ready.start..][..length]);
        self.ready.start += length;
        Ok(length)
    }

    fn streams(&self) -> bool {
        true
    }

    fn skip(&mut self) -> Option<Option<u64>> {
        // Some drives stand behind a block that they could not read, some before it.
        let before = self.first? + self.passed;
        let mut now = position(&self.tape).ok()?;
        if now <= before {
            perform(&self.tape, Operation::ForwardBlocks, 1).ok()?;
            now = position(&self.tape).ok()?;
        }
        let gone = now.checked_sub(before).filter(|gone| *gone > 0)?;
        self.passed += gone;
        self.blocks += gone;
        let size = if self.fixed > 0 { Some(self.fixed) } else { self.last };
        Some(size.map(|size| size * gone))
    }
}
