//! A tape drive behind Linux's `st` driver: one write a block, a filemark at the end.

mod reader;
mod standing;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::mtio::{Operation, Status, perform, position, seek, status};
use super::read::ReadDevice;
use super::{Device, DeviceError, OpenOptions};
use crate::units::Size;

pub use reader::TapeReader;
pub(super) use standing::Standing;

/// Bytes of a block on a tape when nothing else is asked for.
pub const TAPE_BLOCK: u64 = 1 << 20;
/// The largest block that a drive can have.
const LARGEST_BLOCK: usize = 16 << 20;

/// A tape being written.
pub struct TapeDevice {
    tape: File,
    path: PathBuf,
    block: u64,
    /// Bytes of the archive before the block at which this run began.
    start: u64,
    /// The file of the tape that holds the archive.
    file: Option<u32>,
    /// The drive's number, from the tape's start, of the archive's first block, where that is the
    /// one at which this run began. More to be relied on than the file's: at the end of the data
    /// that is a guess with some drives.
    origin: Option<u64>,
    /// The drive's number, from the tape's start, of the block at which this run began.
    first: Option<u64>,
    /// Bytes since this run began, or since it went back.
    written: u64,
}

impl TapeDevice {
    /// Opens a drive for writing, at the place where its tape stands.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self, DeviceError> {
        let failed = |source| refusal(path, source);
        let mut tape = File::options().read(true).write(true).open(path).map_err(failed)?;
        let state = status(&tape).map_err(failed)?;
        let block = options.block;
        check(path, &state, block)?;
        if !options.force && !options.resume && holds_data(&mut tape, block).map_err(failed)? {
            return Err(DeviceError::Settings(format!(
                "the tape in {} holds data at {}; go to its end with `mt -f {} eod` to append, or say --force to overwrite",
                path.display(),
                describe(&state),
                path.display(),
            )));
        }
        let (path, file) = (path.to_owned(), state.file());
        let first = position(&tape).ok();
        let origin = first.filter(|_| !options.resume);
        Ok(TapeDevice { tape, path, block, start: 0, file, origin, first, written: 0 })
    }

    /// Blocks of the drive's since this run began. The driver's own count would not do: it begins
    /// anew with every sync.
    fn passed(&self) -> Option<u64> {
        position(&self.tape).ok()?.checked_sub(self.first?)
    }
}

impl Device for TapeDevice {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        // One write is one block: a short one would be a shorter block.
        let length = self.tape.write(block).map_err(|error| {
            let refused = matches!(
                Errno::from_io_error(&error),
                Some(Errno::INVAL | Errno::OVERFLOW | Errno::TOOBIG | Errno::NOMEM)
            );
            if self.written > 0 || !refused {
                return error;
            }
            let text = format!(
                "the drive refuses blocks of {} bytes ({error}); give a smaller --block-size",
                block.len()
            );
            io::Error::new(error.kind(), text)
        })?;
        if length < block.len() {
            return Err(Errno::NOSPC.into());
        }
        self.written += length as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        perform(&self.tape, Operation::WriteMarks, 0)
    }

    fn finish(&mut self) -> io::Result<()> {
        // Writing a filemark waits for the medium and reports what failed, so closing has nothing
        // left to say.
        perform(&self.tape, Operation::WriteMarks, 1)
    }

    fn abandon(&mut self, _written: u64) {
        // Nothing was overwritten yet: what is on the tape stays.
        if self.written == 0 {
            return;
        }
        // So that what is there can be read to an end. At the end of the tape there is room for a
        // filemark; without one the end of the data serves.
        let _ = perform(&self.tape, Operation::WriteMarks, 1);
    }

    fn read_back(&mut self) -> io::Result<Option<Box<dyn ReadDevice>>> {
        locate(&self.tape, self.file, 0)?;
        let tape = self.tape.try_clone()?;
        Ok(Some(Box::new(TapeReader::over(tape, &self.path, Some(self.block))?)))
    }

    fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        // Until it writes again it changes nothing, wherever the tape comes to stand.
        self.written = 0;
        let state = status(&self.tape)?;
        let drives = if state.block_size() == 0 { self.block } else { state.block_size() };
        let sought = self.origin.map(|origin| seek(&self.tape, origin + offset / drives));
        if !matches!(sought, Some(Ok(()))) {
            locate(&self.tape, self.file, offset / drives)?;
        }
        (self.start, self.first) = (offset, position(&self.tape).ok());
        Ok(())
    }

    fn grain(&self) -> u64 {
        self.block
    }

    fn safe(&mut self) -> Option<u64> {
        if self.sync().is_ok() {
            return Some(self.start + self.written);
        }
        let state = status(&self.tape).ok()?;
        let drives = if state.block_size() == 0 { self.block } else { state.block_size() };
        let bytes = (self.passed()? * drives).min(self.written);
        Some(self.start + bytes)
    }

    fn sync_interval(&self) -> Duration {
        // A drive stops for it, so it is rare.
        Duration::from_secs(60)
    }

    fn is_removable(&self) -> bool {
        true
    }
}

fn check(path: &Path, state: &Status, block: u64) -> Result<(), DeviceError> {
    let place = path.display();
    let refuse = |text| Err(DeviceError::Settings(text));
    if !state.is_online() {
        return refuse(format!("there is no tape in {place}, or the drive is not ready"));
    }
    if state.is_protected() {
        return refuse(format!(
            "the tape in {place} is write-protected: set its tab, or take another tape"
        ));
    }
    if block > LARGEST_BLOCK as u64 {
        let block = Size(block);
        return refuse(format!("blocks of {block} are too large for a tape; at most 16 MiB"));
    }
    match state.block_size() {
        0 => Ok(()),
        fixed if block.is_multiple_of(fixed) => Ok(()),
        fixed => refuse(format!(
            "{place} is set to blocks of {}, of which {} is no multiple; give another --block-size, or set the drive to variable blocks with `mt -f {place} setblk 0`",
            Size(fixed),
            Size(block)
        )),
    }
}

fn refusal(path: &Path, source: io::Error) -> DeviceError {
    let place = path.display();
    let text = match Errno::from_io_error(&source) {
        Some(Errno::BUSY) => format!("{place} is in use by another program"),
        Some(Errno::NOMEDIUM) => format!("there is no tape in {place}"),
        Some(Errno::ROFS) => {
            format!("the tape in {place} is write-protected: set its tab, or take another tape")
        }
        Some(Errno::ACCESS) => {
            format!("you may not write {place}, or the tape in it is write-protected")
        }
        Some(Errno::NXIO | Errno::NODEV | Errno::NOENT) => {
            format!("{place} is no device of this system")
        }
        _ => return DeviceError::Open { place: place.to_string(), source },
    };
    DeviceError::Settings(text)
}

/// Whether something can be read where the tape stands; leaves it standing there.
fn holds_data(tape: &mut File, block: u64) -> io::Result<bool> {
    let mut buffer = vec![0; usize::try_from(block).unwrap_or(LARGEST_BLOCK)];
    let before = status(&*tape)?;
    if before.is_at_end_of_data() {
        return Ok(false);
    }
    // A read of nothing is a filemark, behind which there may be data, or the end of the data.
    for _ in 0..2 {
        let held = match tape.read(&mut buffer) {
            // At the end of the data some drives say that they have read something; the driver's
            // count of blocks knows better.
            Ok(length) => {
                let now = status(&*tape)?;
                length > 0 && !now.is_at_end_of_data() && now.block() > before.block()
            }
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOMEM) => true,
                // Nothing was ever recorded here.
                Some(Errno::IO) => return Ok(false),
                _ => return Err(error),
            },
        };
        if held {
            locate(tape, before.file(), before.block().unwrap_or(0))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Goes to a block of a file of the tape.
fn locate(tape: &File, file: Option<u32>, block: u64) -> io::Result<()> {
    let unknown = || io::Error::other("the drive does not know at which file its tape stands");
    let file = file.ok_or_else(unknown)?;
    perform(tape, Operation::Rewind, 1)?;
    let count = |number| i32::try_from(number).map_err(io::Error::other);
    if file > 0 {
        perform(tape, Operation::ForwardFiles, count(u64::from(file))?)?;
    }
    if block > 0 {
        perform(tape, Operation::ForwardBlocks, count(block)?)?;
    }
    Ok(())
}

fn describe(state: &Status) -> String {
    match (state.file(), state.block()) {
        (Some(file), Some(block)) => format!("block {block} of file {file}"),
        _ => "its position".to_owned(),
    }
}

/// Whether a character device is a tape: whether it answers as one.
pub(super) fn is_tape(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    /// Major number of Linux's SCSI tapes.
    const SCSI_TAPE: u32 = 9;
    Ok(rustix::fs::major(std::fs::metadata(path)?.rdev()) == SCSI_TAPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: i64 = 0x0100_0000;
    const PROTECTED: i64 = 0x0400_0000;

    #[test]
    fn what_a_drive_says_is_checked_before_anything_is_written() {
        let path = Path::new("/dev/nst0");
        let said = |general, settings, block| {
            let checked = check(path, &Status::of(general, settings), block);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(said(ONLINE, 0, TAPE_BLOCK), Ok(()));
        assert_eq!(said(ONLINE, 4096, 65_536), Ok(()));
        for (general, settings, block, words) in [
            (0, 0, TAPE_BLOCK, "there is no tape in /dev/nst0"),
            (ONLINE | PROTECTED, 0, TAPE_BLOCK, "write-protected"),
            (ONLINE, 4096, 10_240, "4 KiB, of which 10 KiB is no multiple"),
            (ONLINE, 0, 32 << 20, "too large for a tape"),
        ] {
            let error = said(general, settings, block).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_drive_that_cannot_be_opened_says_why() {
        let path = Path::new("/dev/nst0");
        for (errno, words) in [
            (Errno::BUSY, "in use by another program"),
            (Errno::NOMEDIUM, "there is no tape in"),
            (Errno::ROFS, "write-protected"),
            (Errno::NXIO, "no device of this system"),
        ] {
            let error = refusal(path, errno.into()).to_string();
            assert!(error.contains(words), "{errno}: {error}");
        }
    }
}
