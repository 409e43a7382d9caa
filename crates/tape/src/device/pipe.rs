//! Pipes, standard output, and character devices that are no tapes: written as they come.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Device, DeviceError};

/// Something that bytes are written to once, in order.
pub struct PipeDevice {
    to: Box<dyn Write + Send>,
    place: String,
}

impl PipeDevice {
    /// Opens a FIFO or character device; of a FIFO, waits for its reader.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let place = path.display().to_string();
        match File::options().write(true).open(path) {
            Ok(file) => Ok(PipeDevice { to: Box::new(file), place }),
            Err(source) => Err(DeviceError::Open { place, source }),
        }
    }

    /// Standard output.
    pub fn stdout() -> Self {
        PipeDevice { to: Box::new(io::stdout()), place: "standard output".to_owned() }
    }
}

impl Device for PipeDevice {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.to.write_all(block)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn keeps(&self) -> bool {
        false
    }
}
