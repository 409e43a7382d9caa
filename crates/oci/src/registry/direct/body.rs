//! The body of an answer, read from its connection, which is kept when the body has come whole.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::connection::Connection;
use super::head::{Head, Length};
use super::{Direct, Fault};

/// The most that the line before a chunk may have, or a line behind the last one.
const LINE: usize = 4 * 1024;
/// The most lines behind the last chunk.
const TRAILERS: usize = 100;

/// An answer of which the body is still to come.
#[derive(Debug)]
pub(in crate::registry) struct Reply {
    pub(in crate::registry) status: StatusCode,
    pub(in crate::registry) headers: HeaderMap,
    rest: Rest,
    lasting: bool,
    /// `None` when the body has come whole, or will not.
    connection: Option<Connection>,
    home: Arc<Direct>,
}

/// What is still to come.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// The line before a chunk.
    Size,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk, at most so many, up to an empty one.
    Trailers(usize),
    /// Whatever comes until the connection ends.
    All,
}

impl Reply {
    pub(super) fn new(head: Head, connection: Connection, home: &Arc<Direct>) -> Self {
        let Head { status, headers, length, lasting } = head;
        let rest = match length {
            Length::Known(length) => Rest::Bytes(length),
            Length::Chunked => Rest::Size,
            Length::ToTheEnd => Rest::All,
        };
        let (connection, home) = (Some(connection), home.clone());
        let mut reply = Reply { status, headers, rest, lasting, connection, home };
        if length == Length::Known(0) {
            reply.end();
        }
        reply
    }

    /// The next bytes; `None` at the end. Nothing is lost when the future is dropped.
    pub(in crate::registry) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.step() {
                Ok(Step::Bytes(bytes)) => return Ok(Some(bytes)),
                Ok(Step::End) => {
                    self.end();
                    return Ok(None);
                }
                Ok(Step::More) => {}
                Err(fault) => {
                    self.connection = None;
                    return Err(fault);
                }
            }
            let Some(connection) = &mut self.connection else { return Ok(None) };
            let fault = match connection.read().await {
                Ok(0) if matches!(self.rest, Rest::All) => None,
                Ok(0) => Some(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(_) => continue,
                Err(error) => Some(error),
            };
            self.connection = None;
            return fault.map_or(Ok(None), |error| Err(Fault::Broken(error.into())));
        }
    }

    /// Takes what can be taken of the bytes that came.
    fn step(&mut self) -> Result<Step, Fault> {
        let Some(connection) = &mut self.connection else { return Ok(Step::End) };
        let came = &mut connection.came;
        loop {
            self.rest = match self.rest {
                Rest::Bytes(0) => return Ok(Step::End),
                Rest::Chunk(0) => Rest::ChunkEnd,
                Rest::Bytes(_) | Rest::Chunk(_) | Rest::All if came.is_empty() => {
                    return Ok(Step::More);
                }
                Rest::Bytes(left) => {
                    let bytes = take(came, left);
                    self.rest = Rest::Bytes(left - bytes.len() as u64);
                    if matches!(self.rest, Rest::Bytes(0)) {
                        self.end();
                    }
                    return Ok(Step::Bytes(bytes));
                }
                Rest::Chunk(left) => {
                    let bytes = take(came, left);
                    self.rest = Rest::Chunk(left - bytes.len() as u64);
                    return Ok(Step::Bytes(bytes));
                }
                Rest::All => return Ok(Step::Bytes(take(came, u64::MAX))),
                Rest::Size | Rest::ChunkEnd | Rest::Trailers(_) => {
                    let Some(line) = line(came)? else { return Ok(Step::More) };
                    match (self.rest, &*line) {
                        (Rest::Size, line) => match size(line)? {
                            0 => Rest::Trailers(TRAILERS),
                            size => Rest::Chunk(size),
                        },
                        (Rest::ChunkEnd, b"") => Rest::Size,
                        (Rest::Trailers(_), b"") => return Ok(Step::End),
                        (Rest::Trailers(left @ 1..), _) => Rest::Trailers(left - 1),
                        _ => return Err(Fault::garbage("a chunk of its answer has a wrong end")),
                    }
                }
            }
        }
    }

    /// The body has come whole: the connection is free, unless something is left on it.
    fn end(&mut self) {
        let connection = self.connection.take();
        if let Some(connection) = connection.filter(|it| self.lasting && it.came.is_empty()) {
            self.home.keep(connection, Instant::now());
        }
    }
}

enum Step {
    Bytes(Bytes),
    More,
    End,
}

/// Copies, so that who keeps a little keeps no more, and the room is used again.
fn take(came: &mut BytesMut, most: u64) -> Bytes {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(came.len());
    let taken = Bytes::copy_from_slice(&came[..length]);
    came.advance(length);
    taken
}

/// A whole line without its end, if there is one.
fn line(came: &mut BytesMut) -> Result<Option<Bytes>, Fault> {
    match came.iter().take(LINE).position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = came[..end].strip_suffix(b"\r").map(Bytes::copy_from_slice);
            came.advance(end + 1);
            line.map(Some).ok_or_else(|| Fault::garbage("a line of its answer has a wrong end"))
        }
        None if came.len() >= LINE => Err(Fault::garbage("a line of its answer is too long")),
        None => Ok(None),
    }
}

/// The size of a chunk, by the line before it.
fn size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    size.ok_or_else(|| Fault::garbage("the size of a chunk of its answer is none"))
}
