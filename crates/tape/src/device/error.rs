//! Why a device cannot be opened or written, and what to do then.

use std::io;
use std::path::{Path, PathBuf};

use super::Device;

/// Why a device cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It would be overwritten.
    #[error("{} exists already; remove it, choose another name, or say --force", .0.display())]
    Exists(PathBuf),
    /// What an interrupted run left would be overwritten.
    #[error(
        "{} is what an interrupted run left; say --resume to go on from there, or --force to begin anew",
        .0.display()
    )]
    Partial(PathBuf),
    /// There is no directory for it.
    #[error(
        "{} cannot be written: there is no directory {}; make it, or choose another place",
        .0.display(), directory(.0).display()
    )]
    NoDirectory(PathBuf),
    /// It is a directory.
    #[error("{} is a directory: name a file in it, such as {}", .0.display(), .0.join("archive.tar").display())]
    Directory(PathBuf),
    /// It cannot be opened.
    #[error("{place} cannot be opened")]
    Open {
        /// The device or file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A write failed.
    #[error("writing {place} failed after {written} bytes")]
    Write {
        /// The device or file.
        place: String,
        /// Bytes on the medium.
        written: u64,
        /// Why.
        source: io::Error,
    },
    /// There is no room left.
    #[error("{place} is full: {written} bytes are on it{}", safe(*synced, *written))]
    Full {
        /// The device or file.
        place: String,
        /// Bytes written.
        written: u64,
        /// Of these, bytes known to be safe.
        synced: u64,
        /// Whether a further medium can take the rest.
        removable: bool,
    },
    /// Whoever read the pipe went away.
    #[error("{place} was closed by its reader after {written} bytes")]
    Closed {
        /// The pipe.
        place: String,
        /// Bytes written.
        written: u64,
    },
    /// The ledger cannot be written.
    #[error("the ledger {} cannot be written", path.display())]
    Ledger {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The settings contradict each other or the device.
    #[error("{0}")]
    Settings(String),
    /// The device's thread ended without saying why.
    #[error("the thread of {0} ended unexpectedly")]
    Lost(String),
}

/// The directory of a file.
pub(super) fn directory(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn safe(synced: u64, written: u64) -> String {
    if synced == written { String::new() } else { format!(", {synced} of them known to be safe") }
}

impl DeviceError {
    /// What a failed write means.
    pub(crate) fn write(device: &dyn Device, written: u64, synced: u64, source: io::Error) -> Self {
        let place = device.place();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                DeviceError::Full { place, written, synced, removable: device.is_removable() }
            }
            io::ErrorKind::BrokenPipe => DeviceError::Closed { place, written },
            _ => DeviceError::Write { place, written, source },
        }
    }
}
