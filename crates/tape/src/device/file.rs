//! A regular file, which gets its name when it is whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, flock};

use super::direct::Direct;
use super::error::directory;
use super::read::{PlainReader, ReadDevice};
use super::{Device, DeviceError, OpenOptions};

/// A file being written as `NAME.partial`, next to where it will be.
///
/// An interrupted run leaves the partial file: another run resumes it or, with force, begins anew.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    name: PathBuf,
    partial: PathBuf,
    /// Where the next byte goes.
    at: u64,
    direct: Direct,
}

impl FileDevice {
    /// Opens `name` for writing.
    pub fn open(name: &Path, options: OpenOptions) -> Result<Self, DeviceError> {
        FileDevice::check(name, options.force, options.resume)?;
        if !options.force && name.exists() {
            return Err(DeviceError::Exists(name.to_owned()));
        }
        let partial = FileDevice::partial(name);
        let failed = |source| DeviceError::Open { place: partial.display().to_string(), source };
        let mut opening = File::options();
        let opening = opening.read(true).write(true).create(true).truncate(false);
        let file = opening.open(&partial).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let text = format!("{} is being written by another run", partial.display());
            return Err(DeviceError::Settings(text));
        }
        if !options.resume {
            file.set_len(0).map_err(failed)?;
        }
        let direct = Direct::ask(&file);
        Ok(FileDevice { file, name: name.to_owned(), partial, at: 0, direct })
    }

    /// What can be said against writing `name` without touching anything. To a run that goes on,
    /// a file that is there may be its archive, whole already.
    pub(super) fn check(name: &Path, force: bool, resume: bool) -> Result<(), DeviceError> {
        let partial = FileDevice::partial(name);
        if name.is_dir() || name.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(DeviceError::Directory(name.to_owned()));
        }
        if !force && !resume && name.exists() {
            return Err(DeviceError::Exists(name.to_owned()));
        }
        // One without a byte is what a run left that was killed before its first.
        let left = std::fs::metadata(&partial).is_ok_and(|meta| meta.len() > 0);
        if !resume && !force && left {
            return Err(DeviceError::Partial(partial));
        }
        let parent = directory(name);
        if !parent.is_dir() {
            return Err(DeviceError::NoDirectory(name.to_owned()));
        }
        let room = rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK);
        room.map_err(|error| DeviceError::Open {
            place: name.display().to_string(),
            source: error.into(),
        })
    }

    /// What `name` is called until it is whole.
    pub fn partial(name: &Path) -> PathBuf {
        let mut text = name.as_os_str().to_owned();
        text.push(".partial");
        PathBuf::from(text)
    }
}

impl Device for FileDevice {
    fn place(&self) -> String {
        self.name.display().to_string()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.direct.suit(&self.file, block, self.at);
        let mut written = self.file.write_all_at(block, self.at);
        // A disk whose own blocks are larger says so only now.
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::InvalidInput;
        if written.as_ref().is_err_and(refused) && self.direct.end(&self.file) {
            written = self.file.write_all_at(block, self.at);
        }
        written?;
        self.at += block.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn finish(&mut self) -> io::Result<()> {
        // What an earlier run, or an earlier try, left behind the end.
        if self.file.metadata()?.len() > self.at {
            self.file.set_len(self.at)?;
        }
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.name)?;
        File::open(directory(&self.name))?.sync_all()
    }

    fn read_back(&mut self) -> io::Result<Option<Box<dyn ReadDevice>>> {
        let file = File::open(&self.partial)?;
        let held = file.metadata()?.len() > 0;
        Ok(held.then(|| Box::new(PlainReader::new(file, self.place())) as Box<dyn ReadDevice>))
    }

    fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length < offset {
            return Err(io::Error::other(format!("it has {length} bytes, not {offset}")));
        }
        // Nothing is cut off: until it is overwritten, a ledger may speak of what is there.
        self.at = offset;
        Ok(())
    }

    fn withdraw(&mut self) {
        if self.file.metadata().is_ok_and(|meta| meta.len() == 0) {
            self.abandon(0);
        }
    }

    fn abandon(&mut self, written: u64) {
        if written == 0 {
            // Nothing to resume from; that it cannot be removed changes nothing for the run.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: OpenOptions = OpenOptions { force: false, resume: true, block: 512 };

    /// `length` bytes that begin at a multiple of 4096 in memory, or `off` bytes behind one.
    fn aligned(memory: &mut Vec<u8>, length: usize, off: usize) -> &[u8] {
        memory.clear();
        memory.extend((0..length + 2 * 4096).map(|at| (at % 251) as u8));
        let start = memory.as_ptr().align_offset(4096) + off;
        &memory[start..start + length]
    }

    #[test]
    fn only_a_partial_file_with_bytes_is_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("a.tar");
        std::fs::write(FileDevice::partial(&name), "").unwrap();
        FileDevice::check(&name, false, false).unwrap();
        std::fs::write(FileDevice::partial(&name), "bytes").unwrap();
        let refused = FileDevice::check(&name, false, false);
        assert!(matches!(refused, Err(DeviceError::Partial(_))), "{refused:?}");
    }

    #[test]
    fn bytes_are_the_same_however_they_are_aligned() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("a.tar");
        let (mut memory, mut expected) = (Vec::new(), Vec::new());
        // Whole pages; then a run that goes on in the middle of one; a short block at the end.
        for (resume_at, blocks) in [
            (0, &[(8192, 0), (4096, 0), (4096, 1)][..]),
            (12_288, &[(4096, 0), (8192, 0)]),
            (20_000, &[(4096, 0), (10_240, 512), (512, 0)]),
        ] {
            let mut device = FileDevice::open(&name, OPTIONS).unwrap();
            device.resume_at(resume_at).unwrap();
            expected.truncate(resume_at as usize);
            for (length, off) in blocks {
                let bytes = aligned(&mut memory, *length, *off);
                device.write(bytes).unwrap();
                expected.extend_from_slice(bytes);
            }
            device.sync().unwrap();
            assert!(std::fs::read(FileDevice::partial(&name)).unwrap() == expected);
        }
        let mut device = FileDevice::open(&name, OPTIONS).unwrap();
        device.resume_at(expected.len() as u64).unwrap();
        device.finish().unwrap();
        assert!(std::fs::read(&name).unwrap() == expected);
    }
}
