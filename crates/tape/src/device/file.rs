//! A regular file, which gets its name when it is whole.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Device, DeviceError, OpenOptions};

/// A file being written as `NAME.partial`, next to where it will be.
///
/// An interrupted run leaves the partial file: another run resumes it or, with force, begins anew.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    name: PathBuf,
    partial: PathBuf,
}

impl FileDevice {
    /// Opens `name` for writing.
    pub fn open(name: &Path, options: OpenOptions) -> Result<Self, DeviceError> {
        let partial = FileDevice::partial(name);
        if !options.force && name.exists() {
            return Err(DeviceError::Exists(name.to_owned()));
        }
        if options.resume_at.is_none() && !options.force && partial.exists() {
            return Err(DeviceError::Partial(partial));
        }
        let file = open(&partial, options.resume_at)
            .map_err(|source| DeviceError::Open { place: partial.display().to_string(), source })?;
        Ok(FileDevice { file, name: name.to_owned(), partial })
    }

    /// What `name` is called until it is whole.
    pub fn partial(name: &Path) -> PathBuf {
        let mut text = name.as_os_str().to_owned();
        text.push(".partial");
        PathBuf::from(text)
    }
}

fn open(partial: &Path, resume_at: Option<u64>) -> io::Result<File> {
    let mut options = File::options();
    let Some(offset) = resume_at else {
        return options.write(true).create(true).truncate(true).open(partial);
    };
    let mut file = options.write(true).open(partial)?;
    if file.metadata()?.len() < offset {
        return Err(io::Error::other(format!("it is shorter than {offset} bytes")));
    }
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

impl Device for FileDevice {
    fn place(&self) -> String {
        self.name.display().to_string()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.file.write_all(block)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.name)?;
        let parent = self.name.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn abandon(&mut self, written: u64) {
        if written == 0 {
            // Nothing to resume from; that it cannot be removed changes nothing for the run.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
