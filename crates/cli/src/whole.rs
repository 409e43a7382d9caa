//! Files written whole: reports, listings, lists of what failed.
//!
//! That they can be written shows before the run, and each has its old content or its new.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::output;

/// A file that will be written at the end: that it can be shows before the run, not after it.
pub(crate) fn writable(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if is_stdout(&path) {
        return Ok(path);
    }
    let meta = std::fs::metadata(&path);
    if meta.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
        return Err("it is a directory".to_owned());
    }
    if meta.is_ok_and(|meta| !meta.is_file()) || is_open_file(&path) {
        return Ok(path);
    }
    let target = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    match tempfile::tempfile_in(directory_of(&target)) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no directory {}", directory_of(&target).display()))
        }
        // The path that the error names is not the one that was given.
        Err(error) => Err(format!("no file can be made there: {}", error.kind())),
    }
}

/// Writes a file that has either its old content or its new, never a part; `-` is standard output.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if is_stdout(path) {
        return output::bytes(content);
    }
    write(path, content).with_context(|| format!("writing {} failed", path.display()))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    // Replacing the name would change what it means for every program: behind it is what somebody
    // else opened, and may have written to.
    if is_open_file(path) {
        return std::fs::OpenOptions::new().append(true).open(path)?.write_all(content);
    }
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let target = match std::fs::canonicalize(path) {
        Ok(target) if is_link => target,
        _ => path.to_owned(),
    };
    // A device or a pipe cannot be replaced, only written to; nor can the end of a broken link.
    let replaced = match std::fs::metadata(&target) {
        Ok(meta) => meta.is_file(),
        Err(_) => !is_link,
    };
    if !replaced {
        return std::fs::write(&target, content);
    }
    // Who may read the file before may read it after; a new one is like any other of the process.
    let before = std::fs::metadata(&target).map(|meta| meta.permissions());
    let mut file = tempfile::Builder::new()
        .prefix(".airlift-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory_of(&target))
        .map_err(no_room)?;
    file.write_all(content).map_err(no_room)?;
    if let Ok(before) = before {
        file.as_file().set_permissions(before)?;
    }
    file.as_file().sync_all().map_err(no_room)?;
    file.persist(&target)?;
    Ok(())
}

/// An error without the path that it names, which is not the one that was given, where it says that
/// there is no room.
fn no_room(error: io::Error) -> io::Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        kind @ (StorageFull | QuotaExceeded | FileTooLarge) => kind.into(),
        _ => error,
    }
}

/// Whether a path means standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether a path is the system's name for a file that is open already, as `/dev/stdout`.
fn is_open_file(path: &Path) -> bool {
    let is_system = path.starts_with("/dev") || path.starts_with("/proc");
    is_system && !path.starts_with("/dev/shm") && path.exists()
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{writable, write_whole};

    #[test]
    fn files_are_replaced_as_a_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("r.json");
        write_whole(&path, b"old").expect("writes");
        write_whole(&path, b"new").expect("writes");
        assert_eq!(std::fs::read(&path).expect("reads"), b"new");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 1);
    }

    #[test]
    fn whoever_could_read_a_file_still_can() {
        let directory = tempfile::tempdir().expect("a directory");
        let mode = |name: &str| {
            let path = directory.path().join(name);
            std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
        };
        std::fs::write(directory.path().join("plain"), b"").expect("writes");
        write_whole(&directory.path().join("new"), b"new").expect("writes");
        assert_eq!(mode("new"), mode("plain"));
        let own = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(directory.path().join("new"), own).expect("sets them");
        write_whole(&directory.path().join("new"), b"newer").expect("writes");
        assert_eq!(mode("new"), 0o640);
    }

    #[test]
    fn a_link_stays_a_link() {
        let directory = tempfile::tempdir().expect("a directory");
        let (link, target) = (directory.path().join("link"), directory.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).expect("links");
        for text in ["first", "second"] {
            assert!(writable(link.to_str().expect("text")).is_ok());
            write_whole(&link, text.as_bytes()).expect("writes");
            assert_eq!(std::fs::read_to_string(&target).expect("reads"), text);
            assert!(link.is_symlink());
        }
    }
}
