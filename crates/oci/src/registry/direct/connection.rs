//! One connection: a question goes out in one piece, the head of its answer comes in.

use std::io;

use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderName, Method, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Position, Url};

use super::Fault;
use super::head::{Head, MOST, Parsed};
use crate::registry::endpoint::authority;

/// Bytes that are asked for at once: most manifests fit, with their heads.
const ROOM: usize = 8 * 1024;

/// A connection to the host.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// What came and was not taken yet.
    pub(super) came: BytesMut,
    question: Vec<u8>,
}

/// How a question failed.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection ended and no byte of an answer came.
    Unanswered(io::Error),
    /// There is something wrong with the answer.
    Answered(Fault),
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Connection { stream, came: BytesMut::new(), question: Vec::new() }
    }

    /// Whether the host has neither closed the connection nor sent what nobody asked for.
    pub(super) fn stands(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        self.came.is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a question and waits for the head of the answer.
    pub(super) async fn ask(
        &mut self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        agent: &str,
    ) -> Result<Head, Lost> {
        self.write(method, url, headers, agent);
        let sent = self.stream.write_all(&self.question).await;
        sent.map_err(Lost::Unanswered)?;
        loop {
            match self.read().await {
                Ok(0) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(self.lost(error)),
            }
            while let Parsed::Whole(head, length) =
                Head::parse(&self.came, method).map_err(Lost::Answered)?
            {
                self.came.advance(length);
                if !head.status.is_informational() {
                    return Ok(head);
                }
            }
            if self.came.len() >= MOST {
                return Err(Lost::Answered(Fault::garbage("the head of its answer is too long")));
            }
        }
    }

    /// Reads what is there, at least a byte; 0 at the end.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        // What was taken is room again: nobody else holds it.
        self.came.reserve(ROOM.saturating_sub(self.came.len()).max(ROOM / 4));
        self.stream.read_buf(&mut self.came).await
    }

    fn lost(&self, error: io::Error) -> Lost {
        if self.came.is_empty() {
            Lost::Unanswered(error)
        } else {
            Lost::Answered(Fault::Broken(error.into()))
        }
    }

    /// Writes a question down. Method, URL and headers were checked when they were made: none holds
    /// a line break.
    fn write(&mut self, method: &Method, url: &Url, headers: &HeaderMap, agent: &str) {
        let to = &mut self.question;
        to.clear();
        let target = &url[Position::BeforePath..Position::AfterQuery];
        for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
            to.extend_from_slice(part.as_bytes());
        }
        let mut line = |name: &HeaderName, value: &[u8]| {
            for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                to.extend_from_slice(part);
            }
        };
        if !headers.contains_key(header::HOST) {
            line(&header::HOST, authority(url).as_bytes());
        }
        if !headers.contains_key(header::USER_AGENT) {
            line(&header::USER_AGENT, agent.as_bytes());
        }
        if !headers.contains_key(header::ACCEPT) {
            line(&header::ACCEPT, b"*/*");
        }
        for (name, value) in headers {
            line(name, value.as_bytes());
        }
        to.extend_from_slice(b"\r\n");
    }
}
