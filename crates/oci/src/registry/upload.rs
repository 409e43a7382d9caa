//! A blob on its way into a repository: how far it came, and how it goes on after a fault.

use super::answer::Answer;
use super::blob_read;
use super::brief::brief;
use super::pieces::{Load, Pieces};
use super::repo::Repo;
use super::session::Session;
use super::tries::{Tries, Verdict};
use super::upload_fault::Fault;
use super::wire::Why;
use crate::observe::{Meter, Pause};
use crate::store::{Content, Damage, StoreError, chain};

/// So often in a row a body is sent on to elsewhere.
const MOVES: u32 = 4;

/// A blob on its way into a repository.
pub(super) struct Upload<'a> {
    pub(super) repo: &'a Repo,
    pub(super) content: &'a dyn Content,
    pub(super) session: Option<Session>,
    /// Bytes that the registry has.
    pub(super) offset: u64,
    pub(super) tries: Tries<'a>,
    /// The most that the registry had of this upload, as far as it said.
    pub(super) furthest: u64,
    /// Uploads that the registry forgot.
    pub(super) lost: u32,
    /// Whether a token was refused since there was progress.
    pub(super) unauthorized: bool,
    /// How often it was sent on to elsewhere since there was progress.
    pub(super) moves: u32,
    /// How content or upload came damaged so far.
    pub(super) damage: Damage,
    /// How large its bodies may be.
    pub(super) pieces: Pieces,
    /// Whether it may go in the request that would open the upload. Tried once.
    pub(super) whole: bool,
}

impl Upload<'_> {
    /// What an answer to a body of it means.
    pub(super) fn judge(&self, answer: Answer) -> Result<(), Fault> {
        Fault::judge(&self.repo.place, &self.content.descriptor().digest, answer)
    }

    /// What speaks for and against bodies of some size now.
    pub(super) fn load(&self) -> Load<'_> {
        Load {
            facts: &self.repo.host.facts,
            left: self.content.descriptor().size - self.offset,
            most: self.repo.host.wire.common.settings.chunk_size,
            least: self.session.as_ref().map_or(0, |session| session.chunk_min),
        }
    }

    /// The size of chunks, when the blob does not go in one piece.
    pub(super) fn chunk_size(&self) -> Option<u64> {
        self.pieces.size(&self.load())
    }

    /// Notes that what was sent last was too large; the error, when it could not be smaller.
    pub(super) fn shrink(&self, error: StoreError) -> Result<(), StoreError> {
        if !self.pieces.refused(&self.load()) {
            return Err(error);
        }
        tracing::debug!(place = self.repo.place, %error, "going on in smaller pieces");
        Ok(())
    }

    /// Waits, and goes on from where the registry is. Whether it has the blob already.
    pub(super) async fn resume(&mut self, error: StoreError) -> Result<bool, StoreError> {
        self.pause(error).await?;
        let there = self.catch_up().await?;
        if self.advanced() {
            self.pieces.progress();
        } else if !there && self.stuck() {
            self.tries.progress();
        }
        Ok(there)
    }

    /// A token that ended says nothing of the line or of how large bodies may be: the upload is gone on
    /// with by the next one, which is final until there is progress. Whether the blob is there already.
    pub(super) async fn reauthorize(&mut self, error: StoreError) -> Result<bool, StoreError> {
        if std::mem::replace(&mut self.unauthorized, true) || self.is_forlorn() {
            return Err(error);
        }
        let there = self.catch_up().await?;
        if self.advanced() {
            self.pieces.progress();
        }
        Ok(there)
    }

    /// Goes on with the same bytes where `answer` says.
    pub(super) fn follow(&mut self, answer: &Answer) -> Result<(), StoreError> {
        self.moves += 1;
        if self.moves > MOVES {
            let text = format!("a body of an upload was redirected more than {MOVES} times");
            return Err(self.repo.protocol(text));
        }
        let Some(session) = &mut self.session else { return Err(answer.error()) };
        session.moved(self.repo, answer)
    }

    /// Waits as the host asks, and goes on from where the registry is. Whether it has the blob
    /// already. No failure is counted: how long is waited in all is bounded by itself.
    pub(super) async fn wait(&mut self, answer: &Answer) -> Result<bool, StoreError> {
        let wire = match &self.session {
            Some(session) => session.wire(self.repo)?,
            None => self.repo.host.wire.clone(),
        };
        match wire.patience(answer, &mut self.tries) {
            Some(Verdict::Break(Err(error))) => Err(error),
            _ => self.catch_up().await,
        }
    }

    /// Whether the registry has more than it ever had of this upload: how far it says to be may go
    /// back and forth, as between replicas, and is no progress then.
    pub(super) fn advanced(&mut self) -> bool {
        let more = self.offset > self.furthest;
        if more {
            self.furthest = self.offset;
            (self.unauthorized, self.moves) = (false, 0);
            self.tries.progress();
        }
        more
    }

    /// Nothing of what was sent counts any more.
    fn lose(&mut self) {
        (self.session, self.offset, self.furthest) = (None, 0, 0);
        self.lost += 1;
    }

    /// Whether it was lost too often, however far each upload came: that never ends.
    fn is_forlorn(&self) -> bool {
        self.lost > self.repo.host.wire.common.settings.retries.attempts
    }

    /// Notes that sending broke without progress. Whether smaller pieces are tried from now on.
    fn stuck(&mut self) -> bool {
        let mut pieces = std::mem::take(&mut self.pieces);
        let smaller = pieces.stuck(&self.load());
        self.pieces = pieces;
        smaller
    }

    /// The upload is lost: another one, unless it was finished and only the answer was lost.
    pub(super) async fn anew(&mut self, error: StoreError) -> Result<bool, StoreError> {
        self.pause(error).await?;
        self.lose();
        Ok(self.is_there().await)
    }

    /// Whether the blob is there after all: an upload may be unknown because it was finished, and only
    /// the answer was lost.
    async fn is_there(&self) -> bool {
        blob_read::arrived(self.repo, &self.content.descriptor().digest).await
    }

    /// What was sent is not to be built upon: another upload.
    pub(super) async fn renew(&mut self, error: &StoreError) {
        tracing::debug!(place = self.repo.place, %error, "sent once more");
        (self.offset, self.furthest) = (0, 0);
        if let Some(session) = self.session.take() {
            session.cancel(self.repo).await;
        }
    }

    /// Waits before the next try; the error, when there have been enough.
    pub(super) async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        let wait = self.tries.after_failure().filter(|_| !self.is_forlorn());
        let Some(wait) = wait else { return Err(error) };
        let short = self.content.descriptor().digest.short();
        let cause = format!("{}: sending {short}: {}", self.repo.place, chain(error.kind()));
        let (brief, tries) = (&*brief(&error), self.tries.failures());
        let why = Why { cause: &cause, brief, tries };
        self.repo.host.wire.tell(wait, Pause::Broken, &why);
        Meter::again();
        Meter::waited(wait);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Asks how far the registry came. Whether it has the blob already.
    pub(super) async fn catch_up(&mut self) -> Result<bool, StoreError> {
        let Some(session) = &mut self.session else { return Ok(false) };
        let size = self.content.descriptor().size;
        match session.status(self.repo).await {
            Ok(Some(offset)) if offset <= size => {
                self.offset = offset;
                return Ok(false);
            }
            Ok(_) => {}
            // Of an upload that cannot be asked for nothing can be built upon.
            Err(error) => {
                tracing::debug!(place = self.repo.place, %error, "an upload begins anew");
                if let Some(session) = self.session.take() {
                    session.cancel(self.repo).await;
                }
            }
        }
        self.lose();
        Ok(self.is_there().await)
    }

    /// The open upload, or a new one.
    pub(super) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        let session = if let Some(session) = self.session.take() {
            session
        } else {
            self.offset = 0;
            Session::start(self.repo).await?
        };
        Ok(self.session.insert(session))
    }
}
