//! Files that are relied on again, and files that get a name in a further layout.

use std::path::Path;
use std::time::Duration;

use super::names::Made;
use crate::store::StoreError;

/// How young a file counts as if it had just been written: less than any age by which garbage is
/// collected beside writers, so that presence checks need not write each time.
const FRESH: Duration = Duration::from_secs(600);

/// Has a file count as if it had just been written. Whether it is there.
pub(super) fn claim(path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else { return false };
    let age = meta.modified().ok().and_then(|modified| modified.elapsed().ok());
    if meta.is_file() && age.is_some_and(|age| age > FRESH) {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
        let renewed =
            rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty());
        // Not ours, or to be read only: then nobody collects here either.
        return renewed != Err(rustix::io::Errno::NOENT);
    }
    meta.is_file()
}

/// Gives the file at `old` a further name, where the file system can.
pub(super) fn link(old: &Path, new: &Path) -> Result<Made, StoreError> {
    use std::io::ErrorKind as Io;
    if !claim(old) {
        return Ok(Made::Not);
    }
    match std::fs::hard_link(old, new) {
        Ok(()) => Ok(Made::New),
        Err(error) => match error.kind() {
            Io::AlreadyExists if claim(new) => Ok(Made::Known),
            Io::AlreadyExists
            | Io::NotFound
            | Io::TooManyLinks
            | Io::CrossesDevices
            | Io::Unsupported
            | Io::PermissionDenied => Ok(Made::Not),
            _ => Err(StoreError::io("linking", new, error)),
        },
    }
}
