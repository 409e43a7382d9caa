//! The device's thread: waits for blocks, writes them, syncs, and keeps the ledger.

use std::sync::Arc;
use std::time::Instant;

use super::{Back, Block, End, Flow, Shared, State};
use crate::device::{Device, DeviceError};
use crate::ledger::{LedgerWriter, Line};

pub(super) struct Drive {
    device: Box<dyn Device>,
    shared: Arc<Shared>,
    ledger: Option<LedgerWriter>,
    written: u64,
    synced: u64,
    level: usize,
    last_sync: Instant,
}

enum Next {
    Block(Block),
    Back(Back),
    Empty,
    Closed,
    Abandoned,
}

impl Drive {
    pub(super) fn new(
        device: Box<dyn Device>,
        shared: Arc<Shared>,
        ledger: Option<LedgerWriter>,
        start: u64,
        level: usize,
    ) -> Self {
        let last_sync = Instant::now();
        Drive { device, shared, ledger, written: start, synced: start, level, last_sync }
    }

    pub(super) fn run(mut self) -> Result<Flow, DeviceError> {
        let done = self.stream();
        // Whoever waits for space learns that none will come.
        self.shared.space.close();
        if done.is_err() {
            self.device.abandon(self.written);
        }
        done
    }

    fn stream(&mut self) -> Result<Flow, DeviceError> {
        self.fill();
        loop {
            match self.next() {
                Next::Block(block) => self.write(block)?,
                Next::Back(back) => {
                    self.back(back);
                    self.fill();
                }
                Next::Empty => {
                    let mut state = self.shared.lock();
                    state.empty += 1;
                    state.stalls += u64::from(self.level > 1);
                    self.shared.tell(&state);
                    drop(state);
                    self.fill();
                }
                Next::Closed => return self.finish(),
                Next::Abandoned => {
                    self.sync()?;
                    self.device.abandon(self.written);
                    return Ok(self.flow());
                }
            }
        }
    }

    /// Waits for the high-water mark, or the end.
    fn fill(&self) {
        let mut state = self.shared.lock();
        while state.end == End::Open && state.back.is_none() && state.blocks.len() < self.level {
            state = match self.shared.changed.wait(state) {
                Ok(state) => state,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
    }

    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        if state.end == End::Open
            && let Some(back) = state.back.take_if(|back| back.to <= self.written)
        {
            return Next::Back(back);
        }
        match (state.end, state.blocks.pop_front()) {
            (End::Abandoned, _) => Next::Abandoned,
            (_, Some(block)) => Next::Block(block),
            (End::Open, None) => Next::Empty,
            (End::Closed, None) => Next::Closed,
        }
    }

    /// Goes back as asked. What still waits was handed over since, and is dropped.
    fn back(&mut self, back: Back) {
        let mut state = self.shared.lock();
        let dropped = state.blocks.drain(..).count();
        self.shared.tell(&state);
        drop(state);
        self.shared.space.add_permits(dropped);
        let gone = if back.to < self.written { self.device.resume_at(back.to) } else { Ok(()) };
        if gone.is_ok() {
            self.written = back.to;
            self.synced = self.synced.min(back.to);
        }
        // Nobody listens when the run was given up.
        let _ = back.done.send(gone);
    }

    fn write(&mut self, mut block: Block) -> Result<(), DeviceError> {
        if let Err(error) = self.device.write(block.bytes()) {
            // What is on the medium stays usable: it is made safe and entered in the ledger.
            match self.device.safe() {
                Some(bytes) => {
                    self.synced = self.synced.max(bytes.min(self.written));
                    self.enter().ok();
                }
                None => drop(self.sync()),
            }
            return Err(DeviceError::write(&*self.device, self.written, self.synced, error));
        }
        self.written += block.bytes().len() as u64;
        block.clear();
        let mut state = self.shared.lock();
        if state.lent {
            block.give_back(&self.shared.pool);
        } else {
            state.spare.push(block);
        }
        self.shared.tell(&state);
        drop(state);
        self.shared.space.add_permits(1);
        if self.ledger.is_some() && self.last_sync.elapsed() >= self.device.sync_interval() {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DeviceError> {
        let failed = |device: &dyn Device, written, synced, error| {
            Err(DeviceError::write(device, written, synced, error))
        };
        if let Err(error) = self.device.sync() {
            return failed(&*self.device, self.written, self.synced, error);
        }
        self.synced = self.written;
        self.last_sync = Instant::now();
        self.enter()
    }

    /// Enters in the ledger what is safe.
    fn enter(&mut self) -> Result<(), DeviceError> {
        let mut state = self.shared.lock();
        let due = state.marks.iter().take_while(|line| line.offset <= self.synced).count();
        let due: Vec<Line> = state.marks.drain(..due).collect();
        drop(state);
        let Some(ledger) = self.ledger.as_mut().filter(|_| !due.is_empty()) else { return Ok(()) };
        ledger.append(&due).map_err(|source| {
            let path = ledger.path().to_owned();
            DeviceError::Ledger { path, source }
        })
    }

    fn finish(&mut self) -> Result<Flow, DeviceError> {
        if let Err(error) = self.device.finish() {
            return Err(DeviceError::write(&*self.device, self.written, self.synced, error));
        }
        self.synced = self.written;
        self.enter()?;
        Ok(self.flow())
    }

    fn flow(&self) -> Flow {
        let state = self.shared.lock();
        let State { empty, stalls, full, .. } = *state;
        Flow { written: self.written, empty, stalls, full }
    }
}
