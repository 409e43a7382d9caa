//! Files and names that are there after a loss of power.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// How files begin that are to be renamed.
pub(super) const TEMPORARY: &str = ".new-";

/// What tells one version of a file from another: each is a file of its own, renamed into place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &std::fs::File) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        let changed = (meta.mtime(), meta.mtime_nsec());
        Ok(Stamp { inode: meta.ino(), size: meta.len(), changed })
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::File::open(directory)?.sync_data()
}

/// The error without the name of a temporary file, which nobody has heard of.
pub(super) fn plain(error: std::io::Error) -> std::io::Error {
    use std::io::ErrorKind as Io;
    match error.kind() {
        kind @ (Io::StorageFull | Io::QuotaExceeded | Io::PermissionDenied | Io::NotFound) => {
            kind.into()
        }
        // Of others the kind alone does not say what happened.
        _ => error,
    }
}

/// Puts a file in the place of whatever is at `path`, in the directory `root`; which file it is.
pub(super) fn replace(root: &Path, path: &Path, text: &[u8]) -> std::io::Result<Stamp> {
    let file = temporary(root, text)?.persist(path).map_err(|error| error.error)?;
    sync_directory(root)?;
    Stamp::of(&file)
}

/// Who may read a file of a layout: whoever may read the directory, as far as the process's umask
/// lets them. A temporary file is private to its owner otherwise.
pub(super) fn readable() -> std::fs::Permissions {
    std::fs::Permissions::from_mode(0o644)
}

/// A file that is whole and synced, but has no name to stay under yet.
pub(super) fn temporary(root: &Path, text: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let named = builder.prefix(TEMPORARY).permissions(readable());
    let mut file = named.tempfile_in(root).map_err(plain)?;
    // Not by the name, which an error would say.
    file.as_file_mut().write_all(text)?;
    file.as_file().sync_data()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temporary_name_goes_and_what_happened_stays() {
        let kind = std::io::ErrorKind::StorageFull;
        let told = plain(std::io::Error::new(kind, "full at /x/.tmp1"));
        assert!(told.kind() == kind && !told.to_string().contains(".tmp1"), "{told}");
        // Too many open files: its kind has no words.
        let told = plain(std::io::Error::from_raw_os_error(24));
        assert_eq!(told.raw_os_error(), Some(24));
    }
}
