//! What an archive is written to: one trait, and a kind of device behind each destination.
//!
//! A device is driven by one thread of its own ([`crate::buffer`]) and sees whole blocks only.

mod error;
mod file;
mod pipe;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::DeviceError;
pub use file::FileDevice;
pub use pipe::PipeDevice;

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
    /// Any other device.
    Device(Box<dyn Device>),
}

/// How a destination is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Overwrite what is there.
    pub force: bool,
    /// Go on after this many bytes that are there already.
    pub resume_at: Option<u64>,
}

impl Destination {
    /// The destination that a path means: `-` is standard output, what exists is what it is, and
    /// what does not is a file to be made.
    pub fn at(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt;
        if path == Path::new("-") {
            return Ok(Destination::Stdout);
        }
        let kind = match std::fs::metadata(path) {
            Ok(meta) => meta.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Destination::File(path.to_owned()));
            }
            Err(error) => return Err(error),
        };
        if kind.is_fifo() || kind.is_char_device() || kind.is_socket() {
            Ok(Destination::Pipe(path.to_owned()))
        } else {
            Ok(Destination::File(path.to_owned()))
        }
    }

    /// Opens the device. Nothing is overwritten without `force`.
    pub fn open(self, options: OpenOptions) -> Result<Box<dyn Device>, DeviceError> {
        Ok(match self {
            Destination::File(path) => Box::new(FileDevice::open(&path, options)?),
            Destination::Pipe(path) => Box::new(PipeDevice::open(&path)?),
            Destination::Stdout => Box::new(PipeDevice::stdout()),
            Destination::Device(device) => device,
        })
    }
}
