//! Back to an earlier place of the archive: what was handed over since is taken back, and what is on
//! the medium already is overwritten.

use std::io;

use tokio::sync::oneshot;

use super::BlockBuffer;
use super::block::Block;

/// A place in the archive: the block that it is in, and what of that stands before it.
#[derive(Debug)]
pub(crate) struct Here {
    before: u64,
    head: Vec<u8>,
}

/// What the device's thread is asked for.
pub(super) struct Back {
    /// Bytes of the archive that stay on the medium: whole blocks, all of them handed over.
    pub(super) to: u64,
    /// Learns what came of it.
    pub(super) done: oneshot::Sender<io::Result<()>>,
}

impl BlockBuffer {
    /// Where the next byte goes.
    pub(crate) fn here(&self) -> Here {
        Here { before: self.before, head: self.current.bytes().to_vec() }
    }

    /// Goes back to an earlier place, and returns when the device is there: what is written next
    /// follows on what stood before it then. Nothing marked since may be marked again. Fails with
    /// [`io::ErrorKind::Unsupported`] where the device cannot, and is then of no further use.
    pub(crate) async fn back_to(&mut self, here: &Here) -> io::Result<()> {
        let (done, came) = oneshot::channel();
        self.shared.lock().back = Some(Back { to: here.before, done });
        self.shared.changed.notify_all();
        match came.await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(io::Error::other("its thread ended")),
        }
        self.before = here.before;
        self.current = Block::from(&self.shared.pool);
        self.current.fill(&here.head);
        Ok(())
    }
}
