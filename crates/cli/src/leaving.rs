//! Files that a run leaves beside what it moves, and what it means when they cannot be written.

use airlift_oci::store::chain;

use crate::exit::Exit;
use crate::session::Session;

/// The files of one run's end. One that cannot be written is told and changes the exit code; it
/// hides nothing of what became of the run itself.
pub(crate) struct Leaving<'a> {
    session: &'a Session,
    failed: bool,
}

impl<'a> Leaving<'a> {
    /// The end of a run that left nothing yet.
    pub(crate) fn of(session: &'a Session) -> Self {
        Leaving { session, failed: false }
    }

    /// Does what leaves a file.
    pub(crate) fn file(&mut self, write: impl FnOnce() -> anyhow::Result<()>) {
        if let Err(error) = write() {
            self.session.complain(&chain(error.as_ref()));
            self.failed = true;
        }
    }

    /// The exit code of the run, which ended with `exit` but for its files.
    pub(crate) fn exit(&self, exit: Exit) -> Exit {
        if self.failed && exit == Exit::Done { Exit::Partial } else { exit }
    }
}
