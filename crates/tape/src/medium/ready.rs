//! Looking at media before anything is done for them: that they are there, and that the first one
//! begins as an archive does.

use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;

use super::compression::Compression;
use super::{Medium, ReadError, lost};
use crate::apart::apart;
use crate::archive::{BLOCK, Parser, Step};
use crate::device::ReadDevice;

/// Bytes that a first block may have.
const FIRST: usize = 1 << 20;

/// Media that can be read, as far as that shows before they are: all are there, and the first one
/// gives what an archive begins with, unless `damaged` ones will do. What was read of a stream for
/// that is given again when the medium is.
pub async fn ready(media: Vec<Medium>, damaged: bool) -> Result<Vec<Medium>, ReadError> {
    for medium in &media {
        medium.present()?;
    }
    let mut media = media.into_iter();
    let Some(first) = media.next() else { return Ok(Vec::new()) };
    let place = first.place();
    let looked = apart(move || first.look()).await.unwrap_or_else(|| Err(lost()));
    let (first, head) =
        looked.map_err(|source| ReadError::Open { place: place.clone(), source })?;
    if let Some(head) = head {
        judge(&head, damaged).map_err(|source| ReadError::Archive { place, source })?;
    }
    Ok(std::iter::once(first).chain(media).collect())
}

impl Medium {
    /// Fails when what is named is not there, or is a directory. Opens nothing.
    pub(crate) fn present(&self) -> Result<(), ReadError> {
        let (Medium::File(path) | Medium::Disc(path) | Medium::Tape { path, .. }) = self else {
            return Ok(());
        };
        let there = std::fs::metadata(path).and_then(|meta| {
            if meta.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
        });
        there.map_err(|source| ReadError::Open { place: self.place(), source })
    }

    /// The medium with its first bytes still before it, and these bytes, if they can be read. Blocks.
    fn look(self) -> io::Result<(Medium, Option<Vec<u8>>)> {
        if let Medium::File(path) | Medium::Disc(path) = &self
            && is_seekable(path)?
        {
            let mut head = Vec::new();
            let read = std::fs::File::open(path)?.take(BLOCK).read_to_end(&mut head);
            return Ok((self, read.ok().map(|_| head)));
        }
        let mut device = self.open()?;
        let mut head = vec![0; FIRST];
        let (mut filled, mut failed) = (0, None);
        while filled < BLOCK as usize && failed.is_none() {
            match device.read(&mut head[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => failed = Some(error),
            }
        }
        head.truncate(filled);
        let given = head[..filled.min(BLOCK as usize)].to_vec();
        let given = failed.is_none().then_some(given);
        Ok((Medium::Device(Box::new(Looked { head: head.into(), failed, device })), given))
    }
}

fn is_seekable(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;
    let kind = std::fs::metadata(path)?.file_type();
    Ok(kind.is_file() || kind.is_block_device())
}

/// Whether an archive may begin like this.
fn judge(head: &[u8], damaged: bool) -> Result<(), crate::archive::ArchiveError> {
    if Compression::detect(head).is_some() || (damaged && !head.is_empty()) {
        return Ok(());
    }
    let mut parser = Parser::new();
    parser.push(Bytes::copy_from_slice(head));
    match parser.step()? {
        Step::Starved if head.len() < BLOCK as usize => parser.finish(),
        _ => Ok(()),
    }
}

/// A device of which the first bytes were read already.
struct Looked {
    head: Bytes,
    /// What the read behind them said.
    failed: Option<io::Error>,
    device: Box<dyn ReadDevice>,
}

impl ReadDevice for Looked {
    fn place(&self) -> String {
        self.device.place()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.failed.take().map_or_else(|| self.device.read(buffer), Err);
        }
        let part = self.head.split_to(buffer.len().min(self.head.len()));
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }

    fn skip(&mut self) -> Option<Option<u64>> {
        self.device.skip()
    }

    fn streams(&self) -> bool {
        self.device.streams()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_is_given_again() {
        let whole = crate::archive::encode_header("oci-layout", 0, crate::archive::Kind::File);
        let mut bytes = whole.clone();
        bytes.extend([7; 700]);
        let reader = crate::device::PlainReader::new(io::Cursor::new(bytes.clone()), "x".into());
        let mut media = ready(vec![Medium::Device(Box::new(reader))], false).await.unwrap();
        let mut device = media.remove(0).open().unwrap();
        let mut again = Vec::new();
        let mut part = [0; 100];
        while let read @ 1.. = device.read(&mut part).unwrap() {
            again.extend_from_slice(&part[..read]);
        }
        assert_eq!(again, bytes);
    }

    #[tokio::test]
    async fn what_is_no_archive_is_told_before_it_is_read() {
        let of = |bytes: &'static [u8], damaged| async move {
            let reader = crate::device::PlainReader::new(bytes, "x".into());
            let looked = ready(vec![Medium::Device(Box::new(reader))], damaged).await;
            looked.err().map(|error| airlift_oci::store::chain(&error))
        };
        let text = of(b"", true).await.unwrap();
        assert!(text.contains("ends too early, at byte 0"), "{text}");
        let text = of(b"hello", false).await.unwrap();
        assert!(text.contains("at byte 5, within the header at the start"), "{text}");
        let text = of(&[b'x'; 600], false).await.unwrap();
        assert!(text.contains("no tar header is found here"), "{text}");
        assert_eq!(of(&[b'x'; 600], true).await, None);
        assert_eq!(of(b"\x1f\x8b", false).await, None);
        let gone = ready(vec![Medium::Stdin, Medium::File("/none".into())], false).await;
        assert!(gone.err().unwrap().to_string().starts_with("/none cannot be opened"));
    }
}
