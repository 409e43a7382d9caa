//! Reading a tar stream, without reading: bytes are pushed in, what they say comes out.
//!
//! Only what an image layout can hold is accepted: regular files and directories. Several
//! archives may follow one another, as when a second one was appended to a medium.

mod error;
mod extension;
mod leap;
mod recover;

use bytes::{Buf, Bytes};
use tar::{EntryType, Header};

use super::header::{BLOCK, Kind, padding};
pub use error::ArchiveError;
use error::behind;

/// The longest pax or GNU extension header that is read.
const MAX_EXTENSION: u64 = 1 << 20;

/// An entry's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Path, without a leading `./` and a trailing slash.
    pub name: String,
    /// File or directory.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// Where the header (with the extensions before it) starts in the uncompressed stream.
    pub offset: u64,
    /// The header's bytes as they are, extensions included.
    pub raw: Bytes,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Nothing until more bytes are pushed.
    Starved,
    /// An entry begins.
    Entry(Head),
    /// Content of the entry.
    Data(Bytes),
    /// The entry is complete.
    EndOfEntry,
    /// Two zero blocks: the archive ends at this offset.
    EndOfArchive(u64),
}

#[derive(Debug)]
enum State {
    Header,
    Extension {
        kind: EntryType,
        left: u64,
        bytes: Vec<u8>,
    },
    ExtensionPadding(u64),
    Body {
        left: u64,
        size: u64,
    },
    Padding(u64),
    /// Zero blocks seen, in bytes.
    Zeros(u64),
    /// Bytes left to pass over; what comes then is content of this size, or a header.
    Skip {
        left: u64,
        body: Option<u64>,
    },
    /// Behind damage: whatever is no header passes.
    Seek,
}

/// The state of reading.
#[derive(Debug)]
pub struct Parser {
    input: Bytes,
    offset: u64,
    block: Vec<u8>,
    state: State,
    entry_start: u64,
    raw: Vec<u8>,
    long_name: Option<String>,
    long_size: Option<u64>,
    last: String,
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}

impl Parser {
    /// At the start of a stream.
    pub fn new() -> Self {
        Parser {
            input: Bytes::new(),
            offset: 0,
            block: Vec::with_capacity(BLOCK as usize),
            state: State::Header,
            entry_start: 0,
            raw: Vec::new(),
            long_name: None,
            long_size: None,
            last: String::new(),
        }
    }

    /// Adds bytes. Only to be called after [`Step::Starved`].
    pub fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.input.is_empty(), "bytes were pushed before they were asked for");
        self.input = bytes;
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the bytes so far say next.
    pub fn step(&mut self) -> Result<Step, ArchiveError> {
        loop {
            if self.input.is_empty() && !self.is_due() {
                return Ok(Step::Starved);
            }
            let step = match &mut self.state {
                State::Header => self.header()?,
                State::Zeros(_) => self.zeros()?,
                State::Extension { .. } => self.extension()?,
                State::ExtensionPadding(_) | State::Padding(_) => self.pad()?,
                State::Body { .. } => self.body(),
                State::Skip { .. } => self.skip(),
                State::Seek => self.seek_header(),
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// The stream has ended: whether it may end here.
    pub fn finish(&self) -> Result<(), ArchiveError> {
        let last = &self.last;
        let within = match &self.state {
            State::Zeros(zeros) if *zeros >= 2 * BLOCK && self.block.is_empty() => return Ok(()),
            // That something is damaged was said; the end mark was passed with it.
            State::Seek => return Ok(()),
            State::Zeros(_) => format!("within the end mark {}", behind(last)),
            State::Body { .. } | State::Padding(_) | State::Skip { body: Some(_), .. } => {
                format!("within the entry {last:?}")
            }
            State::Header if self.offset == 0 => "which is its start: there is nothing".to_owned(),
            State::Header if self.block.is_empty() => {
                format!("{}, without an end mark", behind(last))
            }
            State::Skip { .. } => format!("within what is damaged {}", behind(last)),
            State::Header | State::Extension { .. } | State::ExtensionPadding(_) => {
                format!("within the header {}", behind(last))
            }
        };
        Err(ArchiveError::Truncated { offset: self.offset, within })
    }

    /// Whether a step is possible without input.
    fn is_due(&self) -> bool {
        matches!(
            self.state,
            State::Body { left: 0, .. }
                | State::Padding(0)
                | State::ExtensionPadding(0)
                | State::Skip { left: 0, .. }
        ) || matches!(self.state, State::Extension { left: 0, .. })
    }

    fn take(&mut self, limit: u64) -> Bytes {
        let length = limit.min(self.input.len() as u64) as usize;
        self.offset += length as u64;
        self.input.split_to(length)
    }

    /// Collects one block; `None` until it is whole.
    fn whole_block(&mut self) -> Option<[u8; BLOCK as usize]> {
        let part = self.take(BLOCK - self.block.len() as u64);
        self.block.extend_from_slice(&part);
        let block = self.block.as_slice().try_into().ok()?;
        self.block.clear();
        Some(block)
    }

    fn header(&mut self) -> Result<Option<Step>, ArchiveError> {
        let Some(block) = self.whole_block() else { return Ok(None) };
        let start = self.offset - BLOCK;
        if self.raw.is_empty() {
            self.entry_start = start;
        }
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Zeros(BLOCK);
            return Ok(None);
        }
        self.raw.extend_from_slice(&block);
        let header = Header::from_byte_slice(&block);
        if !checksum_holds(header) {
            return Err(ArchiveError::Header { offset: start, after: self.last.clone() });
        }
        let size = header.entry_size().map_err(|error| self.field(start, error.to_string()))?;
        let kind = header.entry_type();
        match kind {
            EntryType::XHeader | EntryType::GNULongName => {
                if size > MAX_EXTENSION {
                    return Err(self.field(start, "its extension is over 1 MiB".to_owned()));
                }
                self.state = State::Extension { kind, left: size, bytes: Vec::new() };
                Ok(None)
            }
            // Comments for the whole archive: `git archive` and some tars write them.
            EntryType::XGlobalHeader if size <= MAX_EXTENSION => {
                self.state = State::Extension { kind, left: size, bytes: Vec::new() };
                Ok(None)
            }
            _ => self.entry(header, kind, size).map(Some),
        }
    }

    fn entry(&mut self, header: &Header, kind: EntryType, size: u64) -> Result<Step, ArchiveError> {
        let offset = self.entry_start;
        let name = match self.long_name.take() {
            Some(name) => name,
            None => String::from_utf8(header.path_bytes().into_owned())
                .map_err(|_| self.field(offset, "its name is not UTF-8".to_owned()))?,
        };
        let name = name.trim_start_matches("./").trim_end_matches('/').to_owned();
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Directory,
            other => {
                let kind = describe(other);
                return Err(ArchiveError::Unexpected { offset, name, kind });
            }
        };
        let size = self.long_size.take().unwrap_or(size);
        let size = if kind == Kind::Directory { 0 } else { size };
        self.last.clone_from(&name);
        self.state = State::Body { left: size, size };
        let raw = Bytes::from(std::mem::take(&mut self.raw));
        Ok(Step::Entry(Head { name, kind, size, offset, raw }))
    }

    fn pad(&mut self) -> Result<Option<Step>, ArchiveError> {
        let (State::Padding(left) | State::ExtensionPadding(left)) = self.state else {
            return Ok(None);
        };
        let part = self.take(left);
        let left = left - part.len() as u64;
        if part.iter().any(|byte| *byte != 0) {
            let offset = self.offset - part.len() as u64;
            // Whoever wants to go on all the same calls again.
            match &mut self.state {
                State::Padding(rest) | State::ExtensionPadding(rest) => *rest = left,
                _ => {}
            }
            return Err(ArchiveError::Padding { offset, after: self.last.clone() });
        }
        if let State::ExtensionPadding(_) = self.state {
            self.raw.extend_from_slice(&part);
            self.state = if left == 0 { State::Header } else { State::ExtensionPadding(left) };
            return Ok(None);
        }
        if left > 0 {
            self.state = State::Padding(left);
            return Ok(None);
        }
        self.state = State::Header;
        Ok(Some(Step::EndOfEntry))
    }

    fn body(&mut self) -> Option<Step> {
        let State::Body { left, size } = self.state else { return None };
        if left == 0 {
            self.state = State::Padding(padding(size));
            return None;
        }
        let part = self.take(left);
        self.state = State::Body { left: left - part.len() as u64, size };
        Some(Step::Data(part))
    }

    fn zeros(&mut self) -> Result<Option<Step>, ArchiveError> {
        let State::Zeros(zeros) = self.state else { return Ok(None) };
        // Long runs of zeros are the rule here: a tape's last block is full of them.
        if self.block.is_empty() && zeros >= 2 * BLOCK {
            let run = self.input.iter().take_while(|byte| **byte == 0).count() as u64;
            let run = run - run % BLOCK;
            if run > 0 {
                self.offset += run;
                self.input.advance(run as usize);
                self.state = State::Zeros(zeros + run);
                return Ok(None);
            }
        }
        let Some(block) = self.whole_block() else { return Ok(None) };
        let start = self.offset - BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::Zeros(zeros + BLOCK);
            let ended = zeros == BLOCK;
            return Ok(ended.then_some(Step::EndOfArchive(self.offset)));
        }
        self.unread(&block);
        self.state = State::Header;
        if zeros < 2 * BLOCK {
            let offset = start - zeros;
            return Err(ArchiveError::Header { offset, after: self.last.clone() });
        }
        // Another archive was appended: its first header is this block.
        Ok(None)
    }

    fn field(&self, offset: u64, reason: String) -> ArchiveError {
        let name =
            self.long_name.clone().unwrap_or_else(|| format!("the entry after {}", self.last));
        ArchiveError::Field { offset, name, reason }
    }
}

fn checksum_holds(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum();
    header.cksum().is_ok_and(|stated| stated == sum + 8 * 32)
}

fn describe(kind: EntryType) -> String {
    match kind {
        EntryType::Symlink => "symbolic link".to_owned(),
        EntryType::Link => "hard link".to_owned(),
        EntryType::Char | EntryType::Block => "device".to_owned(),
        EntryType::Fifo => "FIFO".to_owned(),
        other => format!("tar entry of type {:?}", char::from(other.as_byte())),
    }
}
