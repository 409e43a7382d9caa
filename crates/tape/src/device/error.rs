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
    #[error("{place} is full: {}{written} bytes are on it{}", of(*needed), safe(*synced, *written))]
    Full {
        /// The device or file.
        place: String,
        /// Bytes written.
        written: u64,
        /// Of these, bytes known to be safe.
        synced: u64,
        /// Of how many, when that is known.
        needed: Option<u64>,
        /// Whether what is there can be gone on with.
        kept: bool,
        /// Whether a further medium can take the rest.
        removable: bool,
    },
    /// The file system, or a limit of the process, has no room for a file as large.
    #[error("{place} cannot be larger: {}{written} bytes are in it{}", of(*needed), safe(*synced, *written))]
    TooLarge {
        /// The file.
        place: String,
        /// Bytes written.
        written: u64,
        /// Of these, bytes known to be safe.
        synced: u64,
        /// Of how many, when that is known.
        needed: Option<u64>,
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

fn of(needed: Option<u64>) -> String {
    needed.map(|needed| format!("of the {needed} bytes of the whole, ")).unwrap_or_default()
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
                let (kept, removable) = (written > 0 && device.keeps(), device.is_removable());
                DeviceError::Full { place, written, synced, needed: None, kept, removable }
            }
            io::ErrorKind::FileTooLarge => {
                DeviceError::TooLarge { place, written, synced, needed: None }
            }
            io::ErrorKind::BrokenPipe => DeviceError::Closed { place, written },
            _ => DeviceError::Write { place, written, source },
        }
    }

    /// Says of how many bytes there was no room for the rest.
    pub(crate) fn needing(mut self, bytes: u64) -> Self {
        if let DeviceError::Full { needed, .. } | DeviceError::TooLarge { needed, .. } = &mut self {
            *needed = Some(bytes);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::PipeDevice;

    #[test]
    fn no_room_is_told_with_what_there_is_and_what_was_needed() {
        let device = PipeDevice::stdout();
        let told = |kind: io::ErrorKind| {
            DeviceError::write(&device, 1024, 512, kind.into()).needing(9999).to_string()
        };
        assert_eq!(
            told(io::ErrorKind::StorageFull),
            "standard output is full: of the 9999 bytes of the whole, 1024 bytes are on it, 512 of them known to be safe"
        );
        assert_eq!(
            told(io::ErrorKind::FileTooLarge),
            "standard output cannot be larger: of the 9999 bytes of the whole, 1024 bytes are in it, 512 of them known to be safe"
        );
        let full = DeviceError::write(&device, 1024, 0, io::ErrorKind::StorageFull.into());
        assert!(matches!(full, DeviceError::Full { kept: false, .. }), "{full:?}");
    }
}
