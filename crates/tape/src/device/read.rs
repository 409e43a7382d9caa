//! What an archive is read from: one trait, and what reads like a file.

use std::io::{self, Read};

/// Something that gives an archive, in order.
pub trait ReadDevice: Send {
    /// Where this is, for messages.
    fn place(&self) -> String;

    /// Reads into `buffer` and says how many bytes; 0 at the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// After a read that failed: goes past what cannot be read, and says how many bytes of the
    /// archive that is, if it is known. `None`: this cannot be read on.
    fn skip(&mut self) -> Option<Option<u64>> {
        None
    }

    /// Whether stopping and starting again takes long, as with a tape: then it is not done for
    /// every bit of room in the buffer.
    fn streams(&self) -> bool {
        false
    }
}

/// What reads like a file.
pub(crate) struct PlainReader<R> {
    from: R,
    place: String,
}

impl<R: Read + Send> PlainReader<R> {
    pub(crate) fn new(from: R, place: String) -> Self {
        PlainReader { from, place }
    }
}

impl<R: Read + Send> ReadDevice for PlainReader<R> {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}
