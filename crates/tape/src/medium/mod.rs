//! What an archive is read from: a file, a pipe, a tape; read ahead by a thread of its own,
//! decompressed when its content says that it is compressed.

mod decode;
mod entries;
mod stream;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use entries::ReadError;
pub(crate) use entries::{EntryReader, Passing};

/// Something that gives an archive, in order.
pub trait ReadDevice: Send {
    /// Where this is, for messages.
    fn place(&self) -> String;

    /// Reads into `buffer` and says how many bytes; 0 at the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Where an archive is read from.
pub enum Medium {
    /// A file, FIFO or device that reads like one.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Any other device.
    Device(Box<dyn ReadDevice>),
}

impl Medium {
    /// The medium that a path means; `-` is standard input.
    pub fn at(path: &Path) -> Self {
        if path == Path::new("-") { Medium::Stdin } else { Medium::File(path.to_owned()) }
    }

    /// Where this is, for messages.
    pub fn place(&self) -> String {
        match self {
            Medium::File(path) => path.display().to_string(),
            Medium::Stdin => "standard input".to_owned(),
            Medium::Device(device) => device.place(),
        }
    }

    fn open(self) -> io::Result<Box<dyn ReadDevice>> {
        let place = self.place();
        Ok(match self {
            Medium::File(path) => Box::new(Plain { from: File::open(&path)?, place }),
            Medium::Stdin => Box::new(Plain { from: io::stdin(), place }),
            Medium::Device(device) => device,
        })
    }
}

struct Plain<R> {
    from: R,
    place: String,
}

impl<R: Read + Send> ReadDevice for Plain<R> {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}
