//! What an archive is read from: a file, a pipe, a tape; read ahead by a thread of its own,
//! decompressed when its content says that it is compressed.

mod chart;
mod compression;
mod decode;
mod disc;
mod entries;
mod in_place;
mod pieces;
mod read_ahead;
mod ready;
mod stream;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::device::{Destination, PlainReader, ReadDevice, TapeReader};
pub(crate) use chart::Chart;
pub(crate) use disc::DiscReader;
pub use entries::ReadError;
pub(crate) use entries::{AT_ONCE, EntryReader, Fault, Passing};
pub(crate) use in_place::CHUNK;
pub(crate) use read_ahead::Reading;
pub use ready::ready;

/// Where an archive is read from.
pub enum Medium {
    /// A file, FIFO or device that reads like one.
    File(PathBuf),
    /// A disc, on which whatever was there before stands behind the archive: it is read to the
    /// archive's end mark.
    Disc(PathBuf),
    /// Standard input.
    Stdin,
    /// A tape drive, from where its tape stands to the next filemark.
    Tape {
        /// The drive.
        path: PathBuf,
        /// Bytes of a block, when they are known.
        block: Option<u64>,
    },
    /// Any other device.
    Device(Box<dyn ReadDevice>),
}

impl Medium {
    /// The medium that a path means; `-` is standard input.
    pub fn at(path: &Path) -> Self {
        if path == Path::new("-") {
            return Medium::Stdin;
        }
        let path = path.to_owned();
        match Destination::at(&path) {
            Ok(Destination::Tape(path)) => Medium::Tape { path, block: None },
            Ok(Destination::Block(path)) => Medium::Disc(path),
            _ => Medium::File(path),
        }
    }

    /// Where this is, for messages.
    pub fn place(&self) -> String {
        match self {
            Medium::File(path) | Medium::Disc(path) | Medium::Tape { path, .. } => {
                path.display().to_string()
            }
            Medium::Stdin => "standard input".to_owned(),
            Medium::Device(device) => device.place(),
        }
    }

    /// Whether something else may stand behind the archive.
    fn outlasts(&self) -> bool {
        matches!(self, Medium::Disc(_))
    }

    /// Whether this is a regular file, as far as can be told.
    pub(crate) fn is_file(&self) -> bool {
        let Medium::File(path) = self else { return false };
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file())
    }

    fn open(self) -> io::Result<Box<dyn ReadDevice>> {
        let place = self.place();
        Ok(match self {
            Medium::File(path) | Medium::Disc(path) => {
                match DiscReader::open(&path, place.clone())? {
                    Some(reader) => Box::new(reader),
                    None => Box::new(PlainReader::new(File::open(&path)?, place)),
                }
            }
            Medium::Stdin => Box::new(PlainReader::new(io::stdin(), place)),
            Medium::Tape { path, block } => Box::new(TapeReader::open(&path, block)?),
            Medium::Device(device) => device,
        })
    }
}

/// Why opening ended without saying why.
fn lost() -> io::Error {
    io::Error::other("the thread that opens it ended unexpectedly")
}
