//! Writing blobs: in one piece where the registry takes it, resumed where an upload broke, in chunks
//! where pieces are too large, anew where the upload is lost.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::blob_read::SMALL;
use super::limits::{Lane, Permit};
use super::pieces::Pieces;
use super::presence::{self, Opening};
use super::repo::Repo;
use super::session::Session;
use super::single::{Sent, Single};
use super::upload::Upload;
use super::upload_body::{Feed, Outgoing};
use super::upload_fault::Fault;
use crate::store::{Blob, Content, Damage, Presence, Put, StoreError};

pub(super) async fn put(
    repo: &Repo,
    content: &dyn Content,
    from: Option<&str>,
    presence: Presence,
) -> Result<Put, StoreError> {
    let descriptor = content.descriptor();
    let session = match presence::open(repo, descriptor, from, presence).await {
        Opening::There(put) => return Ok(put),
        Opening::Upload(session) => session,
    };
    let whole = session.is_none();
    let mut upload = Upload {
        repo,
        content,
        session,
        offset: 0,
        tries: repo.host.wire.tries(false),
        furthest: 0,
        lost: 0,
        unauthorized: false,
        moves: 0,
        damage: Damage::default(),
        pieces: Pieces::default(),
        whole,
    };
    let sent = match descriptor.size {
        size @ 0..=SMALL if repo.host.facts.takes_whole(size) => upload.send_small().await,
        _ => upload.send_large().await,
    };
    if let Err(error) = sent {
        if let Some(session) = upload.session.take() {
            session.cancel(repo).await;
        }
        return Err(error);
    }
    upload.pieces.learn(&repo.host.facts, descriptor.size);
    repo.facts.learn(&descriptor.digest);
    repo.host.facts.uploads.set(true);
    Ok(Put::Written)
}

impl Upload<'_> {
    /// Content that fits into memory: read first, then sent as a request like any other.
    async fn send_small(&mut self) -> Result<(), StoreError> {
        let (repo, digest) = (self.repo, &self.content.descriptor().digest);
        let mut permit = None;
        let bytes = match self.chosen() {
            Single::No => {
                let (bytes, admitted) = self.begin_small().await?;
                permit = admitted;
                bytes
            }
            single => {
                let bytes = self.read_small().await?;
                match single.send_small(repo, digest, bytes.clone()).await? {
                    Sent::There => return Ok(()),
                    Sent::Not(session) => self.session = session,
                }
                bytes
            }
        };
        loop {
            let session = self.session().await?;
            let fault = match session.finish_with(repo, digest, bytes.clone(), permit.take()).await
            {
                Ok(answer) => match self.judge(answer) {
                    Ok(()) => return Ok(()),
                    Err(fault) => fault,
                },
                Err(error) => Fault::Refused(error),
            };
            match fault {
                Fault::Lost(error) => {
                    if self.anew(error).await? {
                        return Ok(());
                    }
                }
                Fault::TooLarge(error) => {
                    self.shrink(error)?;
                    return self.send_large().await;
                }
                Fault::Damaged(error) if error.is_damage() && !self.damage.may_pass(&error) => {
                    return Err(error);
                }
                // The content is known to be whole: what is damaged is what the registry has of it,
                // of a try that broke and left its part there.
                Fault::Damaged(error) => {
                    self.renew(&error).await;
                    self.pause(error).await?;
                }
                Fault::Content(error)
                | Fault::Passing(error)
                | Fault::Unauthorized(error)
                | Fault::Refused(error) => return Err(error),
                // It was waited for as long as it may be, or followed as far.
                Fault::Busy(answer) | Fault::Moved(answer) => return Err(answer.error()),
            }
        }
    }

    /// Reads the content, and opens an upload meanwhile if there is none. Of an upload at another host
    /// the right to send there as well: it comes before the content is opened.
    async fn begin_small(&mut self) -> Result<(Bytes, Option<Permit>), StoreError> {
        let repo = self.repo;
        if self.session.is_none() && !self.reads_last() {
            let (bytes, session) = tokio::join!(self.read_small(), Session::start(repo));
            self.session = Some(session?);
            return Ok((bytes?, None));
        }
        let session = self.session().await?;
        let permit = if session.is_home(repo) { None } else { Some(session.admit(repo).await?) };
        Ok((self.read_small().await?, permit))
    }

    /// Whether the content is opened only once an upload is: where uploads are not known to work
    /// nothing is to be read in vain, and where they go to another host nothing is to be held open
    /// until that takes it.
    fn reads_last(&self) -> bool {
        let facts = &self.repo.host.facts;
        facts.uploads.get() != Some(true) || facts.uploads_away()
    }

    async fn read_small(&self) -> Result<Bytes, StoreError> {
        let mut damage = Damage::default();
        loop {
            let read = match self.content.open(0).await {
                Ok(blob) => blob.read_all().await,
                Err(error) => Err(error),
            };
            match read {
                Err(error) if error.is_damage() && damage.may_pass(&error) => {
                    tracing::debug!(place = self.repo.place, %error, "content read once more");
                }
                read => return read,
            }
        }
    }

    async fn send_large(&mut self) -> Result<(), StoreError> {
        loop {
            if self.session.is_none() && self.chunk_size().is_some() {
                // The upload may say how small chunks may be.
                self.session().await?;
            }
            let mut pieces = std::mem::take(&mut self.pieces);
            let chunk = pieces.next(&self.load());
            self.pieces = pieces;
            let tried = match chunk {
                Some(chunk) => self.send_chunks(chunk).await,
                None => match self.turn().await {
                    (Single::No, permit) => self.send_rest(permit).await,
                    (single, permit) => match self.send_whole(&single, permit).await {
                        Ok(Sent::There) => return Ok(()),
                        Ok(Sent::Not(session)) => {
                            self.session = session;
                            continue;
                        }
                        Err(fault) => Err(fault),
                    },
                },
            };
            let there = match tried {
                Ok(()) => true,
                Err(Fault::Damaged(error)) if self.damage.may_pass(&error) => {
                    self.renew(&error).await;
                    false
                }
                Err(Fault::Content(error) | Fault::Refused(error) | Fault::Damaged(error)) => {
                    return Err(error);
                }
                Err(Fault::Lost(error)) => self.anew(error).await?,
                Err(Fault::TooLarge(error)) => {
                    self.shrink(error)?;
                    self.catch_up().await?
                }
                Err(Fault::Passing(error)) => self.resume(error).await?,
                Err(Fault::Unauthorized(error)) => self.reauthorize(error).await?,
                Err(Fault::Moved(answer)) => {
                    self.follow(&answer)?;
                    false
                }
                Err(Fault::Busy(answer)) => self.wait(&answer).await?,
            };
            if there {
                return Ok(());
            }
        }
    }

    /// How it is sent, and the right to send when there is no upload yet: while that is waited for
    /// others may show how the host takes blobs.
    async fn turn(&mut self) -> (Single, Option<Permit>) {
        if self.session.is_some() {
            return (Single::No, None);
        }
        let permit = self.repo.host.wire.admit(Lane::Up).await;
        (self.chosen(), Some(permit))
    }

    fn chosen(&mut self) -> Single {
        if std::mem::take(&mut self.whole) {
            return Single::chosen(self.repo, self.content.descriptor().size);
        }
        Single::No
    }

    /// Everything, without an upload. What breaks is sent into one then, which can be gone on with.
    async fn send_whole(&mut self, single: &Single, permit: Option<Permit>) -> Result<Sent, Fault> {
        let (repo, descriptor) = (self.repo, self.content.descriptor());
        self.offset = 0;
        let permit = match permit {
            Some(permit) => permit,
            None => repo.host.wire.admit(Lane::Up).await,
        };
        let blob = self.content.open(0).await.map_err(Fault::of_content)?;
        let feed = Feed::new(blob);
        let outgoing = Outgoing::new(&feed, descriptor.size);
        let progress = outgoing.progress();
        let sent = Single::send(repo, &descriptor.digest, outgoing, permit).await;
        if let Some(error) = progress.take_error() {
            return Err(Fault::of_content(error));
        }
        single.judge(repo, &descriptor.digest, sent).await.map_err(Fault::of_sending)
    }

    /// Everything from the offset on, in one request; by `permit`, when no upload is open yet.
    async fn send_rest(&mut self, permit: Option<Permit>) -> Result<(), Fault> {
        let (repo, descriptor) = (self.repo, self.content.descriptor());
        let digest = &descriptor.digest;
        let left = descriptor.size - self.offset;
        if left == 0 {
            drop(permit);
            let offset = self.offset;
            let session = self.session().await.map_err(Fault::Refused)?;
            let answer = session.finish(repo, digest, offset, None).await;
            return self.judge(answer.map_err(Fault::Refused)?);
        }
        let (permit, blob) = self.begin_large(permit).await?;
        let offset = self.offset;
        let left = descriptor.size - offset;
        let feed = Feed::new(blob);
        let outgoing = Outgoing::new(&feed, left);
        let progress = outgoing.progress();
        let body = Some((outgoing, permit, left));
        let session = self.session().await.map_err(Fault::Refused)?;
        let answer = session.finish(repo, digest, offset, body).await;
        if let Some(error) = progress.take_error() {
            return Err(Fault::of_content(error));
        }
        self.judge(answer.map_err(Fault::of_sending)?)
    }

    /// The right to send, and the content from the offset on; an upload is open then. Opened by
    /// `permit`, it takes the body by the same: who waited once does not wait again.
    async fn begin_large(&mut self, permit: Option<Permit>) -> Result<(Permit, Blob), Fault> {
        let repo = self.repo;
        let (Some(permit), None) = (permit, &self.session) else {
            // Admitted first, opened then: what is opened is read at once.
            let session = self.session().await.map_err(Fault::Refused)?;
            let permit = session.admit(repo).await.map_err(Fault::Refused)?;
            let blob = self.content.open(self.offset).await.map_err(Fault::of_content)?;
            return Ok((permit, blob));
        };
        self.offset = 0;
        let upload = Session::start_with(repo, permit);
        let (opened, upload) = if self.reads_last() {
            (None, upload.await)
        } else {
            let (opened, upload) = tokio::join!(self.content.open(0), upload);
            (Some(opened), upload)
        };
        let (session, permit) = upload.map_err(Fault::Refused)?;
        let session = self.session.insert(session);
        let permit = if let Some(mut permit) = permit.filter(|_| session.is_home(repo)) {
            repo.host.wire.again(&mut permit).await;
            permit
        } else {
            session.admit(repo).await.map_err(Fault::Refused)?
        };
        let opened = match opened {
            Some(opened) => opened,
            None => self.content.open(0).await,
        };
        Ok((permit, opened.map_err(Fault::of_content)?))
    }

    /// Everything from the offset on, in pieces of at most `chunk` bytes.
    async fn send_chunks(&mut self, chunk: u64) -> Result<(), Fault> {
        let size = self.content.descriptor().size;
        let repo = self.repo;
        let mut open: Option<(Permit, Arc<Mutex<Feed>>)> = None;
        while self.offset < size {
            let (offset, length) = (self.offset, chunk.min(size - self.offset));
            let (permit, feed) = match open.take() {
                Some(open) => open,
                None => self.begin_chunks().await?,
            };
            let outgoing = Outgoing::new(&feed, length);
            let progress = outgoing.progress();
            let session = self.session().await.map_err(Fault::Refused)?;
            let answer = session.chunk(repo, offset, length, outgoing, permit).await;
            if let Some(error) = progress.take_error() {
                return Err(Fault::of_content(error));
            }
            let (mut answer, next) = answer.map_err(Fault::of_sending)?;
            let permit = answer.permit.take();
            self.judge(answer)?;
            self.offset = next;
            self.advanced();
            // Of what was taken in part the rest is opened again.
            let whole = next == offset + length;
            if let Some(permit) = permit.filter(|_| whole && next < size) {
                // Content that is open has a connection, for which others may wait who have the
                // right to send: it is kept as long.
                let session = self.session().await.map_err(Fault::Refused)?;
                let permit = session.again(repo, permit).await.map_err(Fault::Refused)?;
                open = permit.map(|permit| (permit, feed));
            }
        }
        let digest = &self.content.descriptor().digest;
        let session = self.session().await.map_err(Fault::Refused)?;
        let answer = session.finish(repo, digest, size, None).await;
        self.judge(answer.map_err(Fault::Refused)?)
    }

    /// The right to send, and the content from the offset on, opened by it.
    async fn begin_chunks(&mut self) -> Result<(Permit, Arc<Mutex<Feed>>), Fault> {
        let repo = self.repo;
        let session = self.session().await.map_err(Fault::Refused)?;
        let permit = session.admit(repo).await.map_err(Fault::Refused)?;
        let blob = self.content.open(self.offset).await.map_err(Fault::of_content)?;
        Ok((permit, Feed::new(blob)))
    }
}
