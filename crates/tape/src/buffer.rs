//! The block buffer: whole blocks between whoever makes bytes and the thread that drives a device.
//!
//! The device starts, and starts again after the buffer ran empty, when the buffer is filled to
//! the high-water mark, so that a tape drive streams instead of going back and forth.

mod back;
mod block;
mod drive;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::back::Back;
use self::block::Block;
use crate::device::{Device, DeviceError};
use crate::ledger::{LedgerWriter, Line};
use crate::pool::Pool;
use crate::units::Size;
use airlift_oci::observe::{Event, Observer};

pub(crate) use self::back::Here;

/// Sizes of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct BufferOptions {
    /// Bytes of a block.
    pub block: usize,
    /// Bytes of the whole buffer; at least two blocks.
    pub memory: u64,
    /// Percentage of the buffer that must be filled before the device starts.
    pub high_water: u8,
}

impl BufferOptions {
    /// Whether a buffer of these sizes can work.
    pub fn check(&self) -> Result<(), DeviceError> {
        if self.memory / self.block.max(1) as u64 >= 2 {
            return Ok(());
        }
        Err(DeviceError::Settings(format!(
            "a buffer of {} holds less than two blocks of {}; give more memory or smaller blocks",
            Size(self.memory),
            Size(self.block as u64)
        )))
    }
}

/// What became of the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// Bytes on the medium.
    pub written: u64,
    /// How often the buffer ran empty after the device had started.
    pub empty: u64,
    /// How often that stopped a device which waits for the high-water mark before it starts again.
    pub stalls: u64,
    /// How often bytes had to wait for the device.
    pub full: u64,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    space: Semaphore,
    observer: Arc<dyn Observer>,
    pool: Pool,
    /// Bytes of a block, and of the whole buffer.
    sizes: (u64, u64),
}

#[derive(Default)]
struct State {
    blocks: VecDeque<Block>,
    spare: Vec<Block>,
    /// Whether they go back to where others take theirs from.
    lent: bool,
    marks: VecDeque<Line>,
    /// Where the device is to be taken back to.
    back: Option<Back>,
    end: End,
    empty: u64,
    stalls: u64,
    full: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Open,
    /// Everything was handed over.
    Closed,
    /// The run was given up.
    Abandoned,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how full the buffer is.
    fn tell(&self, state: &State) {
        let (block, capacity) = self.sizes;
        let filled = state.blocks.len() as u64 * block;
        self.observer.event(&Event::Buffer { filled, capacity, stalls: state.stalls });
    }
}

/// The side that takes bytes. Dropped before [`BlockBuffer::finish`], it stops the device after the
/// block in flight; what is on the medium by then is in the ledger.
pub struct BlockBuffer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    outcome: oneshot::Receiver<Result<Flow, DeviceError>>,
    place: String,
    current: Block,
    /// Bytes of the archive before the current block.
    before: u64,
    block: usize,
    /// Whether a ledger is kept.
    marked: bool,
}

impl BlockBuffer {
    /// Starts the thread of `device`, which stands behind `start` bytes.
    pub fn start(
        device: Box<dyn Device>,
        start: u64,
        options: BufferOptions,
        ledger: Option<LedgerWriter>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, DeviceError> {
        let block = options.block.max(1);
        let capacity = usize::try_from(options.memory / block as u64).unwrap_or(usize::MAX);
        options.check()?;
        let capacity = capacity.min(Semaphore::MAX_PERMITS);
        let level = (capacity * usize::from(options.high_water.min(100)) / 100).max(1);
        let space = Semaphore::new(capacity);
        let pool = Pool::new(block, usize::MAX);
        let sizes = (block as u64, (capacity * block) as u64);
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { state, changed, space, observer, pool, sizes });
        let place = device.place();
        let (report, outcome) = oneshot::channel();
        let marked = ledger.is_some();
        let worker = drive::Drive::new(device, shared.clone(), ledger, start, level);
        let thread = std::thread::Builder::new().name("device".to_owned()).spawn(move || {
            // Nobody listens when the run was given up.
            let _ = report.send(worker.run());
        });
        let thread = thread.map_err(|source| DeviceError::Open { place: place.clone(), source })?;
        let current = Block::from(&shared.pool);
        let (thread, before) = (Some(thread), start);
        Ok(BlockBuffer { shared, thread, outcome, place, current, before, block, marked })
    }

    /// Bytes of a block.
    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Takes bytes in; waits while the buffer is full.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), DeviceError> {
        while !bytes.is_empty() {
            let part = bytes.len().min(self.current.room());
            self.current.fill(&bytes[..part]);
            bytes = &bytes[part..];
            if self.current.room() == 0 {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Where the memory of blocks comes from.
    pub(crate) fn pool(&self) -> Pool {
        self.shared.pool.clone()
    }

    /// From now on memory that the buffer does not use is for others: what they take of it comes
    /// back with the bytes that are written, by [`BlockBuffer::charge`].
    pub(crate) fn lend(&self) {
        self.shared.lock().lent = true;
    }

    /// Keeps `share` until what was last written is on the medium.
    pub(crate) fn charge(&mut self, share: OwnedSemaphorePermit) {
        self.current.charge(share);
    }

    /// Has the ledger say, once `line.offset` bytes are safe on the medium, what they hold.
    pub fn mark(&self, line: Line) {
        if self.marked {
            self.shared.lock().marks.push_back(line);
        }
    }

    /// Hands over the last block, which may be short, and waits until the device has ended.
    pub async fn finish(mut self) -> Result<Flow, DeviceError> {
        if !self.current.bytes().is_empty() {
            self.hand_over().await?;
        }
        self.shared.lock().end = End::Closed;
        self.shared.changed.notify_all();
        self.outcome().await
    }

    async fn hand_over(&mut self) -> Result<(), DeviceError> {
        if self.shared.space.available_permits() == 0 {
            self.shared.lock().full += 1;
        }
        let Ok(permit) = self.shared.space.acquire().await else {
            return match self.outcome().await {
                Err(error) => Err(error),
                Ok(_) => Err(DeviceError::Lost(self.place.clone())),
            };
        };
        permit.forget();
        self.before += self.current.bytes().len() as u64;
        let mut state = self.shared.lock();
        let spare = state.spare.pop().unwrap_or_else(|| Block::from(&self.shared.pool));
        let block = std::mem::replace(&mut self.current, spare);
        state.blocks.push_back(block);
        self.shared.tell(&state);
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Flow, DeviceError> {
        let lost = || DeviceError::Lost(self.place.clone());
        let outcome = (&mut self.outcome).await.map_err(|_| lost())?;
        self.join();
        outcome
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there was reported as a lost thread already.
            let _ = thread.join();
        }
    }
}

impl Drop for BlockBuffer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.shared.lock().end = End::Abandoned;
            self.shared.changed.notify_all();
            self.join();
        }
    }
}
