//! The Linux tape driver's ioctls (`st`, `<linux/mtio.h>`).
//!
//! The one place of the project with `unsafe` code: rustix asks for it wherever the kernel is
//! handed a structure of the caller's. Each use says why it holds.
#![allow(unsafe_code)]

use std::ffi::c_long;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

/// What a drive can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Operation {
    /// Forward over filemarks.
    ForwardFiles = 1,
    /// Forward over blocks.
    ForwardBlocks = 3,
    /// Back over blocks.
    BackBlocks = 4,
    /// Write filemarks; none: only write out what the drive holds in its buffer.
    WriteMarks = 5,
    /// Back to the start of the tape.
    Rewind = 6,
    /// To the block of a number that [`position`] told.
    Seek = 22,
}

/// `struct mtop`.
#[repr(C)]
struct Command {
    operation: i16,
    count: i32,
}

/// `struct mtget`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Status {
    kind: c_long,
    residual: c_long,
    settings: c_long,
    general: c_long,
    errors: c_long,
    file: i32,
    block: i32,
}

/// `struct mtpos`.
#[repr(C)]
struct Position {
    block: c_long,
}

const DO: Opcode = opcode::write::<Command>(b'm', 1);
const GET: Opcode = opcode::read::<Status>(b'm', 2);
const POSITION: Opcode = opcode::read::<Position>(b'm', 3);

/// Has the drive do something.
pub(super) fn perform(tape: impl AsFd, operation: Operation, count: i32) -> io::Result<()> {
    let command = Command { operation: operation as i16, count };
    // SAFETY: MTIOCTOP reads one `struct mtop`, of which `Command` has fields and layout.
    let request = unsafe { Setter::<DO, Command>::new(command) };
    // SAFETY: the request is of the form the driver expects; another kind of file refuses it.
    unsafe { ioctl(tape, request) }.map_err(io::Error::from)
}

/// Asks the drive where it stands.
pub(super) fn status(tape: impl AsFd) -> io::Result<Status> {
    // SAFETY: MTIOCGET fills one `struct mtget`, of which `Status` has fields and layout; every
    // bit pattern is a value of it.
    let request = unsafe { Getter::<GET, Status>::new() };
    // SAFETY: as above; another kind of file refuses it.
    unsafe { ioctl(tape, request) }.map_err(io::Error::from)
}

/// Asks the drive for the number of the block at which its tape stands, from the tape's start.
pub(super) fn position(tape: impl AsFd) -> io::Result<u64> {
    // SAFETY: MTIOCPOS fills one `struct mtpos`, of which `Position` has fields and layout; every
    // bit pattern is a value of it.
    let request = unsafe { Getter::<POSITION, Position>::new() };
    // SAFETY: as above; another kind of file refuses it.
    let position = unsafe { ioctl(tape, request) }?;
    u64::try_from(position.block).map_err(io::Error::other)
}

/// Goes to the block of a number that [`position`] told. Afterwards the driver may not know in which
/// file of the tape that is.
pub(super) fn seek(tape: impl AsFd, block: u64) -> io::Result<()> {
    let number = i32::try_from(block).map_err(io::Error::other)?;
    perform(&tape, Operation::Seek, number)?;
    match position(&tape)? {
        found if found == block => Ok(()),
        found => Err(io::Error::other(format!("the tape stands at block {found}, not {block}"))),
    }
}

impl Status {
    /// What a drive could say.
    #[cfg(test)]
    pub(super) fn of(general: c_long, settings: c_long) -> Self {
        let (kind, residual, errors, file, block) = (0, 0, 0, 0, 0);
        Status { kind, residual, settings, general, errors, file, block }
    }

    /// Bytes of a block in fixed block mode; 0 in variable block mode.
    pub(super) fn block_size(&self) -> u64 {
        (self.settings & 0x00ff_ffff) as u64
    }

    /// Number of the file on the tape, from 0, when the drive knows.
    pub(super) fn file(&self) -> Option<u32> {
        u32::try_from(self.file).ok()
    }

    /// Number of the block in the file, from 0, when the drive knows.
    pub(super) fn block(&self) -> Option<u64> {
        u64::try_from(self.block).ok()
    }

    /// Whether the tape may not be written.
    pub(super) fn is_protected(&self) -> bool {
        self.general & 0x0400_0000 != 0
    }

    /// Whether a tape is in the drive and ready.
    pub(super) fn is_online(&self) -> bool {
        self.general & 0x0100_0000 != 0
    }

    /// Whether the tape stands behind everything that was ever recorded on it.
    pub(super) fn is_at_end_of_data(&self) -> bool {
        self.general & 0x0800_0000 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_the_kernels() {
        let sizes = (size_of::<Command>(), size_of::<Status>(), size_of::<Position>());
        assert_eq!(sizes, (8, 48, 8));
        assert_eq!((DO, GET, POSITION), (0x4008_6d01, 0x8030_6d02, 0x8008_6d03));
    }

    #[test]
    fn a_file_is_no_tape() {
        let file = tempfile::tempfile().unwrap();
        assert!(status(&file).is_err());
        assert!(perform(&file, Operation::Rewind, 1).is_err());
    }
}
