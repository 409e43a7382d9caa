//! A compressed archive read at any place: by its frames, found as far as they are needed.
//!
//! Headers alone tell where a frame ends and how much is in it, so finding the frames skips their
//! content. Whoever reads the front of an archive touches the front of the file only.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airlift_oci::store::Extent;
use flate2::{Decompress, FlushDecompress};

use super::headers::{Header, gzip_member, in_one_piece, zstd_frame};

/// The most that a frame may hold: more cannot be unpacked for a few bytes of it.
const MOST: u64 = 8 << 20;
/// Unpacked frames that are kept, for reads that follow one another.
const KEPT: usize = 16;

/// What a compressed file holds, as bytes at any place.
#[derive(Debug)]
pub struct Framed {
    file: File,
    form: Form,
    frames: Mutex<Frames>,
    kept: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Zstd,
    Gzip,
}

/// A frame that holds something.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// In the file, in bytes.
    at: u64,
    length: u64,
    /// In what is compressed, in bytes.
    start: u64,
    size: u64,
}

#[derive(Debug, Default)]
struct Frames {
    found: Vec<Frame>,
    /// Where the next header is.
    next: u64,
    ended: bool,
}

impl Framed {
    /// Opens a file. `None`: it is not compressed. One that is compressed, but not in frames, is
    /// an error of the kind [`io::ErrorKind::Unsupported`] that says what to do.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let mut start = Vec::with_capacity(4);
        file.read_at(0, &mut start)?;
        let form = match start.as_slice() {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Form::Zstd,
            [0x1f, 0x8b, ..] => Form::Gzip,
            _ => return Ok(None),
        };
        let framed = Framed { file, form, frames: Mutex::default(), kept: Mutex::default() };
        framed.extend(&mut framed.frames(), 0)?;
        Ok(Some(framed))
    }

    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame that holds the byte at `offset`.
    fn frame(&self, offset: u64) -> io::Result<Option<Frame>> {
        let mut frames = self.frames();
        self.extend(&mut frames, offset)?;
        let after = frames.found.partition_point(|frame| frame.start <= offset);
        let frame = after.checked_sub(1).and_then(|index| frames.found.get(index)).copied();
        Ok(frame.filter(|frame| offset < frame.start + frame.size))
    }

    /// Finds frames until one holds the byte at `offset`.
    fn extend(&self, frames: &mut Frames, offset: u64) -> io::Result<()> {
        let mut end = frames.found.last().map_or(0, |last| last.start + last.size);
        while end <= offset && !frames.ended {
            let at = frames.next;
            let header = match self.form {
                Form::Zstd => zstd_frame(&self.file, at)?,
                Form::Gzip => gzip_member(&self.file, at)?,
            };
            let Some(Header { length, size }) = header else {
                frames.ended = true;
                break;
            };
            if size > MOST {
                return Err(in_one_piece());
            }
            frames.next = at.saturating_add(length);
            if size > 0 {
                frames.found.push(Frame { at, length, start: end, size });
                end += size;
            }
        }
        Ok(())
    }

    fn unpacked(&self, frame: Frame) -> io::Result<Arc<Vec<u8>>> {
        let known = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().find(|(at, _)| *at == frame.at).map(|(_, piece)| piece.clone())
        };
        if let Some(piece) = known {
            return Ok(piece);
        }
        let length = usize::try_from(frame.length).map_err(io::Error::other)?;
        let mut packed = Vec::with_capacity(length);
        while packed.len() < length {
            if self.file.read_at(frame.at + packed.len() as u64, &mut packed)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        packed.truncate(length);
        let size = usize::try_from(frame.size).map_err(io::Error::other)?;
        let piece = match self.form {
            Form::Zstd => zstd::bulk::decompress(&packed, size)?,
            Form::Gzip => inflate(&packed, size)?,
        };
        if piece.len() != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame's length is wrong"));
        }
        let piece = Arc::new(piece);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((frame.at, piece.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(piece)
    }
}

impl Extent for Framed {
    fn read_at(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let (before, mut offset) = (buffer.len(), offset);
        while buffer.len() < buffer.capacity() {
            let Some(frame) = self.frame(offset)? else { break };
            let piece = self.unpacked(frame)?;
            let from = usize::try_from(offset - frame.start).map_err(io::Error::other)?;
            let part = (buffer.capacity() - buffer.len()).min(piece.len() - from);
            buffer.extend_from_slice(&piece[from..from + part]);
            offset += part as u64;
        }
        Ok(buffer.len() - before)
    }
}

/// The content of one gzip member of this program's.
fn inflate(member: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let extra = usize::from(u16::from_le_bytes([member[10], member[11]]));
    let mut piece = Vec::with_capacity(size + 1);
    let data = member.get(12 + extra..).unwrap_or_default();
    Decompress::new(false).decompress_vec(data, &mut piece, FlushDecompress::Finish)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::framing::{gzip, zstandard};

    /// Three frames of different treatment, filled up to a record.
    fn files() -> (Vec<u8>, Vec<tempfile::NamedTempFile>) {
        let pieces: [Vec<u8>; 3] =
            [vec![7; 300_000], (0..70_000_u64).map(|n| ((n * n) >> 7) as u8).collect(), vec![1]];
        let mut files = Vec::new();
        for form in [Form::Zstd, Form::Gzip] {
            let mut bytes = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                let squeeze = index != 1;
                bytes.extend(match form {
                    Form::Zstd => zstandard::frame(piece, squeeze.then_some(3)).unwrap(),
                    Form::Gzip => gzip::frame(piece, squeeze.then_some(6)).unwrap(),
                });
            }
            let length = bytes.len() as u64;
            bytes.extend(match form {
                Form::Zstd => zstandard::fill(length, 10_240),
                Form::Gzip => gzip::fill(length, 10_240),
            });
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes).unwrap();
            files.push(file);
        }
        (pieces.concat(), files)
    }

    #[test]
    fn every_stretch_is_what_was_compressed() {
        let (whole, files) = files();
        for file in files {
            // From the end first: frames are found on the way.
            for (start, length) in [(370_000, 9), (0, 9), (299_995, 70_010), (5, 400_000)] {
                let framed = Framed::open(file.path()).unwrap().unwrap();
                let mut buffer = Vec::with_capacity(length);
                let room = buffer.capacity();
                let read = framed.read_at(start as u64, &mut buffer).unwrap();
                let end = (start + room).min(whole.len());
                assert_eq!(read, end - start);
                assert!(buffer == whole[start..end], "{start} {length}");
                let mut beyond = Vec::with_capacity(1);
                assert_eq!(framed.read_at(whole.len() as u64, &mut beyond).unwrap(), 0);
            }
        }
    }

    #[test]
    fn what_has_no_frames_is_refused_before_it_is_served() {
        let write = |bytes: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            file
        };
        assert!(Framed::open(write(b"oci-layout").path()).unwrap().is_none());
        let whole = vec![1; 9 << 20];
        let one = write(&zstd::encode_all(&*whole, 1).unwrap());
        assert!(Framed::open(one.path()).unwrap_err().to_string().contains("one piece"));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&whole).unwrap();
        let one = write(&gzip.finish().unwrap());
        assert!(Framed::open(one.path()).unwrap_err().to_string().contains("one piece"));
        let cut = write(&zstandard::frame(&whole[..9000], Some(3)).unwrap()[..12]);
        let framed = Framed::open(cut.path()).unwrap().unwrap();
        assert!(framed.read_at(0, &mut Vec::with_capacity(9)).is_err());
    }
}
