//! A block device (a removable disc): written from its start.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::read::{PlainReader, ReadDevice};
use super::{Device, DeviceError, OpenOptions};

/// A block device being written.
#[derive(Debug)]
pub struct BlockDevice {
    disc: File,
    path: PathBuf,
}

impl BlockDevice {
    /// Opens a device that nothing else uses (it must not be mounted).
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self, DeviceError> {
        let place = path.display().to_string();
        let failed = |source: io::Error| match Errno::from_io_error(&source) {
            Some(Errno::BUSY) => DeviceError::Settings(format!("{place} is in use or mounted")),
            _ => DeviceError::Open { place: place.clone(), source },
        };
        let mut opening = File::options();
        opening.read(true).write(true).custom_flags(OFlags::EXCL.bits().cast_signed());
        let mut disc = opening.open(path).map_err(failed)?;
        if !options.resume && !options.force {
            let mut first = [0; 4096];
            disc.read_exact(&mut first).map_err(failed)?;
            if first.iter().any(|byte| *byte != 0) {
                return Err(DeviceError::Settings(format!(
                    "{place} holds data; say --force to overwrite it"
                )));
            }
        }
        disc.rewind().map_err(failed)?;
        Ok(BlockDevice { disc, path: path.to_owned() })
    }
}

impl Device for BlockDevice {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.disc.write_all(block)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disc.sync_data()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.disc.sync_all()
    }

    fn read_back(&mut self) -> io::Result<Option<Box<dyn ReadDevice>>> {
        Ok(Some(Box::new(PlainReader::new(File::open(&self.path)?, self.place()))))
    }

    fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        self.disc.seek(SeekFrom::Start(offset)).map(drop)
    }

    fn is_removable(&self) -> bool {
        true
    }
}
