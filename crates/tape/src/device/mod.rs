//! What an archive is written to: one trait, and a kind of device behind each destination.
//!
//! A device is driven by one thread of its own ([`crate::buffer`]) and sees whole blocks only.

mod block;
mod direct;
mod error;
mod file;
mod mtio;
mod pipe;
mod read;
mod start;
mod tape;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use block::BlockDevice;
pub use error::DeviceError;
pub use file::FileDevice;
pub use pipe::PipeDevice;
pub(crate) use read::PlainReader;
pub use read::ReadDevice;
pub use start::Start;
pub use tape::{TAPE_BLOCK, TapeDevice, TapeReader};

use crate::archive::{BLOCK, DEFAULT_RECORD};
use crate::defaults::{DEFAULT_MEMORY, FILE_MEMORY};
use crate::units::Size;

/// Something that takes an archive, block by block, in order.
pub trait Device: Send {
    /// Where this is, for messages.
    fn place(&self) -> String;

    /// Writes one block. Nothing of it counts as written after an error.
    fn write(&mut self, block: &[u8]) -> io::Result<()>;

    /// Returns when every block written so far is safe on the medium.
    fn sync(&mut self) -> io::Result<()>;

    /// Ends the archive: everything is safe, and found under its name.
    fn finish(&mut self) -> io::Result<()>;

    /// The run ended before the archive did; `written` bytes are on the medium. What is there
    /// stays there, for a resumed run to go on from.
    fn abandon(&mut self, written: u64) {
        let _ = written;
    }

    /// The run ends before it began: what opening made, if anything, goes.
    fn withdraw(&mut self) {}

    /// Reads what is there of the archive, from its start: for a run that goes on with it. `None`
    /// when there is nothing.
    fn read_back(&mut self) -> io::Result<Option<Box<dyn ReadDevice>>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "it cannot be read back"))
    }

    /// Goes on after the first `offset` bytes of the archive, a multiple of [`Device::grain`];
    /// what is behind is overwritten. Before the first write, to go on with what another run left,
    /// or later, to write something once more.
    fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        let text = format!("it cannot be gone on with at byte {offset}");
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// After a failed write: bytes of the archive that are on the medium all the same, when the
    /// device can tell. Otherwise a sync has to.
    fn safe(&mut self) -> Option<u64> {
        None
    }

    /// Whether what a run that ended early has written can be gone on with.
    fn keeps(&self) -> bool {
        true
    }

    /// The unit in which [`Device::resume_at`] counts.
    fn grain(&self) -> u64 {
        1
    }

    /// The longest time between two syncs while a ledger is kept.
    fn sync_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Whether the medium is a piece of several that one archive may go over (a tape, a disc),
    /// so that a full one is an end to go on from.
    fn is_removable(&self) -> bool {
        false
    }
}

/// Where an archive is written.
pub enum Destination {
    /// A regular file. It gets its name when it is whole, and is `NAME.partial` until then.
    File(PathBuf),
    /// A FIFO, a character device that is no tape: written as it comes.
    Pipe(PathBuf),
    /// Standard output.
    Stdout,
    /// A tape drive.
    Tape(PathBuf),
    /// A block device.
    Block(PathBuf),
    /// Any other device.
    Device(Box<dyn Device>),
}

/// How a destination is opened.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// Overwrite what is there.
    pub force: bool,
    /// Go on with what an interrupted run left, if there is anything.
    pub resume: bool,
    /// Bytes of a block.
    pub block: u64,
}

impl Destination {
    /// The destination that a path means: `-` is standard output, what exists is what it is, and
    /// what does not is a file to be made.
    pub fn at(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt;
        // Led into a file, `/dev/stdout` looks like one that may be replaced.
        const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
        if STDOUT.iter().any(|name| path == Path::new(name)) {
            return Ok(Destination::Stdout);
        }
        let kind = match std::fs::metadata(path) {
            Ok(meta) => meta.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Nobody means a file there: the drive is off, or its name is mistyped.
                if path.starts_with("/dev") && !path.starts_with("/dev/shm") {
                    return Err(error);
                }
                return Ok(Destination::File(path.to_owned()));
            }
            Err(error) => return Err(error),
        };
        if kind.is_char_device() && tape::is_tape(path)? {
            Ok(Destination::Tape(path.to_owned()))
        } else if kind.is_block_device() {
            Ok(Destination::Block(path.to_owned()))
        } else if kind.is_fifo() || kind.is_char_device() || kind.is_socket() {
            Ok(Destination::Pipe(path.to_owned()))
        } else {
            Ok(Destination::File(path.to_owned()))
        }
    }

    /// Bytes of a block when nothing else is asked for.
    pub fn default_block(&self) -> u64 {
        if matches!(self, Destination::Tape(_)) { TAPE_BLOCK } else { DEFAULT_RECORD }
    }

    /// Percentage of the buffer to be filled before the device starts, when nothing else is asked
    /// for: a tape drive must not run dry at once.
    pub fn default_high_water(&self) -> u8 {
        if matches!(self, Destination::Tape(_)) { 80 } else { 0 }
    }

    /// Bytes of the buffer, of the `memory` that was asked for. A plain file takes what comes, as fast as
    /// the disk can: where the disk is slower than the line, a buffer of any size is full, so of what
    /// nobody asked for it takes less.
    pub(crate) fn buffer(&self, memory: u64) -> u64 {
        let file = matches!(self, Destination::File(_)) && memory == DEFAULT_MEMORY;
        if file { FILE_MEMORY } else { memory }
    }

    /// The bytes that are written at once for a block of `block` bytes: on a tape that is a block,
    /// elsewhere as many blocks as make a worthwhile write.
    pub(crate) fn piece(&self, block: u64) -> u64 {
        const WORTHWHILE: u64 = 1 << 20;
        match self {
            Destination::Tape(_) | Destination::Device(_) => block,
            _ => {
                let count = (WORTHWHILE / block.max(1)).max(1);
                // Whole pages, which a block of any size makes eight times.
                let count = if count > 8 { count - count % 8 } else { count };
                block * count
            }
        }
    }

    /// What can be said against writing here before anything is opened, read or made: for a run that
    /// has much to do before it opens the device. Opening says all of it again, and more.
    pub fn check(&self, force: bool, resume: bool) -> Result<(), DeviceError> {
        match self {
            Destination::File(path) => FileDevice::check(path, force, resume),
            _ => Ok(()),
        }
    }

    /// Opens the device. Nothing is overwritten without `force`.
    pub fn open(self, options: OpenOptions) -> Result<Box<dyn Device>, DeviceError> {
        if options.block == 0 || !options.block.is_multiple_of(BLOCK) {
            let near = options.block.checked_next_multiple_of(BLOCK).unwrap_or(0).max(BLOCK);
            return Err(DeviceError::Settings(format!(
                "a block of {} is no multiple of {BLOCK} bytes, tar's own unit; {near} is",
                Size(options.block)
            )));
        }
        Ok(match self {
            Destination::Tape(path) => Box::new(TapeDevice::open(&path, options)?),
            Destination::Block(path) => Box::new(BlockDevice::open(&path, options)?),
            Destination::File(path) => Box::new(FileDevice::open(&path, options)?),
            Destination::Pipe(path) => Box::new(PipeDevice::open(&path)?),
            Destination::Stdout => Box::new(PipeDevice::stdout()),
            Destination::Device(device) => device,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_takes_less_of_the_buffer_that_nobody_asked_for() {
        let file = Destination::File("a.tar".into());
        let tape = Destination::Tape("/dev/nst0".into());
        assert_eq!(
            (file.buffer(DEFAULT_MEMORY), tape.buffer(DEFAULT_MEMORY)),
            (48 << 20, 64 << 20)
        );
        for asked in [1 << 20, 100 << 20] {
            assert_eq!((file.buffer(asked), tape.buffer(asked)), (asked, asked));
        }
    }
}
