//! A file or a disc: what can be read at any place, and so behind a place that cannot be read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::io::Errno;

use crate::device::ReadDevice;

/// Discs lose this many bytes at once.
const SECTOR: u64 = 4096;

/// A file or block device.
pub(crate) struct DiscReader {
    disc: File,
    place: String,
    at: u64,
    end: u64,
}

impl DiscReader {
    /// Opens what `path` names; `None` when that is read once, in order.
    pub(crate) fn open(path: &Path, place: String) -> io::Result<Option<Self>> {
        let kind = std::fs::metadata(path)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Ok(None);
        }
        let mut disc = File::open(path)?;
        let end = disc.seek(SeekFrom::End(0))?;
        disc.rewind()?;
        Ok(Some(DiscReader { disc, place, at: 0, end }))
    }
}

impl ReadDevice for DiscReader {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.disc.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let text = format!("byte {} of the medium: {error}", self.at);
                    // The kind alone does not tell a bad place from a disc that is gone.
                    let bad = Errno::from_io_error(&error) == Some(Errno::IO);
                    self.end = if bad { self.end } else { 0 };
                    return Err(io::Error::new(error.kind(), text));
                }
                Ok(read) => {
                    self.at += read as u64;
                    return Ok(read);
                }
            }
        }
    }

    fn skip(&mut self) -> Option<Option<u64>> {
        let next = (self.at / SECTOR + 1) * SECTOR;
        if next >= self.end {
            return None;
        }
        self.disc.seek(SeekFrom::Start(next)).ok()?;
        let gone = next - self.at;
        self.at = next;
        Some(Some(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_passed_sector_by_sector() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 10_000]).unwrap();
        let mut reader = DiscReader::open(file.path(), String::new()).unwrap().unwrap();
        let mut buffer = [0; 100];
        assert_eq!(reader.read(&mut buffer).unwrap(), 100);
        assert_eq!(reader.skip(), Some(Some(3996)));
        assert_eq!(reader.skip(), Some(Some(4096)));
        assert_eq!(reader.read(&mut [0; 4096]).unwrap(), 10_000 - 8192);
        assert_eq!(reader.skip(), None, "there is nothing behind the end");
        assert!(DiscReader::open(Path::new("/dev/null"), String::new()).unwrap().is_none());
    }
}
