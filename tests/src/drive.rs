//! A tape drive in memory: whole blocks, an end of the medium, errors where they are wanted, a rate.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airlift_tape::device::Device;
use airlift_tape::{Medium, ReadDevice};

/// The medium in the drive, which outlives a run.
#[derive(Debug, Clone, Default)]
pub struct Tape(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    blocks: Vec<Vec<u8>>,
    marks: usize,
    syncs: usize,
    writes: usize,
}

impl Tape {
    /// What is on it, one block after the other.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().blocks.concat()
    }

    /// Sizes of its blocks.
    pub fn block_sizes(&self) -> Vec<usize> {
        self.0.lock().unwrap().blocks.iter().map(Vec::len).collect()
    }

    /// Filemarks behind the blocks.
    pub fn marks(&self) -> usize {
        self.0.lock().unwrap().marks
    }

    /// Blocks written, those overwritten since counted too.
    pub fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }

    /// As something to read from.
    pub fn medium(&self) -> Medium {
        in_hand(&self.bytes())
    }
}

/// A drive with a tape in it.
pub struct FakeDrive {
    tape: Tape,
    at: usize,
    block: u64,
    /// Blocks that fit.
    pub capacity: usize,
    /// The write that fails, counted from 0 in this run, and how.
    pub fails: Option<(usize, io::ErrorKind)>,
    /// Time that every write takes.
    pub pace: Duration,
    count: usize,
}

impl FakeDrive {
    /// A drive for blocks of `block` bytes.
    pub fn new(tape: &Tape, block: u64) -> Self {
        FakeDrive {
            tape: tape.clone(),
            at: 0,
            block,
            capacity: usize::MAX,
            fails: None,
            pace: Duration::ZERO,
            count: 0,
        }
    }
}

impl Device for FakeDrive {
    fn place(&self) -> String {
        "the drive".to_owned()
    }

    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        std::thread::sleep(self.pace);
        let count = self.count;
        self.count += 1;
        if let Some((_, kind)) = self.fails.filter(|(at, _)| *at == count) {
            return Err(kind.into());
        }
        if self.at >= self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut tape = self.tape.0.lock().unwrap();
        tape.blocks.truncate(self.at);
        tape.blocks.push(block.to_vec());
        tape.writes += 1;
        self.at += 1;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.tape.0.lock().unwrap().syncs += 1;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.tape.0.lock().unwrap().marks += 1;
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<Option<Box<dyn ReadDevice>>> {
        let bytes = self.tape.bytes();
        Ok((!bytes.is_empty()).then(|| Box::new(InHand(Cursor::new(bytes))) as Box<dyn ReadDevice>))
    }

    fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        assert_eq!(offset % self.block, 0, "a tape is gone on with at a block");
        let at = usize::try_from(offset / self.block).unwrap();
        if at > self.tape.0.lock().unwrap().blocks.len() {
            return Err(io::Error::other("there is no such block on the tape"));
        }
        self.at = at;
        Ok(())
    }

    fn grain(&self) -> u64 {
        self.block
    }

    fn sync_interval(&self) -> Duration {
        Duration::ZERO
    }

    fn is_removable(&self) -> bool {
        true
    }
}

/// A tape being read, block by block, of which some blocks cannot be read.
struct BadTape {
    blocks: Vec<Vec<u8>>,
    at: usize,
    bad: Vec<usize>,
    /// Whether the drive knows how long a block is that it cannot read.
    measured: bool,
    ready: Vec<u8>,
}

impl Tape {
    /// As something to read from, of which the blocks `bad` cannot be read. A drive in variable
    /// block mode, which is not `measured`, does not know how many bytes that loses.
    pub fn damaged(&self, bad: &[usize], measured: bool) -> Medium {
        let blocks = self.0.lock().unwrap().blocks.clone();
        let bad = bad.to_vec();
        Medium::Device(Box::new(BadTape { blocks, at: 0, bad, measured, ready: Vec::new() }))
    }
}

impl ReadDevice for BadTape {
    fn place(&self) -> String {
        "the tape".to_owned()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            if self.bad.contains(&self.at) {
                let text = format!("block {} of the tape: input/output error", self.at);
                return Err(io::Error::other(text));
            }
            self.ready = self.blocks.get(self.at).cloned().unwrap_or_default();
            self.at += 1;
        }
        let length = self.ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.ready[..length]);
        self.ready.drain(..length);
        Ok(length)
    }

    fn skip(&mut self) -> Option<Option<u64>> {
        let block = self.blocks.get(self.at)?;
        self.at += 1;
        Some(self.measured.then_some(block.len() as u64))
    }
}

/// Bytes as a medium, given in short and odd pieces, as pipes give them.
pub fn in_hand(bytes: &[u8]) -> Medium {
    Medium::Device(Box::new(InHand(Cursor::new(bytes.to_vec()))))
}

struct InHand(Cursor<Vec<u8>>);

impl ReadDevice for InHand {
    fn place(&self) -> String {
        "the medium".to_owned()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = buffer.len().min(70_001);
        self.0.read(&mut buffer[..limit])
    }
}
